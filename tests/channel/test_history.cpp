// SPDX-License-Identifier: MIT
// Records what several threads do with a real channel, and checks that a queue could have done it.
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "channel/channels.hpp"
#include "support/history.hpp"

using namespace interlock;
using Kind = test::Operation::Kind;

namespace {

constexpr int kSenders = 3;
constexpr int kReceivers = 3;
constexpr int kItems = 5'000;

class Recording {
 public:
  Recording(std::size_t capacity, std::uint32_t seed) : channel_(create(capacity)), seed_(seed) {
    for (int i = 0; i < kSenders + kReceivers; ++i) logs_.emplace_back(i);
  }

  void send(int thread, int items) {
    std::mt19937 random(seed_ + static_cast<std::uint32_t>(thread));
    test::Log &log = logs_[static_cast<std::size_t>(thread)];
    for (std::int64_t sent = 0; sent < items;) {
      const std::size_t batch = random() % 8 == 0 ? 1 + random() % 5 : 1;
      std::vector<Message> messages(batch);
      const std::int64_t value = thread * std::int64_t{1'000'000} + sent;
      for (std::size_t i = 0; i < batch; ++i)
        messages[i] = Message::from_int64(value + static_cast<std::int64_t>(i));
      std::size_t count = 1;
      const std::int64_t begin = monotonic_ns();
      Status status;
      if (batch > 1) {
        status = channel_->send_many_until(messages, count, Deadline::never());
      } else if (random() % 4 == 0) {
        status = channel_->try_send(messages[0]);
      } else {
        status = channel_->send_until(messages[0], Deadline::never());
      }
      const std::int64_t end = monotonic_ns();
      if (status.code() == Code::kEFULL) log.add(Kind::kFoundFull, 0, begin, end);
      if (!status.ok()) continue;
      for (std::size_t i = 0; i < count; ++i)
        log.add(Kind::kSend, value + static_cast<std::int64_t>(i), begin, end);
      sent += static_cast<std::int64_t>(count);
    }
    if (++ended_ == kSenders) channel_->close();
  }

  void receive(int thread) {
    std::mt19937 random(seed_ + static_cast<std::uint32_t>(thread));
    test::Log &log = logs_[static_cast<std::size_t>(thread)];
    for (Status status; status.code() != Code::kECLOSED;) {
      std::vector<Message> messages(random() % 8 == 0 ? 5 : 1);
      std::size_t count = 1;
      const std::int64_t begin = monotonic_ns();
      if (messages.size() > 1) {
        status = channel_->recv_many_until(messages, count, Deadline::never());
      } else if (random() % 4 == 0) {
        status = channel_->try_recv(messages[0]);
      } else {
        status = channel_->recv_until(messages[0], Deadline::never());
      }
      const std::int64_t end = monotonic_ns();
      if (!status.ok()) log.add(Kind::kFoundEmpty, 0, begin, end);
      for (std::size_t i = 0; status.ok() && i < count; ++i)
        log.add(Kind::kReceive, messages[i].as_int64().value_or(-1), begin, end);
    }
  }

  [[nodiscard]] test::History run(int items) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kSenders; ++i) threads.emplace_back([this, i, items] { send(i, items); });
    for (int i = 0; i < kReceivers; ++i) threads.emplace_back([this, i] { receive(kSenders + i); });
    for (std::thread &each : threads) each.join();
    return test::merge(logs_);
  }

 private:
  const Ref<Channel> channel_;
  const std::uint32_t seed_;
  std::vector<test::Log> logs_;
  std::atomic<int> ended_{0};
};

void record_and_check(std::size_t capacity) {
  const test::History history = Recording(capacity, 1).run(kItems);
  std::string violation = test::find_violation(history, {capacity});
  cr_assert(violation.empty(), "%s", violation.c_str());
  // Many small ones, which can be searched for an order as well.
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    const test::History small = Recording(capacity, seed).run(2);
    violation = test::find_violation(small, {capacity});
    cr_assert(violation.empty(), "seed %u: %s", seed, violation.c_str());
    if (capacity != 0 && small.size() <= 20)
      cr_assert(test::is_linearizable(small, {capacity}), "seed %u", seed);
  }
}

}  // namespace

Test(history, of_a_ring_of_one_is_that_of_a_queue, .timeout = kLimit) { record_and_check(1); }
Test(history, of_a_ring_of_two_is_that_of_a_queue, .timeout = kLimit) { record_and_check(2); }
Test(history, of_a_ring_of_64_is_that_of_a_queue, .timeout = kLimit) { record_and_check(64); }
Test(history, of_a_rendezvous_is_that_of_a_queue, .timeout = kLimit) { record_and_check(0); }
Test(history, of_an_unbounded_channel_is_that_of_a_queue, .timeout = kLimit) {
  record_and_check(Channel::kUnbounded);
}
