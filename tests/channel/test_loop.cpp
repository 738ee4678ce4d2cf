// SPDX-License-Identifier: MIT
#include <thread>
#include <vector>

#include "channel/loop.hpp"
#include "channels.hpp"

using namespace interlock;

namespace {

constexpr auto kSend = Channel::Direction::kSend;
constexpr auto kReceive = Channel::Direction::kReceive;

struct Received {
  std::vector<std::int64_t> numbers;
  bool is_closed = false;
};

/// Receives one after the other until the channel is closed.
class Receiver final : public Loop::Operation {
 public:
  Receiver(Loop &loop, Ref<Channel> channel, Received &received) noexcept
      : loop_(loop), channel_(std::move(channel)), received_(received) {}

  static void start(Loop &loop, const Ref<Channel> &channel, Received &received) {
    std::uint64_t id = 0;
    std::unique_ptr<Operation> operation = std::make_unique<Receiver>(loop, channel, received);
    cr_assert(loop.start(channel, kReceive, operation, id).ok());
  }
  void complete(Code code) noexcept override {
    if (code != Code::kOk) {
      received_.is_closed = true;
      return;
    }
    received_.numbers.push_back(*message.as_int64());
    start(loop_, channel_, received_);
  }

 private:
  Loop &loop_;
  const Ref<Channel> channel_;
  Received &received_;
};

class Sender final : public Loop::Operation {
 public:
  explicit Sender(int &sent) noexcept : sent_(sent) {}

  static std::uint64_t start(Loop &loop, const Ref<Channel> &channel, std::int64_t number,
                             int &sent) {
    std::uint64_t id = 0;
    std::unique_ptr<Operation> operation = std::make_unique<Sender>(sent);
    operation->message = Message::from_int64(number);
    cr_assert(loop.start(channel, kSend, operation, id).ok());
    return id;
  }
  void complete(Code code) noexcept override {
    cr_assert(code == Code::kOk);
    ++sent_;
  }

 private:
  int &sent_;
};

Ref<Loop> create_loop() {
  auto loop = Loop::create();
  cr_assert(loop.ok());
  return loop.value();
}

}  // namespace

Test(loop, receives_from_threads_in_order, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    const auto loop = create_loop();
    Received received;
    std::thread sender([&] {
      for (int i = 0; i < 300; ++i) cr_assert(send_int(*channel, i).ok());
      channel->close();
    });
    for (int i = 0; i < 3; ++i) Receiver::start(*loop, channel, received);
    while (!received.is_closed) cr_assert(loop->dispatch().ok());
    sender.join();
    cr_assert_eq(received.numbers.size(), 300);
    for (int i = 0; i < 300; ++i) cr_assert_eq(received.numbers[static_cast<std::size_t>(i)], i);
  }
}

Test(loop, sends_to_threads_in_order, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    const auto loop = create_loop();
    int sent = 0;
    std::thread receiver([&] {
      for (int i = 0; i < 300; ++i) cr_assert_eq(recv_int(*channel), i);
    });
    for (int i = 0; i < 300; ++i) (void)Sender::start(*loop, channel, i, sent);
    while (sent != 300) cr_assert(loop->dispatch().ok());
    receiver.join();
  }
}

Test(loop, two_loops_of_two_threads_share_a_channel_and_cancel, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    const auto channel = create(capacity);
    Received received[2];
    std::vector<std::thread> threads;
    for (Received &each : received) {
      threads.emplace_back([&] {
        const auto loop = create_loop();
        Receiver::start(*loop, channel, each);
        while (!each.is_closed) cr_assert(loop->dispatch().ok());
      });
    }
    // Cancels every second one, as soon as it can: each is sent, or comes back.
    const auto loop = create_loop();
    int sent = 0;
    int cancelled = 0;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t id = Sender::start(*loop, channel, i, sent);
      cr_assert(loop->dispatch().ok());
      Message unsent;
      if (i % 2 == 1 && loop->cancel(id, unsent).ok()) {
        cr_assert_eq(*unsent.as_int64(), i);
        ++cancelled;
      }
    }
    while (sent + cancelled != 200) cr_assert(loop->dispatch().ok());
    channel->close();
    for (std::thread &thread : threads) thread.join();
    cr_assert_eq(received[0].numbers.size() + received[1].numbers.size(),
                 static_cast<std::size_t>(sent));
  }
}

Test(loop, threads_that_meet_in_a_loop_are_refused, .timeout = kLimit) {
  const auto loop = create_loop();
  const auto channel = create(2);
  Atomic<int> started{0};
  Atomic<int> cancelled{0};
  int sent = 0;  // what only who is in the loop touches
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        std::unique_ptr<Loop::Operation> operation = std::make_unique<Sender>(sent);
        operation->message = Message::from_int64(i);
        std::uint64_t id = 0;
        Status status = loop->start(channel, kSend, operation, id);
        cr_assert_eq(status.ok(), operation == nullptr, "it is owned only if it succeeds");
        if (status.ok()) ++started;
        status = loop->dispatch();
        cr_assert(status.ok() || status.code() == Code::kESTATE);
        Message unsent;
        if (i % 3 == 0 && id != 0 && loop->cancel(id, unsent).ok()) ++cancelled;
      }
    });
  }
  std::thread receiver([&] {
    Message message;
    while (channel->recv_until(message, Deadline::never()).ok()) {
    }
  });
  for (std::thread &thread : threads) thread.join();
  while (sent + cancelled != started) cr_assert(loop->dispatch().ok());
  channel->close();
  receiver.join();
}

Test(loop, ends_while_others_ring_for_it, .timeout = kLimit) {
  for (const std::size_t capacity : kEveryKind) {
    if (capacity == 0) continue;  // nobody might come to take the last ones
    const auto channel = create(capacity);
    Received taken;
    std::thread sender([&] {
      for (int i = 0; i < 200; ++i) cr_assert(send_int(*channel, i).ok());
      channel->close();
    });
    while (!taken.is_closed) {
      const auto loop = create_loop();
      Receiver::start(*loop, channel, taken);
      cr_assert(loop->dispatch().ok());
    }
    sender.join();
    cr_assert_eq(taken.numbers.size(), 200, "nothing got lost with a loop");
  }
}

Test(loop, a_policy_that_drops_does_not_wait, .timeout = kLimit) {
  const auto loop = create_loop();
  for (const auto policy : {Channel::Policy::kDropOldest, Channel::Policy::kDropNewest}) {
    const auto channel = create(1, policy);
    int sent = 0;
    for (int i = 0; i < 3; ++i) (void)Sender::start(*loop, channel, i, sent);
    while (sent != 3) cr_assert(loop->dispatch().ok());
    cr_assert_eq(recv_int(*channel), policy == Channel::Policy::kDropOldest ? 2 : 0);
  }
}
