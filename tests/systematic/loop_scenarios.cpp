// SPDX-License-Identifier: MIT
// Channels for event loops. The loop of a scenario sleeps on its simulated doorbell.
#include <algorithm>
#include <memory>
#include <utility>

#include "channel/loop_bell.hpp"
#include "channel_fixture.hpp"

using namespace interlock;
using interlock::systematic::expect;
using interlock::systematic::RecordedChannel;
using interlock::systematic::Run;
using Kind = interlock::test::Operation::Kind;

namespace {

/// The operations of one thread's loop.
class Loop {
 public:
  /// `thread`: of the first operation in the logs; operations at the same time have no order.
  Loop(Run &run, int thread) : run_(run), thread_(thread), bell_(LoopBell::create(false).value()) {}

  Ref<LoopWaiter> start(RecordedChannel &channel, Channel::Direction direction,
                        std::int64_t value = 0) {
    Message message =
        direction == Channel::Direction::kSend ? Message::from_int64(value) : Message();
    operations_.push_back(std::make_unique<Operation>(
        channel, direction, value, thread_ + static_cast<int>(operations_.size()), run_.stamp()));
    auto waiter = make_ref<LoopWaiter>(bell_, Ref<Channel>(&channel.channel()), direction,
                                       std::move(message));
    waiter->owner = operations_.back().get();
    ++pending_;
    go_on(*waiter, waiter->start());
    return waiter;
  }
  /// Until none is pending.
  void run() {
    auto &rung = *reinterpret_cast<Atomic<std::uint32_t> *>(bell_->descriptor());
    while (pending_ != 0) {
      while (rung.load() == 0) (void)wait_on_address(rung, 0, Deadline::never());
      for (const Ref<LoopWaiter> &each : bell_->take()) {
        // One that was chosen while it found another way is there, too.
        if (!static_cast<Operation *>(each->owner)->ended) go_on(*each, each->resume());
      }
    }
  }
  void cancel(LoopWaiter &waiter) {
    auto &operation = *static_cast<Operation *>(waiter.owner);
    if (std::exchange(operation.ended, true)) return;
    waiter.cancel();
    --pending_;
  }
  [[nodiscard]] bool is_pending() const noexcept { return pending_ != 0; }
  [[nodiscard]] int pending() const noexcept { return pending_; }

 private:
  struct Operation {
    Operation(RecordedChannel &its_channel, Channel::Direction its_direction,
              std::int64_t its_value, int its_thread, std::int64_t its_begin)
        : channel(its_channel),
          direction(its_direction),
          value(its_value),
          thread(its_thread),
          begin(its_begin) {}
    RecordedChannel &channel;
    const Channel::Direction direction;
    const std::int64_t value;
    const int thread;
    const std::int64_t begin;
    bool ended = false;
  };

  void go_on(LoopWaiter &waiter, Step step) {
    auto &operation = *static_cast<Operation *>(waiter.owner);
    for (; step == Step::kBusy; step = waiter.start()) run_.pause();
    if (step == Step::kBlocked) return;
    operation.ended = true;
    --pending_;
    if (waiter.outcome() != Attempt::kDone) return;
    if (operation.direction == Channel::Direction::kSend) {
      operation.channel.note_select(operation.thread, Kind::kSend, operation.value,
                                    operation.begin);
    } else {
      operation.channel.note_select(operation.thread, Kind::kReceive,
                                    RecordedChannel::value_of(waiter.message()), operation.begin);
    }
  }

  Run &run_;
  const int thread_;
  const Ref<LoopBell> bell_;
  std::vector<std::unique_ptr<Operation>> operations_;
  int pending_ = 0;
};

/// A loop receives from two channels at the same time, twice from the first.
void receive_in_loop(Run &run, std::size_t capacity) {
  RecordedChannel a(run, capacity, 6);
  RecordedChannel b(run, capacity, 6);
  run.thread([&] {
    Loop loop(run, 3);
    std::vector<Ref<LoopWaiter>> waiters;
    for (RecordedChannel *each : {&a, &b, &a})
      waiters.push_back(loop.start(*each, Channel::Direction::kReceive));
    loop.run();
  });
  run.thread([&] {
    for (int i = 0; i < 2; ++i) expect(a.send(1, i) == Code::kOk, "it is sent");
  });
  run.thread([&] { expect(b.send(2, 100) == Code::kOk, "it is sent"); });
  run.go();
  a.check();
  b.check();
}

SCENARIO(a_loop_receives_from_rings, kWhenIdle, 2) { receive_in_loop(run, 1); }
SCENARIO(a_loop_receives_from_rendezvous, kWhenIdle, 2) { receive_in_loop(run, 0); }
SCENARIO(a_loop_receives_from_chains, kWhenIdle, 2) { receive_in_loop(run, SIZE_MAX); }

/// A loop sends more than there is room for.
void send_in_loop(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 6);
  run.thread([&] {
    Loop loop(run, 3);
    std::vector<Ref<LoopWaiter>> waiters;
    for (std::int64_t i = 0; i < 3; ++i)
      waiters.push_back(loop.start(channel, Channel::Direction::kSend, i));
    loop.run();
  });
  for (int thread = 1; thread <= 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < thread; ++i) expect(channel.recv(thread) == Code::kOk, "it is received");
    });
  }
  run.go();
  channel.check();
}

SCENARIO(a_loop_sends_to_a_ring, kWhenIdle, 2) { send_in_loop(run, 1); }
SCENARIO(a_loop_sends_to_a_rendezvous, kWhenIdle, 2) { send_in_loop(run, 0); }

/// A loop that gives up loses nothing and keeps no wake-up: the receiver beside it gets the
/// message.
void cancel_in_loop(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 4);
  run.thread([&] {
    Loop loop(run, 3);
    const Ref<LoopWaiter> waiter = loop.start(channel, Channel::Direction::kReceive);
    run.pause();
    run.pause();
    const bool received = !loop.is_pending();
    loop.cancel(*waiter);
    if (received) expect(channel.send(0, 2) == Code::kOk, "here is another one");
  });
  run.thread([&] { expect(channel.send(1, 1) == Code::kOk, "it is sent"); });
  run.thread([&] { expect(channel.recv(2) == Code::kOk, "it is received"); });
  run.go();
  channel.check();
}

SCENARIO(a_loop_gives_up_at_a_ring, kWhenIdle, 3) { cancel_in_loop(run, 1); }
SCENARIO(a_loop_gives_up_at_a_rendezvous, kWhenIdle, 3) { cancel_in_loop(run, 0); }

/// The first in line gives up; nobody but the second, of the same loop, can take its place.
void cancel_before_another(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 6);
  run.thread([&] {
    Loop loop(run, 3);
    const Ref<LoopWaiter> first = loop.start(channel, Channel::Direction::kReceive);
    const Ref<LoopWaiter> second = loop.start(channel, Channel::Direction::kReceive);
    run.pause();
    run.pause();
    const bool one_received = loop.pending() == 1;
    loop.cancel(*first);
    if (one_received && loop.is_pending())
      expect(channel.send(0, 2) == Code::kOk, "here is another one");
    loop.run();
  });
  run.thread([&] { expect(channel.send(1, 1) == Code::kOk, "it is sent"); });
  run.go();
  channel.check();
}

SCENARIO(a_loop_gives_up_before_another, kWhenIdle, 2) { cancel_before_another(run, 1); }

}  // namespace
