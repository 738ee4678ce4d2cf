// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <atomic>
#include <thread>
#include <vector>

#include "channel/channel.hpp"

using namespace interlock;

namespace {

constexpr double kLimit = 60;  // seconds after which a test counts as hanging

std::int64_t recv_int(Channel &channel) {
  Message message;
  cr_assert(channel.recv_until(message, Deadline::never()).ok());
  return *message.as_int64();
}

}  // namespace

Test(channel, is_first_in_first_out_and_bounded, .timeout = kLimit) {
  const auto channel = make_ref<Channel>(2);
  for (int i = 0; i < 2; ++i) {
    Message message = Message::from_int64(i);
    cr_assert(channel->try_send(message).ok());
    cr_assert(message.empty());
  }
  Message third = Message::from_int64(2);
  cr_assert(channel->try_send(third).code() == Code::kEFULL);
  cr_assert_eq(*third.as_int64(), 2, "a refused message stays with the caller");
  cr_assert_eq(recv_int(*channel), 0);
  cr_assert_eq(recv_int(*channel), 1);
  Message none;
  cr_assert(channel->try_recv(none).code() == Code::kEEMPTY);
}

Test(channel, a_wait_ends_at_its_deadline, .timeout = kLimit) {
  const auto channel = make_ref<Channel>(1);
  Message message;
  const std::int64_t start = monotonic_ns();
  cr_assert(channel->recv_until(message, Deadline::after_ns(5'000'000)).code() == Code::kETIMEDOUT);
  cr_assert_geq(monotonic_ns() - start, 5'000'000);
}

Test(channel, close_wakes_all_and_lets_receivers_drain, .timeout = kLimit) {
  const auto channel = make_ref<Channel>(1);
  Message first = Message::from_int64(7);
  cr_assert(channel->try_send(first).ok());
  std::vector<std::thread> senders;
  std::atomic<int> refused{0};
  for (int i = 0; i < 3; ++i) {
    senders.emplace_back([&] {
      Message message = Message::from_none();
      if (channel->send_until(message, Deadline::never()).code() == Code::kECLOSED &&
          !message.empty())
        ++refused;
    });
  }
  channel->close();
  for (auto &sender : senders) sender.join();
  cr_assert_eq(refused.load(), 3);
  cr_assert_eq(recv_int(*channel), 7);
  Message none;
  cr_assert(channel->recv_until(none, Deadline::never()).code() == Code::kECLOSED);
}

Test(channel, an_interrupt_ends_a_wait_and_loses_nothing, .timeout = kLimit) {
  const auto channel = make_ref<Channel>(1);
  std::atomic<Parker *> parker{nullptr};
  Status status;
  std::thread receiver([&] {
    parker = &Parker::current();
    Message message;
    status = channel->recv_until(message, Deadline::never());
  });
  while (parker == nullptr) std::this_thread::yield();
  parker.load()->interrupt();
  receiver.join();
  cr_assert(status.code() == Code::kEINTERRUPTED);
  Message message = Message::from_int64(1);
  cr_assert(channel->try_send(message).ok());
  cr_assert_eq(recv_int(*channel), 1);
}

Test(channel, many_senders_and_receivers_lose_and_double_nothing, .timeout = kLimit) {
  constexpr int kThreads = 3;
  constexpr std::int64_t kEach = 20'000;
  const auto channel = make_ref<Channel>(4);
  std::vector<std::vector<std::int64_t>> received(kThreads);
  std::vector<std::thread> senders;
  std::vector<std::thread> receivers;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&, t] {
      for (std::int64_t i = 0; i < kEach; ++i) {
        Message message = Message::from_int64(t * kEach + i);
        cr_assert(channel->send_until(message, Deadline::never()).ok());
      }
    });
    receivers.emplace_back([&, t] {
      for (Message message; channel->recv_until(message, Deadline::never()).ok();)
        received[static_cast<std::size_t>(t)].push_back(*message.as_int64());
    });
  }
  for (auto &sender : senders) sender.join();
  channel->close();
  for (auto &receiver : receivers) receiver.join();
  std::vector<int> seen(kThreads * kEach);
  for (const auto &items : received) {
    std::vector<std::int64_t> last(kThreads, -1);
    for (const std::int64_t item : items) {
      ++seen[static_cast<std::size_t>(item)];
      auto &before = last[static_cast<std::size_t>(item / kEach)];
      cr_assert_lt(before, item, "the order of each sender is kept");
      before = item;
    }
  }
  for (const int count : seen) cr_assert_eq(count, 1);
}

Test(channel, a_channel_in_a_message_lives_as_long_as_it, .timeout = kLimit) {
  auto inner = make_ref<Channel>(1);
  const auto outer = make_ref<Channel>(1);
  Message message = Message::from_shared(inner);
  cr_assert(outer->try_send(message).ok());
  Channel *const raw = inner.get();
  inner = {};
  Message held = Message::from_int64(3);
  cr_assert(raw->try_send(held).ok(), "the message in flight owns it");
}
