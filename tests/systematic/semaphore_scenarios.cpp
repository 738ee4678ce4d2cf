// SPDX-License-Identifier: MIT
// Semaphore, and Lock, which is one permit: no permit is lost or doubled, and nobody sleeps while
// there is one.
#include "interrupt_fixture.hpp"
#include "lock/parker.hpp"
#include "lock/semaphore.hpp"
#include "simulator.hpp"

using namespace interlock;
using interlock::systematic::add_interrupter;
using interlock::systematic::expect;
using interlock::systematic::Run;

namespace {

bool acquire(Semaphore &semaphore) { return semaphore.acquire_until(Deadline::never()).ok(); }

void release(Semaphore &semaphore, std::uint64_t count = 1) {
  expect(semaphore.try_release(count), "it is below its limit");
}

/// Threads that acquire and release in turn, at most `permits` of them at a time.
void exclude(Run &run, Semaphore &semaphore, int threads, int rounds) {
  const auto permits = static_cast<int>(semaphore.limit());
  int inside = 0;
  int total = 0;
  for (int i = 0; i < threads; ++i) {
    run.thread([&] {
      for (int round = 0; round < rounds; ++round) {
        expect(acquire(semaphore), "nothing else ends this wait");
        expect(++inside <= permits, "no more threads than permits");
        run.step(false);
        --inside;
        ++total;
        release(semaphore);
      }
    });
  }
  run.go();
  expect(total == threads * rounds, "each thread had its turns");
  expect(semaphore.value() == semaphore.limit(), "all permits are back");
}

SCENARIO(lock_excludes, kNever, 2) {
  Lock lock;
  exclude(run, lock, 3, 2);
}
SCENARIO(semaphore_of_two_among_three, kNever, 2) {
  Semaphore semaphore(2, 2);
  exclude(run, semaphore, 3, 2);
}
SCENARIO(lock_that_is_tried, kNever, 3) {
  Lock lock;
  int inside = 0;
  for (int i = 0; i < 3; ++i) {
    run.thread([&, i] {
      const bool is_held = i == 0 ? acquire(lock) : lock.try_acquire();
      if (!is_held) return;
      expect(++inside == 1, "one thread holds a lock");
      run.step(false);
      --inside;
      release(lock);
    });
  }
  run.go();
  expect(!lock.locked() && lock.try_acquire(), "it is free");
  expect(!lock.try_acquire(), "it is not re-entrant");
  release(lock);
  expect(!lock.try_release(), "it is one permit at most");
}

/// Permits that come together, and from two threads, wake as many.
SCENARIO(semaphore_wakes_one_for_each_permit, kNever, 2) {
  Semaphore semaphore(0);
  for (int i = 0; i < 3; ++i)
    run.thread([&] { expect(acquire(semaphore), "there is a permit for each"); });
  run.thread([&] { release(semaphore, 2); });
  run.thread([&] { release(semaphore); });
  run.go();
  expect(semaphore.value() == 0, "all permits were taken");
}

/// One permit for two, of whom the first may give up, in the very moment in which it is chosen,
/// too: the other one gets it.
void give_up(Run &run, bool interrupts) {
  Semaphore semaphore(0);
  Atomic<Parker *> parker{nullptr};
  run.thread([&] {
    parker = &Parker::current();
    const Deadline deadline = interrupts ? Deadline::never() : Deadline::after_ns(30'000);
    const Code code = semaphore.acquire_until(deadline).code();
    if (code == Code::kOk) return release(semaphore);
    expect(code == (interrupts ? Code::kEINTERRUPTED : Code::kETIMEDOUT), "it gave up");
  });
  run.thread([&] { expect(acquire(semaphore), "the permit reaches who waits for it"); });
  run.thread([&] { release(semaphore); });
  if (interrupts) add_interrupter(run, parker);
  run.go();
  expect(semaphore.value() == 0, "the permit was taken once");
}

SCENARIO(semaphore_waits_time_out, kAnyTime, 3) { give_up(run, false); }
SCENARIO(semaphore_waits_are_interrupted, kAnyTime, 2) { give_up(run, true); }

/// The holder takes the lock again in front of the one that it has woken, whose patience has ended:
/// from then on neither attempts nor newcomers overtake that one, unless it gives up.
void starve(Run &run, bool gives_up) {
  constexpr int kStarving = 1;
  Lock lock;
  expect(lock.try_acquire(), "it is free");
  Atomic<std::uint32_t> may_come{0};
  bool was_robbed = false;
  bool was_served = false;
  bool has_ended = false;
  const auto wait_until_asleep = [&] {
    while (!run.is_asleep(kStarving) && !has_ended) run.pause();
  };
  run.thread([&] {
    wait_until_asleep();
    run.let_pass(2'000'000);
    release(lock);
    const bool has_it = lock.try_acquire();
    was_robbed = has_it && !was_served;
    if (was_robbed) wait_until_asleep();
    if (gives_up) run.let_pass(20'000'000);
    may_come = 1;
    if (has_it) release(lock);
    if (!lock.try_acquire()) return;
    expect(was_served || gives_up, "an attempt does not overtake who starves");
    release(lock);
  });
  run.thread([&] {
    const Deadline deadline = gives_up ? Deadline::after_ns(20'000'000) : Deadline::never();
    const Status status = lock.acquire_until(deadline);
    expect(status.ok() || gives_up, "it is handed on");
    was_served = status.ok();
    if (was_served) release(lock);
    has_ended = true;
  });
  run.thread([&] {
    while (may_come == 0) run.pause();
    expect(acquire(lock), "it is handed on");
    expect(was_served || !was_robbed || gives_up, "a newcomer does not overtake who starves");
    release(lock);
  });
  run.go();
  expect(!lock.locked(), "it is free");
}

SCENARIO(who_starves_for_a_lock_is_next, kNever, 2) { starve(run, false); }
SCENARIO(who_starves_for_a_lock_gives_up, kWhenIdle, 2) { starve(run, true); }

}  // namespace
