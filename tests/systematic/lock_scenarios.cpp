// SPDX-License-Identifier: MIT
// Mutex, Parker and the global lock.
#include "lock/global_lock.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"
#include "simulator.hpp"

using namespace interlock;
using interlock::systematic::expect;

namespace {

SCENARIO(mutex_excludes, kNever, 2) {
  Mutex mutex(LockRank::kLeaf);
  int inside = 0;
  int total = 0;
  for (int i = 0; i < 3; ++i) {
    run.thread([&] {
      for (int round = 0; round < 2; ++round) {
        MutexGuard guard(mutex);
        expect(++inside == 1, "one thread holds a mutex");
        run.step(false);
        ++total;
        expect(--inside == 0, "one thread holds a mutex");
      }
    });
  }
  run.go();
  expect(total == 6, "each thread held the mutex twice");
}

/// The classic: a flag, then unpark; the other looks at the flag before it parks.
SCENARIO(parker_wakes_for_each_unpark, kNever, 3) {
  Atomic<std::uint32_t> ready{0};
  Atomic<Parker *> parker{nullptr};
  run.thread([&] {
    Parker &own = Parker::current();
    parker = &own;
    for (std::uint32_t turn = 1; turn <= 2; ++turn) {
      while (load_acquire(ready) < turn) {
        const WaitResult result = own.park_until(Deadline::never());
        expect(result == WaitResult::kWoken, "nothing but unpark ends this park");
      }
    }
  });
  run.thread([&] {
    for (std::uint32_t turn = 1; turn <= 2; ++turn) {
      ready = turn;
      if (Parker *const other = parker) other->unpark();
    }
    // The other may have registered after the first look.
    if (Parker *const other = parker) other->unpark();
  });
  run.go();
}

SCENARIO(parker_keeps_token_and_interrupt_apart, kNever, 2) {
  Atomic<Parker *> parker{nullptr};
  Atomic<std::uint32_t> done{0};
  int tokens = 0;
  int interrupts = 0;
  run.thread([&] {
    Parker &own = Parker::current();
    parker = &own;
    while (load_acquire(done) < 2 || tokens == 0 || interrupts == 0) {
      switch (own.park_until(Deadline::never())) {
        case WaitResult::kWoken:
          ++tokens;
          break;
        case WaitResult::kInterrupted:
          ++interrupts;
          break;
        default:
          expect(false, "a park without deadline does not time out");
      }
    }
  });
  const auto find = [&] {
    while (parker.load() == nullptr) run.pause();
    return parker.load();
  };
  run.thread([&] {
    Parker *const other = find();
    ++done;
    other->unpark();
  });
  run.thread([&] {
    Parker *const other = find();
    ++done;
    other->interrupt();
  });
  run.go();
  expect(interrupts == 1, "one interrupt, delivered once");
}

SCENARIO(parker_times_out_or_is_woken, kAnyTime, 3) {
  Atomic<Parker *> parker{nullptr};
  Atomic<std::uint32_t> given{0};
  run.thread([&] {
    Parker &own = Parker::current();
    parker = &own;
    const WaitResult first = own.park_until(Deadline::after_ns(100'000));
    expect(first != WaitResult::kInterrupted, "nobody interrupts");
    // A token given before or after the time-out is still there for the next park.
    if (first == WaitResult::kTimedOut) {
      while (given.load() == 0) run.pause();
      expect(own.park_until(Deadline::never()) == WaitResult::kWoken, "the token is kept");
    }
  });
  run.thread([&] {
    Parker *other;
    while ((other = parker) == nullptr) run.pause();
    other->unpark();
    given = 1;
  });
  run.go();
}

SCENARIO(global_lock_is_handed_over, kNever, 2) {
  int inside = 0;
  for (int i = 0; i < 3; ++i) {
    run.thread([&] {
      const GlobalLockGuard guard;
      expect(++inside == 1, "one thread holds the global lock");
      run.step(false);
      --inside;
    });
  }
  run.go();
  expect(!GlobalLock::instance().locked(), "the last holder left it free");
}

SCENARIO(global_lock_waits_end_at_deadlines_and_interrupts, kAnyTime, 2) {
  Atomic<Parker *> waiter{nullptr};
  int inside = 0;
  const auto hold = [&](Deadline deadline) {
    const Status status = GlobalLock::instance().acquire_until(deadline);
    if (!status.ok()) return;
    expect(++inside == 1, "one thread holds the global lock");
    run.step(false);
    --inside;
    expect(GlobalLock::instance().release(), "the holder releases");
  };
  run.thread([&] { hold(Deadline::never()); });
  run.thread([&] { hold(Deadline::after_ns(50'000)); });
  run.thread([&] {
    waiter = &Parker::current();
    hold(Deadline::never());
    hold(Deadline::never());
  });
  run.thread([&] {
    if (Parker *const other = waiter) other->interrupt();
  });
  run.go();
  expect(!GlobalLock::instance().locked(), "the last holder left it free");
}

}  // namespace
