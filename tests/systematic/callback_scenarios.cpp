// SPDX-License-Identifier: MIT
// Event loops that are told by calls. The loop of a scenario sleeps on its simulated doorbell.
#include <memory>
#include <utility>
#include <vector>

#include "channel/loop.hpp"
#include "channel_fixture.hpp"

using namespace interlock;
using interlock::systematic::expect;
using interlock::systematic::RecordedChannel;
using interlock::systematic::Run;
using Kind = interlock::test::Operation::Kind;

namespace {

constexpr auto kSend = Channel::Direction::kSend;
constexpr auto kReceive = Channel::Direction::kReceive;

/// The loop of one thread, with what it has started.
class LoopThread {
 public:
  /// `first_log`: of its first operation; operations at the same time have no order.
  LoopThread(Run &run, int first_log)
      : run_(run), next_log_(first_log), loop_(Loop::create().value()) {}

  std::uint64_t start(RecordedChannel &channel, Channel::Direction direction,
                      std::int64_t value = 0) {
    std::unique_ptr<Loop::Operation> operation =
        std::make_unique<Recorded>(*this, channel, direction, value, next_log_++);
    std::uint64_t id = 0;
    expect(loop_->start(Ref<Channel>(&channel.channel()), direction, operation, id).ok(),
           "it is started");
    ++pending_;
    return id;
  }
  void dispatch() { expect(loop_->dispatch().ok(), "the thread's own loop"); }
  /// Until none is pending.
  void run() {
    auto &rung = *reinterpret_cast<Atomic<std::uint32_t> *>(loop_->descriptor());
    while (pending_ != 0) {
      while (rung.load() == 0) (void)wait_on_address(rung, 0, Deadline::never());
      dispatch();
    }
  }
  /// Whether it was not over.
  bool cancel(std::uint64_t id) {
    Message unsent;
    const bool cancelled = loop_->cancel(id, unsent).ok();
    if (cancelled) --pending_;
    return cancelled;
  }
  void end() { expect(loop_->end().ok(), "the thread's own loop"); }
  [[nodiscard]] int pending() const noexcept { return pending_; }

 private:
  class Recorded final : public Loop::Operation {
   public:
    Recorded(LoopThread &loop, RecordedChannel &channel, Channel::Direction direction,
             std::int64_t value, int log)
        : loop_(loop), channel_(channel), value_(value), log_(log), begin_(loop.run_.stamp()) {
      if (direction == kSend) message = Message::from_int64(value);
      sends_ = direction == kSend;
    }
    void complete(Code code) noexcept override {
      --loop_.pending_;
      if (code != Code::kOk) return;
      const std::int64_t value = sends_ ? value_ : RecordedChannel::value_of(message);
      channel_.note_select(log_, sends_ ? Kind::kSend : Kind::kReceive, value, begin_);
    }

   private:
    LoopThread &loop_;
    RecordedChannel &channel_;
    const std::int64_t value_;
    const int log_;
    const std::int64_t begin_;
    bool sends_ = false;
  };

  Run &run_;
  int next_log_;
  const Ref<Loop> loop_;
  int pending_ = 0;
};

/// Two receives are behind each other, one stands at another channel.
void receive_by_callbacks(Run &run, std::size_t capacity) {
  RecordedChannel a(run, capacity, 6);
  RecordedChannel b(run, capacity, 6);
  run.thread([&] {
    LoopThread loop(run, 3);
    for (RecordedChannel *each : {&a, &b, &a}) (void)loop.start(*each, kReceive);
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

SCENARIO(callbacks_receive_from_rings, kWhenIdle, 2) { receive_by_callbacks(run, 1); }
SCENARIO(callbacks_receive_from_rendezvous, kWhenIdle, 2) { receive_by_callbacks(run, 0); }
SCENARIO(callbacks_receive_from_chains, kWhenIdle, 2) { receive_by_callbacks(run, SIZE_MAX); }

/// Two senders and a receiver that blocks: their cells are met in the middle.
SCENARIO(callbacks_share_a_ring_with_a_thread, kWhenIdle, 2) {
  RecordedChannel channel(run, 2, 6);
  run.thread([&] {
    LoopThread loop(run, 4);
    for (int i = 0; i < 2; ++i) (void)loop.start(channel, kReceive);
    loop.run();
  });
  for (int thread = 1; thread <= 2; ++thread) {
    run.thread([&, thread] {
      expect(channel.send(thread, thread) == Code::kOk, "it is sent");
      if (thread == 2) expect(channel.send(thread, 3) == Code::kOk, "it is sent");
    });
  }
  run.thread([&] { expect(channel.recv(3) == Code::kOk, "it is received"); });
  run.go();
  channel.check();
}

void send_by_callbacks(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 6);
  run.thread([&] {
    LoopThread loop(run, 3);
    for (std::int64_t i = 0; i < 3; ++i) (void)loop.start(channel, kSend, i);
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

SCENARIO(callbacks_send_to_a_ring, kWhenIdle, 2) { send_by_callbacks(run, 1); }
SCENARIO(callbacks_send_to_a_rendezvous, kWhenIdle, 2) { send_by_callbacks(run, 0); }

/// The first sender gives up, unless it is too late: then the second one needs another receiver.
SCENARIO(callbacks_give_a_rendezvous_up, kWhenIdle, 3) {
  RecordedChannel channel(run, 0, 6);
  run.thread([&] {
    LoopThread loop(run, 2);
    const std::uint64_t first = loop.start(channel, kSend, 1);
    (void)loop.start(channel, kSend, 2);
    run.pause();
    loop.dispatch();
    if (!loop.cancel(first)) (void)loop.start(channel, kReceive);
    loop.run();
  });
  run.thread([&] { expect(channel.recv(1) == Code::kOk, "it is received"); });
  run.go();
  channel.check();
}

/// The loop ends while others ring for it: it loses nothing and keeps no wake-up.
void end_of_a_loop(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 6);
  run.thread([&] {
    LoopThread loop(run, 3);
    for (int i = 0; i < 2; ++i) (void)loop.start(channel, kReceive);
    loop.dispatch();
    run.pause();
    const int received = 2 - loop.pending();
    loop.end();
    for (int i = 0; i < received; ++i) expect(channel.send(0, 10 + i) == Code::kOk, "another one");
  });
  run.thread([&] { expect(channel.send(1, 1) == Code::kOk, "it is sent"); });
  run.thread([&] { expect(channel.recv(2) == Code::kOk, "it is received"); });
  run.go();
  channel.check();
}

SCENARIO(callbacks_end_at_a_ring, kWhenIdle, 3) { end_of_a_loop(run, 1); }
SCENARIO(callbacks_end_at_a_rendezvous, kWhenIdle, 3) { end_of_a_loop(run, 0); }

}  // namespace
