// SPDX-License-Identifier: MIT
// interlock's Channel from C++. This is the one place of the C++ benchmarks that knows its
// interface.
#include <array>
#include <span>

#include "channel/channel.hpp"
#include "channel/select.hpp"
#include "harness.hpp"
#include "lock/parker.hpp"

using namespace interlock;

namespace {

class Queue {
 public:
  static bool can(std::size_t) { return true; }
  static void sleep_at_once() { Parker::current().set_ladder(Parker::Ladder::kSleep); }

  explicit Queue(std::size_t capacity) {
    auto made = Channel::create(capacity == bench::kUnbounded ? Channel::kUnbounded : capacity);
    bench::check(made.ok(), "a new channel");
    channel_ = std::move(made.value());
  }

  void send(std::uint64_t number) {
    Message message = Message::from_int64(static_cast<std::int64_t>(number));
    done(channel_->send_until(message, Deadline::never()));
  }

  std::uint64_t recv() {
    Message message;
    done(channel_->recv_until(message, Deadline::never()));
    return value(message);
  }

  void send_many(std::uint64_t first, std::size_t count) {
    std::array<Message, bench::kBatch> messages;
    for (std::size_t i = 0; i < count; ++i)
      messages[i] = Message::from_int64(static_cast<std::int64_t>(first + i));
    std::size_t sent = 0;
    done(channel_->send_many_until(std::span(messages.data(), count), sent, Deadline::never()));
  }

  std::uint64_t recv_many(std::size_t most, std::uint64_t &taken) {
    std::array<Message, bench::kBatch> messages;
    std::size_t received = 0;
    done(channel_->recv_many_until(std::span(messages.data(), most), received, Deadline::never()));
    taken = received;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < received; ++i) sum += value(messages[i]);
    return sum;
  }

  static std::uint64_t recv_either(Queue &first, Queue &second) {
    Message message;
    std::array<SelectCase, 2> cases;
    cases[0] = {first.channel_.get(), Channel::Direction::kReceive, &message, {}};
    cases[1] = {second.channel_.get(), Channel::Direction::kReceive, &message, {}};
    std::size_t index = 0;
    done(select_until(cases, false, Deadline::never(), index));
    return value(message);
  }

 private:
  static void done(const Status &status) { bench::check(status.ok(), "a status of the channel"); }
  static std::uint64_t value(const Message &message) {
    return static_cast<std::uint64_t>(message.as_int64().value_or(0));
  }

  Ref<Channel> channel_;
};

}  // namespace

int main(int argc, char **argv) { return bench::run_main<Queue>("interlock", argc, argv); }
