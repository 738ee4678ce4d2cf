// SPDX-License-Identifier: MIT
#include <atomic>
#include <thread>
#include <vector>

#include "channel/channel.hpp"
#include "channel/ring.hpp"
#include "channels.hpp"

using namespace interlock;

Test(channel, is_first_in_first_out_and_bounded, .timeout = kLimit) {
  for (const std::size_t capacity : {1, 2, 3, 5, 8}) {
    const auto channel = create(capacity);
    for (int lap = 0; lap < 5; ++lap) {
      for (std::size_t i = 0; i < capacity; ++i)
        cr_assert(send_int(*channel, static_cast<std::int64_t>(i)).ok());
      cr_assert_eq(channel->size(), capacity);
      Message extra = Message::from_int64(9);
      cr_assert(channel->try_send(extra).code() == Code::kEFULL);
      cr_assert_eq(*extra.as_int64(), 9, "a refused message is left with its sender");
      for (std::size_t i = 0; i < capacity; ++i)
        cr_assert_eq(recv_int(*channel), static_cast<std::int64_t>(i));
      Message none;
      cr_assert(channel->try_recv(none).code() == Code::kEEMPTY);
    }
  }
}

Test(channel, an_unbounded_one_is_never_full_and_keeps_the_order, .timeout = kLimit) {
  const auto channel = create(Channel::kUnbounded);
  for (int round = 0; round < 3; ++round) {
    for (std::int64_t i = 0; i < 1000; ++i) {
      Message message = Message::from_int64(i);
      cr_assert(channel->try_send(message).ok());
    }
    cr_assert_eq(channel->size(), 1000);
    for (std::int64_t i = 0; i < 1000; ++i) cr_assert_eq(recv_int(*channel), i);
  }
  cr_assert_eq(channel->stats().sent, 3000);
}

Test(channel, a_rendezvous_needs_both_sides, .timeout = kLimit) {
  const auto channel = create(0);
  Message message = Message::from_int64(1);
  cr_assert(channel->try_send(message).code() == Code::kEFULL);
  cr_assert(channel->try_recv(message).code() == Code::kEEMPTY);
  cr_assert(send_int(*channel, 1, Deadline::after_ns(1'000'000)).code() == Code::kETIMEDOUT);
  std::atomic<bool> taken{false};
  std::thread sender([&] {
    cr_assert(send_int(*channel, 5).ok());
    cr_assert(taken, "send returns when its message was taken");
  });
  while (channel->stats().send_waits != 2) std::this_thread::yield();
  taken = true;
  cr_assert_eq(recv_int(*channel), 5);
  sender.join();
}

Test(channel, close_wakes_any_number, .timeout = kLimit) {
  for (const std::size_t capacity : {0U, 1U}) {
    for (const bool sends : {false, true}) {
      const auto channel = create(capacity);
      if (sends && capacity != 0) cr_assert(send_int(*channel, 0).ok());
      std::vector<std::thread> waiting;
      for (int i = 0; i < 70; ++i) {  // more than are told at a time
        waiting.emplace_back([&] {
          Message message = sends ? Message::from_int64(1) : Message();
          const Status status = sends ? channel->send_until(message, Deadline::never())
                                      : channel->recv_until(message, Deadline::never());
          cr_assert(status.code() == Code::kECLOSED);
          cr_assert(message.empty() != sends, "nothing was sent, or received");
        });
      }
      while (sends ? channel->stats().send_waits != 70 : channel->stats().recv_waits != 70)
        std::this_thread::yield();
      channel->close();
      for (auto &each : waiting) each.join();
    }
  }
}

Test(channel, what_cannot_be_is_refused_at_creation, .timeout = kLimit) {
  cr_assert(Channel::create(0, Channel::Policy::kDropOldest).status().code() == Code::kEINVAL);
  cr_assert(Channel::create(Ring::kMostCapacity + 1).status().code() == Code::kEINVAL);
  // A system of 32 bits may find room for that.
  if (sizeof(std::size_t) == 8)
    cr_assert(Channel::create(Ring::kMostCapacity).status().code() == Code::kENOMEM);
}

Test(channel, policies_say_what_a_full_one_does, .timeout = kLimit) {
  const auto refuse = create(1, Channel::Policy::kRefuse);
  cr_assert(send_int(*refuse, 1).ok());
  cr_assert(send_int(*refuse, 2).code() == Code::kEFULL);
  cr_assert_eq(recv_int(*refuse), 1);

  const auto oldest = create(2, Channel::Policy::kDropOldest);
  for (int i = 0; i < 5; ++i) cr_assert(send_int(*oldest, i).ok());
  cr_assert_eq(recv_int(*oldest), 3);
  cr_assert_eq(recv_int(*oldest), 4);
  cr_assert_eq(oldest->stats().dropped, 3);
  cr_assert_eq(oldest->stats().received, 2);

  const auto newest = create(2, Channel::Policy::kDropNewest);
  for (int i = 0; i < 5; ++i) cr_assert(send_int(*newest, i).ok());
  cr_assert_eq(recv_int(*newest), 0);
  cr_assert_eq(recv_int(*newest), 1);
  cr_assert_eq(newest->stats().dropped, 3);

  const auto nobody = create(0, Channel::Policy::kDropNewest);
  cr_assert(send_int(*nobody, 1).ok());
  cr_assert_eq(nobody->stats().dropped, 1);
}

Test(channel, batches_are_taken_in_one_piece, .timeout = kLimit) {
  for (const std::size_t capacity : {std::size_t{4}, std::size_t{7}, Channel::kUnbounded}) {
    const auto channel = create(capacity);
    std::vector<Message> three(3);
    for (int lap = 0; lap < 10; ++lap) {
      for (std::size_t i = 0; i < 3; ++i) three[i] = Message::from_int64(static_cast<int>(i));
      std::size_t sent = 0;
      cr_assert(channel->send_many_until(three, sent, Deadline::never()).ok());
      cr_assert_eq(sent, 3);
      std::vector<Message> five(5);
      std::size_t received = 0;
      cr_assert(channel->recv_many_until(five, received, Deadline::never()).ok());
      cr_assert_eq(received, 3);
      for (std::size_t i = 0; i < 3; ++i) cr_assert_eq(*five[i].as_int64(), static_cast<int>(i));
    }
  }
}

Test(channel, a_batch_larger_than_the_channel_goes_through, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    std::thread sender([&] {
      std::vector<Message> many(200);
      for (std::size_t i = 0; i < many.size(); ++i)
        many[i] = Message::from_int64(static_cast<int>(i));
      std::size_t sent = 0;
      cr_assert(channel->send_many_until(many, sent, Deadline::never()).ok());
      cr_assert_eq(sent, 200);
    });
    for (int i = 0; i < 200; ++i) cr_assert_eq(recv_int(*channel), i);
    sender.join();
  }
}

Test(channel, a_batch_that_times_out_says_how_far_it_came, .timeout = kLimit) {
  const auto channel = create(2);
  std::vector<Message> three(3);
  for (Message &each : three) each = Message::from_int64(1);
  std::size_t sent = 9;
  const Status status = channel->send_many_until(three, sent, Deadline::after_ns(1'000'000));
  cr_assert(status.code() == Code::kETIMEDOUT);
  cr_assert_eq(sent, 2);
  cr_assert(!three[2].empty());
}

Test(channel, a_wait_ends_at_its_deadline, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    Message message;
    const std::int64_t start = monotonic_ns();
    cr_assert(channel->recv_until(message, Deadline::after_ns(5'000'000)).code() ==
              Code::kETIMEDOUT);
    cr_assert_geq(monotonic_ns() - start, 5'000'000);
  }
}

Test(channel, close_wakes_all_and_lets_receivers_drain, .timeout = kLimit) {
  for (const std::size_t capacity : {0, 1}) {
    const auto channel = create(capacity);
    if (capacity != 0) cr_assert(send_int(*channel, 7).ok());
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
    while (channel->stats().send_waits != 3) std::this_thread::yield();
    channel->close();
    for (auto &sender : senders) sender.join();
    cr_assert_eq(refused.load(), 3);
    if (capacity != 0) cr_assert_eq(recv_int(*channel), 7);
    Message none;
    cr_assert(channel->recv_until(none, Deadline::never()).code() == Code::kECLOSED);
  }
}

Test(channel, close_wakes_receivers, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    std::vector<std::thread> receivers;
    std::atomic<int> told{0};
    for (int i = 0; i < 3; ++i) {
      receivers.emplace_back([&] {
        Message message;
        if (channel->recv_until(message, Deadline::never()).code() == Code::kECLOSED) ++told;
      });
    }
    while (channel->stats().recv_waits != 3) std::this_thread::yield();
    channel->close();
    for (auto &receiver : receivers) receiver.join();
    cr_assert_eq(told.load(), 3);
  }
}

Test(channel, cancel_drops_what_is_there, .timeout = kLimit) {
  for (const std::size_t capacity : {std::size_t{3}, Channel::kUnbounded}) {
    const auto channel = create(capacity);
    const auto inner = create(1);
    for (int i = 0; i < 3; ++i) {
      Message message = Message::from_shared(inner);
      cr_assert(channel->try_send(message).ok());
    }
    channel->cancel();
    cr_assert_eq(channel->size(), 0);
    Message none;
    cr_assert(channel->try_recv(none).code() == Code::kECLOSED);
    cr_assert(send_int(*channel, 1).code() == Code::kECLOSED);
  }
}

Test(channel, an_interrupt_ends_a_wait_and_loses_nothing, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
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
    if (capacity == 0) continue;
    cr_assert(send_int(*channel, 1).ok());
    cr_assert_eq(recv_int(*channel), 1);
  }
}

namespace {

/// Threads that send, and threads that receive until the channel is closed.
void check_many_to_many(Channel &channel, std::size_t batch) {
  constexpr int kThreads = 3;
  constexpr std::int64_t kEach = 20'000;
  std::vector<std::vector<std::int64_t>> received(kThreads);
  std::vector<std::thread> senders;
  std::vector<std::thread> receivers;
  for (int t = 0; t < kThreads; ++t) {
    senders.emplace_back([&, t] {
      std::vector<Message> messages(batch);
      for (std::int64_t i = 0; i < kEach; i += static_cast<std::int64_t>(batch)) {
        for (std::size_t k = 0; k < batch; ++k)
          messages[k] = Message::from_int64(t * kEach + i + static_cast<std::int64_t>(k));
        std::size_t sent = 0;
        cr_assert(channel.send_many_until(messages, sent, Deadline::never()).ok());
      }
    });
    receivers.emplace_back([&, t] {
      std::vector<Message> messages(batch);
      std::size_t count = 0;
      while (channel.recv_many_until(messages, count, Deadline::never()).ok()) {
        for (std::size_t k = 0; k < count; ++k)
          received[static_cast<std::size_t>(t)].push_back(*messages[k].as_int64());
      }
    });
  }
  for (auto &sender : senders) sender.join();
  channel.close();
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

}  // namespace

Test(channel, many_senders_and_receivers_lose_and_double_nothing, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) check_many_to_many(*create(capacity), 1);
}

Test(channel, many_batches_lose_and_double_nothing, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) check_many_to_many(*create(capacity), 5);
}

Test(channel, a_blocked_sender_is_not_overtaken_for_ever, .timeout = kLimit) {
  const auto channel = create(1);
  std::atomic<bool> done{false};
  cr_assert(send_int(*channel, 0).ok());
  std::thread patient([&] {
    cr_assert(send_int(*channel, 1).ok());
    done = true;
  });
  while (channel->stats().send_waits == 0) std::this_thread::yield();
  std::thread greedy([&] {
    while (!done) cr_assert(send_int(*channel, 2).ok());
  });
  while (recv_int(*channel) != 1) {
  }
  done = true;
  for (Message rest; channel->recv_until(rest, Deadline::after_ns(20'000'000)).ok();) {
  }
  greedy.join();
  patient.join();
}

namespace {

/// Counts how many of its kind there are.
struct Counted final : Shared {
  explicit Counted(int &its_alive) : alive(its_alive) { ++alive; }
  ~Counted() override { --alive; }
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kChannel; }
  int &alive;
};

}  // namespace

Test(channel, what_is_left_in_a_channel_ends_with_it, .timeout = kLimit) {
  for (const std::size_t capacity : {std::size_t{3}, std::size_t{64}, Channel::kUnbounded}) {
    int alive = 0;
    auto channel = create(capacity);
    for (int i = 0; i < 3; ++i) {
      Message message = Message::from_shared(make_ref<Counted>(alive));
      cr_assert(channel->try_send(message).ok());
    }
    cr_assert_eq(alive, 3);
    channel = {};
    cr_assert_eq(alive, 0, "%d are left", alive);
  }
}

Test(channel, a_channel_in_a_message_lives_as_long_as_it, .timeout = kLimit) {
  auto inner = create(1);
  const auto outer = create(1);
  Message message = Message::from_shared(inner);
  cr_assert(outer->try_send(message).ok());
  Channel *const raw = inner.get();
  inner = {};
  cr_assert(send_int(*raw, 3).ok(), "the message in flight owns it");
}
