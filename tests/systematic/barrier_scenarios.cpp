// SPDX-License-Identifier: MIT
// Barrier: all parties of a round have the same outcome, whatever ends it.
#include <array>

#include "interrupt_fixture.hpp"
#include "lock/barrier.hpp"
#include "lock/parker.hpp"
#include "simulator.hpp"

using namespace interlock;
using interlock::systematic::add_interrupter;
using interlock::systematic::expect;
using interlock::systematic::Run;

namespace {

Code arrive(Barrier &barrier, Deadline deadline = Deadline::never()) {
  std::uint32_t index = 0;
  return barrier.wait_until(deadline, index).code();
}

/// Nobody leaves a round before all have come to it.
SCENARIO(barrier_of_three_round_by_round, kNever, 2) {
  constexpr std::uint32_t kRounds = 2;
  Barrier barrier(3);
  std::uint32_t came = 0;
  std::uint32_t indexes = 0;
  for (int i = 0; i < 3; ++i) {
    run.thread([&] {
      for (std::uint32_t round = 1; round <= kRounds; ++round) {
        ++came;
        std::uint32_t index = 0;
        expect(barrier.wait_until(Deadline::never(), index).ok(), "the round is passed");
        expect(came >= 3 * round, "all have come");
        indexes += index;
      }
    });
  }
  run.go();
  expect(indexes == kRounds * (0 + 1 + 2), "each has its own number in a round");
  expect(barrier.waiting() == 0 && !barrier.broken(), "the last round is over");
}

/// Two rounds at once: who comes early to the second does not end up in the first.
SCENARIO(barrier_of_two_among_four, kNever, 2) {
  Barrier barrier(2);
  for (int i = 0; i < 4; ++i)
    run.thread([&] { expect(arrive(barrier) == Code::kOk, "all find a partner"); });
  run.go();
  expect(barrier.waiting() == 0, "nobody is left over");
}

SCENARIO(barrier_abort_ends_waits, kNever, 3) {
  Barrier barrier(3);
  for (int i = 0; i < 2; ++i)
    run.thread([&] { expect(arrive(barrier) == Code::kEBROKEN, "abort ends the wait"); });
  run.thread([&] { barrier.abort(); });
  run.go();
  expect(barrier.broken() && barrier.waiting() == 0, "it is broken");
}

SCENARIO(barrier_reset_ends_waits, kNever, 3) {
  Barrier barrier(3);
  int ended = 0;
  for (int i = 0; i < 2; ++i) {
    run.thread([&] {
      expect(arrive(barrier) == Code::kEBROKEN, "reset ends the wait");
      ++ended;
    });
  }
  run.thread([&] {
    // One that comes before the waits ends none of them.
    for (; ended != 2; run.pause()) barrier.reset();
  });
  run.go();
  expect(!barrier.broken() && barrier.waiting() == 0, "it is as new");
}

SCENARIO(barrier_is_aborted_at_any_time, kNever, 3) {
  Barrier barrier(2);
  std::array<Code, 2> codes{};
  for (std::size_t i = 0; i < 2; ++i) run.thread([&, i] { codes[i] = arrive(barrier); });
  run.thread([&] { barrier.abort(); });
  run.go();
  expect(codes[0] == codes[1], "both pass, or both find it broken");
  expect(codes[0] == Code::kOk || codes[0] == Code::kEBROKEN, "nothing else ends a wait");
  expect(barrier.broken(), "it stays broken");
}

/// Whoever is sent away comes again, until a round is passed.
SCENARIO(barrier_is_reset_at_any_time, kNever, 2) {
  Barrier barrier(2);
  for (int i = 0; i < 2; ++i) {
    run.thread([&] {
      Code code;
      while ((code = arrive(barrier)) == Code::kEBROKEN) run.pause();
      expect(code == Code::kOk, "the round is passed");
    });
  }
  run.thread([&] {
    barrier.abort();
    barrier.reset();
  });
  run.go();
  expect(!barrier.broken() && barrier.waiting() == 0, "it is as new");
}

/// Of two parties the second may give up: either both pass, or it breaks the barrier for the first.
void give_up(Run &run, bool interrupts) {
  Barrier barrier(2);
  Atomic<Parker *> parker{nullptr};
  Code patient{};
  Code other{};
  bool keeps_interrupt = false;
  run.thread([&] { patient = arrive(barrier); });
  run.thread([&] {
    parker = &Parker::current();
    other = arrive(barrier, interrupts ? Deadline::never() : Deadline::after_ns(30'000));
    if (!interrupts || other == Code::kEINTERRUPTED) return;
    while (Parker::current().park_until(Deadline::never()) == WaitResult::kWoken) continue;
    keeps_interrupt = true;
  });
  if (interrupts) add_interrupter(run, parker);
  run.go();
  const bool passed = patient == Code::kOk;
  expect(passed || patient == Code::kEBROKEN, "who waits passes, or finds it broken");
  const Code given_up = interrupts ? Code::kEINTERRUPTED : Code::kETIMEDOUT;
  expect(other == (passed ? Code::kOk : given_up), "who gives up breaks the barrier, or passes");
  expect(barrier.broken() == !passed, "it is broken if nobody passed");
  expect(!interrupts || passed == keeps_interrupt, "who passes keeps the interrupt for later");
}

SCENARIO(barrier_breaks_by_a_timeout, kAnyTime, 3) { give_up(run, false); }
SCENARIO(barrier_breaks_by_an_interrupt, kAnyTime, 3) { give_up(run, true); }

/// Three parties, so that somebody else is left whom the one that gives up must tell.
SCENARIO(barrier_of_three_breaks_by_a_timeout, kAnyTime, 2) {
  Barrier barrier(3);
  std::array<Code, 3> codes{};
  for (std::size_t i = 0; i < 3; ++i) {
    run.thread([&, i] {
      codes[i] = arrive(barrier, i == 0 ? Deadline::after_ns(30'000) : Deadline::never());
    });
  }
  run.go();
  const bool passed = codes[0] == Code::kOk;
  for (const Code code : {codes[1], codes[2]})
    expect(code == (passed ? Code::kOk : Code::kEBROKEN), "all pass, or nobody");
  expect(passed || codes[0] == Code::kETIMEDOUT, "only its own deadline ends the first one's wait");
  expect(barrier.broken() == !passed, "it is broken if nobody passed");
}

}  // namespace
