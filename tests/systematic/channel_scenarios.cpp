// SPDX-License-Identifier: MIT
// Channels of every kind. Waits have no deadline unless a scenario is about deadlines, so that each
// lost wake-up ends in a standstill.
#include "channel/channel.hpp"
#include "channel_fixture.hpp"
#include "interrupt_fixture.hpp"
#include "lock/parker.hpp"

using namespace interlock;
using interlock::systematic::add_interrupter;
using interlock::systematic::expect;
using interlock::systematic::RecordedChannel;
using interlock::systematic::Run;
using Kind = interlock::test::Operation::Kind;

namespace {

/// Senders and receivers of one message or more each; as many are received as sent.
void pass_messages(Run &run, std::size_t capacity, std::vector<int> sends, std::vector<int> recvs) {
  RecordedChannel channel(run, capacity, static_cast<int>(sends.size() + recvs.size()));
  int thread = 0;
  for (const int count : sends) {
    run.thread([&, thread, count] {
      for (int i = 0; i < count; ++i)
        expect(channel.send(thread, 100 * thread + i) == Code::kOk, "it is sent");
    });
    ++thread;
  }
  for (const int count : recvs) {
    run.thread([&, thread, count] {
      for (int i = 0; i < count; ++i) expect(channel.recv(thread) == Code::kOk, "it is received");
    });
    ++thread;
  }
  run.go();
  channel.check();
  expect(channel.channel().size() == 0, "all was received");
}

SCENARIO(ring_of_one_from_one_to_one, kWhenIdle, 3) { pass_messages(run, 1, {3}, {3}); }
SCENARIO(ring_of_one_among_four, kWhenIdle, 2) { pass_messages(run, 1, {1, 2}, {2, 1}); }
SCENARIO(ring_of_one_to_two, kWhenIdle, 2) { pass_messages(run, 1, {2}, {1, 1}); }
SCENARIO(ring_of_two_among_four, kWhenIdle, 2) { pass_messages(run, 2, {2, 2}, {2, 2}); }
SCENARIO(ring_of_three_from_three, kWhenIdle, 2) { pass_messages(run, 3, {2, 2, 2}, {6}); }
SCENARIO(rendezvous_from_one_to_one, kWhenIdle, 3) { pass_messages(run, 0, {2}, {2}); }
SCENARIO(rendezvous_among_four, kWhenIdle, 2) { pass_messages(run, 0, {2, 1}, {1, 2}); }
SCENARIO(chain_from_one_to_one, kWhenIdle, 3) { pass_messages(run, SIZE_MAX, {3}, {3}); }
SCENARIO(chain_among_four, kWhenIdle, 2) { pass_messages(run, SIZE_MAX, {2, 2}, {3, 1}); }

/// Three are enough for a block of 63 to end.
SCENARIO(chain_across_blocks, kWhenIdle, 2) {
  RecordedChannel channel(run, SIZE_MAX, 3);
  for (std::int64_t i = 0; i < 62; ++i) expect(channel.send(0, i) == Code::kOk, "it is sent");
  for (std::int64_t i = 0; i < 61; ++i) expect(channel.recv(0) == Code::kOk, "it is received");
  run.thread([&] {
    for (std::int64_t i = 62; i < 66; ++i) expect(channel.send(0, i) == Code::kOk, "it is sent");
  });
  for (int thread = 1; thread <= 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < (thread == 1 ? 3 : 2); ++i)
        expect(channel.recv(thread) == Code::kOk, "it is received");
    });
  }
  run.go();
  channel.check();
}

void pass_batches(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 4);
  run.thread([&] { expect(channel.send_many(0, 10, 3) == Code::kOk, "all are sent"); });
  run.thread([&] { expect(channel.send_many(1, 20, 2) == Code::kOk, "all are sent"); });
  Atomic<std::uint32_t> left{5};
  for (int thread = 2; thread <= 3; ++thread) {
    run.thread([&, thread] {
      // Each takes a message that it may count on.
      for (;;) {
        std::uint32_t before = left.load();
        if (before == 0) return;
        if (!left.compare_exchange_strong(before, before - 1)) continue;
        std::size_t count = channel.recv_many(thread, 1);
        expect(count == 1, "one is there, or comes");
      }
    });
  }
  run.go();
  channel.check();
}

SCENARIO(ring_of_two_in_batches, kWhenIdle, 2) { pass_batches(run, 2); }
SCENARIO(ring_of_three_in_batches, kWhenIdle, 2) { pass_batches(run, 3); }
SCENARIO(rendezvous_in_batches, kWhenIdle, 2) { pass_batches(run, 0); }

/// One receiver takes what comes, many at a time, until the channel is closed and drained.
void drain_after_close(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 4);
  Atomic<std::uint32_t> senders{2};
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      (void)channel.send_many(thread, 100 * thread, 2);
      if (senders.fetch_sub(1) == 1) channel.channel().close();
    });
  }
  for (int thread = 2; thread < 4; ++thread) {
    run.thread([&, thread] {
      while (channel.recv_many(thread, 2) != 0) continue;
      expect(channel.recv(thread) == Code::kECLOSED, "closed and drained stays so");
    });
  }
  run.go();
  channel.check();
  expect(channel.count(Kind::kReceive) == 4, "all that was sent was received");
}

SCENARIO(ring_of_one_is_drained_after_close, kWhenIdle, 2) { drain_after_close(run, 1); }
SCENARIO(ring_of_three_is_drained_after_close, kWhenIdle, 2) { drain_after_close(run, 3); }
SCENARIO(rendezvous_is_drained_after_close, kWhenIdle, 2) { drain_after_close(run, 0); }
SCENARIO(chain_is_drained_after_close, kWhenIdle, 2) { drain_after_close(run, SIZE_MAX); }

/// Close meets senders and receivers in the middle of it.
void close_at_any_time(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 4);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) {
        if (channel.send(thread, 100 * thread + i) == Code::kECLOSED) return;
      }
    });
  }
  run.thread([&] {
    while (channel.recv(2) == Code::kOk) continue;
  });
  run.thread([&] { channel.channel().close(); });
  run.go();
  channel.check();
}

SCENARIO(ring_of_one_is_closed_at_any_time, kWhenIdle, 2) { close_at_any_time(run, 1); }
SCENARIO(rendezvous_is_closed_at_any_time, kWhenIdle, 2) { close_at_any_time(run, 0); }
SCENARIO(chain_is_closed_at_any_time, kWhenIdle, 2) { close_at_any_time(run, SIZE_MAX); }

/// Nothing but close ends these waits.
void close_ends_waits(Run &run, std::size_t capacity, bool sending) {
  RecordedChannel channel(run, capacity, 3);
  for (std::size_t i = 0; sending && i < capacity; ++i)
    expect(channel.send(2, static_cast<std::int64_t>(i)) == Code::kOk, "there is room");
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      const Code code = sending ? channel.send(thread, 100 + thread) : channel.recv(thread);
      expect(code == Code::kECLOSED, "close ends the wait");
    });
  }
  run.thread([&] { channel.channel().close(); });
  run.go();
  channel.check(!sending);
}

SCENARIO(close_ends_sends_to_a_ring, kWhenIdle, 3) { close_ends_waits(run, 1, true); }
SCENARIO(close_ends_receives_from_a_ring, kWhenIdle, 3) { close_ends_waits(run, 1, false); }
SCENARIO(close_ends_receives_from_a_chain, kWhenIdle, 3) { close_ends_waits(run, SIZE_MAX, false); }
SCENARIO(close_ends_sends_to_a_rendezvous, kWhenIdle, 3) { close_ends_waits(run, 0, true); }
SCENARIO(close_ends_receives_from_a_rendezvous, kWhenIdle, 3) { close_ends_waits(run, 0, false); }

/// Two receivers, one of which gives up at its deadline or by an interrupt; whichever way, the
/// messages reach the other.
void give_up_receiving(Run &run, std::size_t capacity, bool interrupts) {
  RecordedChannel channel(run, capacity, 4);
  Atomic<Parker *> parker{nullptr};
  run.thread([&] { expect(channel.send(0, 1) == Code::kOk, "it is sent"); });
  run.thread([&] {
    parker = &Parker::current();
    const Deadline deadline = interrupts ? Deadline::never() : Deadline::after_ns(30'000);
    const Code code = channel.recv(1, deadline);
    if (code == Code::kOk) {
      // It took the other's message: here is another one.
      Code again;
      while ((again = channel.send(1, 2)) == Code::kEINTERRUPTED) continue;
      expect(again == Code::kOk, "it is sent");
    } else {
      expect(code == (interrupts ? Code::kEINTERRUPTED : Code::kETIMEDOUT), "it gave up");
    }
  });
  run.thread([&] { expect(channel.recv(2) == Code::kOk, "it is received"); });
  if (interrupts) add_interrupter(run, parker);
  run.go();
  channel.check();
}

SCENARIO(a_receiver_of_a_ring_times_out, kAnyTime, 3) { give_up_receiving(run, 1, false); }
SCENARIO(a_receiver_of_a_rendezvous_times_out, kAnyTime, 3) { give_up_receiving(run, 0, false); }
SCENARIO(a_receiver_of_a_chain_times_out, kAnyTime, 3) { give_up_receiving(run, SIZE_MAX, false); }
SCENARIO(a_receiver_of_a_ring_is_interrupted, kAnyTime, 2) { give_up_receiving(run, 1, true); }
SCENARIO(a_receiver_of_a_rendezvous_is_interrupted, kAnyTime, 2) {
  give_up_receiving(run, 0, true);
}

/// Of two senders who wait for room one gives up; the other gets it.
void give_up_sending(Run &run, std::size_t capacity) {
  RecordedChannel channel(run, capacity, 3);
  for (std::size_t i = 0; i < capacity; ++i)
    expect(channel.send(2, 200 + static_cast<std::int64_t>(i)) == Code::kOk, "there is room");
  bool gave_up = false;
  run.thread([&] { gave_up = channel.send(0, 1, Deadline::after_ns(30'000)) != Code::kOk; });
  run.thread([&] { expect(channel.send(1, 2) == Code::kOk, "it is sent"); });
  run.thread([&] {
    // Room for one; then, if the first got it, for the other.
    for (std::size_t i = 0; i < capacity + 1; ++i)
      expect(channel.recv(2) == Code::kOk, "it is received");
    while (channel.channel().size() != 0 ||
           channel.count(Kind::kSend) > channel.count(Kind::kReceive))
      expect(channel.recv(2) == Code::kOk, "it is received");
  });
  run.go();
  while (channel.try_recv(2) == Code::kOk) continue;
  channel.check();
  expect(channel.count(Kind::kSend) == capacity + (gave_up ? 1 : 2),
         "what was not given up is sent");
}

SCENARIO(a_sender_to_a_ring_times_out, kAnyTime, 3) { give_up_sending(run, 1); }
SCENARIO(a_sender_to_a_wider_ring_times_out, kAnyTime, 2) { give_up_sending(run, 2); }

/// Overtaken waiters: with slow threads patience ends, and newcomers queue up.
SCENARIO(starving_receivers_of_a_ring, kWhenIdle, 2) { pass_messages(run, 2, {4}, {1, 1, 2}); }
SCENARIO(starving_senders_to_a_ring, kWhenIdle, 2) { pass_messages(run, 1, {1, 2, 2}, {5}); }
SCENARIO(starving_receivers_with_deadlines, kAnyTime, 2) {
  RecordedChannel channel(run, 1, 4);
  Atomic<std::uint32_t> taken{0};
  run.thread([&] {
    for (int i = 0; i < 3; ++i) expect(channel.send(0, i) == Code::kOk, "it is sent");
  });
  for (int thread = 1; thread <= 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) {
        if (channel.recv(thread, Deadline::after_ns(3'000'000)) == Code::kOk) ++taken;
      }
    });
  }
  run.thread([&] {
    // Takes what the others leave.
    while (taken.load() < 3) {
      if (channel.recv(3, Deadline::after_ns(5'000'000)) == Code::kOk) ++taken;
    }
  });
  run.go();
  channel.check();
}

/// try_ operations tell the truth about full and empty.
SCENARIO(a_ring_that_is_tried, kWhenIdle, 3) {
  RecordedChannel channel(run, 1, 4);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) (void)channel.try_send(thread, 100 * thread + i);
    });
  }
  for (int thread = 2; thread < 4; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) (void)channel.try_recv(thread);
    });
  }
  run.go();
  while (channel.try_recv(0) == Code::kOk) continue;
  channel.check();
}

SCENARIO(a_chain_that_is_tried, kWhenIdle, 3) {
  RecordedChannel channel(run, SIZE_MAX, 4);
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) (void)channel.try_send(thread, 100 * thread + i);
    });
  }
  for (int thread = 2; thread < 4; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) (void)channel.try_recv(thread);
    });
  }
  run.go();
  while (channel.try_recv(0) == Code::kOk) continue;
  channel.check();
}

/// The oldest are dropped and counted; what is received keeps its order.
SCENARIO(a_ring_that_drops_the_oldest, kWhenIdle, 2) {
  RecordedChannel channel(run, 1, 3, Channel::Policy::kDropOldest);
  std::vector<std::int64_t> received;
  for (int thread = 0; thread < 2; ++thread) {
    run.thread([&, thread] {
      for (int i = 0; i < 2; ++i) {
        Message message = Message::from_int64(100 * thread + i);
        expect(channel.channel().try_send(message).ok(), "there is always room");
      }
    });
  }
  const auto drain = [&] {
    Message message;
    while (channel.channel().try_recv(message).ok())
      received.push_back(RecordedChannel::value_of(message));
  };
  run.thread(drain);
  run.go();
  drain();
  const Channel::Stats stats = channel.channel().stats();
  expect(
      stats.sent == 4 && stats.received + stats.dropped == 4 && stats.received == received.size(),
      "each was received or dropped");
  for (int thread = 0; thread < 2; ++thread) {
    std::int64_t last = -1;
    for (const std::int64_t value : received) {
      if (value / 100 != thread) continue;
      expect(value > last, "a sender's messages keep their order");
      last = value;
    }
  }
}

}  // namespace
