// SPDX-License-Identifier: MIT
// A channel whose operations are recorded, for scenarios.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "channel/channel.hpp"
#include "simulator.hpp"
#include "support/history.hpp"

namespace interlock::systematic {

class RecordedChannel {
 public:
  using Kind = test::Operation::Kind;

  RecordedChannel(Run &run, std::size_t capacity, int threads,
                  Channel::Policy policy = Channel::Policy::kWait)
      : run_(run), capacity_(capacity), channel_(Channel::create(capacity, policy).value()) {
    for (int i = 0; i < threads; ++i) logs_.emplace_back(i);
  }

  [[nodiscard]] Channel &channel() const noexcept { return *channel_; }

  Code send(int thread, std::int64_t value, Deadline deadline = Deadline::never()) {
    Message message = Message::from_int64(value);
    const std::int64_t begin = run_.stamp();
    const Status status = channel_->send_until(message, deadline);
    note(thread, status, Kind::kSend, value, begin);
    expect(status.ok() == message.empty(), "a message that is not sent stays with the caller");
    return status.code();
  }
  Code try_send(int thread, std::int64_t value) {
    Message message = Message::from_int64(value);
    const std::int64_t begin = run_.stamp();
    const Status status = channel_->try_send(message);
    note(thread, status, Kind::kSend, value, begin);
    return status.code();
  }
  Code recv(int thread, Deadline deadline = Deadline::never()) {
    Message message;
    const std::int64_t begin = run_.stamp();
    const Status status = channel_->recv_until(message, deadline);
    return received(thread, status, message, begin);
  }
  Code try_recv(int thread) {
    Message message;
    const std::int64_t begin = run_.stamp();
    const Status status = channel_->try_recv(message);
    return received(thread, status, message, begin);
  }
  Code send_many(int thread, std::int64_t first, std::size_t count) {
    std::vector<Message> messages;
    for (std::size_t i = 0; i < count; ++i)
      messages.push_back(Message::from_int64(first + static_cast<std::int64_t>(i)));
    const std::int64_t begin = run_.stamp();
    std::size_t sent = 0;
    const Status status = channel_->send_many_until(messages, sent, Deadline::never());
    const std::int64_t end = run_.stamp();
    expect(status.ok() ? sent == count : sent < count, "send_many tells how many it sent");
    for (std::size_t i = 0; i < sent; ++i)
      log(thread).add(Kind::kSend, first + static_cast<std::int64_t>(i), begin, end);
    return status.code();
  }
  std::size_t recv_many(int thread, std::size_t most) {
    std::vector<Message> messages(most);
    const std::int64_t begin = run_.stamp();
    std::size_t count = 0;
    const Status status = channel_->recv_many_until(messages, count, Deadline::never());
    const std::int64_t end = run_.stamp();
    expect(status.ok() ? count >= 1 && count <= most : count == 0, "recv_many tells how many came");
    for (std::size_t i = 0; i < count; ++i)
      log(thread).add(Kind::kReceive, value_of(messages[i]), begin, end);
    return count;
  }
  /// What select did with this channel.
  void note_select(int thread, Kind kind, std::int64_t value, std::int64_t begin) {
    log(thread).add(kind, value, begin, run_.stamp());
  }
  [[nodiscard]] static std::int64_t value_of(const Message &message) {
    const auto value = message.as_int64();
    expect(value.has_value(), "what is received carries a number");
    return *value;
  }

  /// After the run: the history must be that of a queue.
  void check(bool drained = true) { check_as(capacity_, drained); }
  void check_as(std::size_t capacity, bool drained = true) {
    const test::History history = test::merge(logs_);
    const test::Queue queue{capacity, drained};
    const std::string violation = test::find_violation(history, queue);
    if (!violation.empty()) run_.fail(violation);
    if (capacity == 0 || history.size() > 14) return;
    if (!test::is_linearizable(history, queue)) run_.fail("the history is not linearizable");
  }
  [[nodiscard]] std::size_t count(Kind kind) const {
    std::size_t found = 0;
    for (const test::Log &log : logs_) {
      for (const test::Operation &each : log.operations()) found += each.kind == kind ? 1 : 0;
    }
    return found;
  }

 private:
  test::Log &log(int thread) { return logs_[static_cast<std::size_t>(thread)]; }
  void note(int thread, const Status &status, Kind kind, std::int64_t value, std::int64_t begin) {
    const std::int64_t end = run_.stamp();
    const Kind found = kind == Kind::kSend ? Kind::kFoundFull : Kind::kFoundEmpty;
    const Code refused = kind == Kind::kSend ? Code::kEFULL : Code::kEEMPTY;
    const bool drained = kind == Kind::kReceive && status.code() == Code::kECLOSED;
    if (status.ok()) {
      log(thread).add(kind, value, begin, end);
    } else if (status.code() == refused || drained) {
      log(thread).add(found, 0, begin, end);
    }
  }
  Code received(int thread, const Status &status, const Message &message, std::int64_t begin) {
    note(thread, status, Kind::kReceive, status.ok() ? value_of(message) : 0, begin);
    expect(status.ok() || message.empty(), "a receive that fails takes nothing");
    return status.code();
  }

  Run &run_;
  const std::size_t capacity_;
  const Ref<Channel> channel_;
  std::vector<test::Log> logs_;
};

}  // namespace interlock::systematic
