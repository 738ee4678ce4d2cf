// SPDX-License-Identifier: MIT
// How to wait for a condition that another thread will soon make true: spin, only while that thread
// runs on another processor and no longer than a sleep and its wake-up cost (Karlin et al.,
// 'Competitive randomized algorithms for nonuniform problems', 1990); then let others run; then
// park. Measured in time: the pause instruction takes 10 times as long on one processor as on
// another. LOCKS.md has the figures.
#pragma once

#include <cstdint>

#include "lock/parker.hpp"
#include "platform/clock.hpp"
#include "platform/thread.hpp"

namespace interlock {

class WaitLadder {
 public:
  static constexpr std::int64_t kSpinNs = 20'000;
  static constexpr int kYields = 2;

  /// `peer`: the processor that whoever is waited for was last seen on; -1 if unknown. A `deadline`
  /// that has passed leaves no rung.
  WaitLadder(int peer, Deadline deadline) noexcept {
    if (!Parker::current().spins() || deadline.passed()) return;
    spins_ = peer < 0 ? !is_alone() : peer != current_processor();
    yields_left_ = kYields;
  }

  /// One rung: returns once `ready()`, or when it is time to look again. False: time to park.
  /// Thread: the one that made it.  Locks: no interpreter lock (it may yield).
  template <typename Ready>
  [[nodiscard]] bool climb(Ready ready) noexcept {
    if (spins_) {
      spins_ = false;
      spin(ready, kSpinNs);
      return true;
    }
    if (yields_left_ == 0) return false;
    --yields_left_;
    yield_processor();
    return true;
  }

  /// Spins until `ready()` or for `ns`. False if it is still not.  Thread: any.
  template <typename Ready>
  static bool spin(Ready ready, std::int64_t ns) noexcept {
    const auto look = [&](int times) noexcept {
      for (int i = 0; i < times; ++i) {
        if (ready()) return true;
        relax_processor();
      }
      return false;
    };
    // The clock takes as long as a message: it is asked only when none has come soon.
    if (look(kLooksBeforeClock)) return true;
    const std::int64_t end = monotonic_ns() + ns;
    do {
      if (look(kLooksBetweenClocks)) return true;
    } while (monotonic_ns() < end);
    return ready();
  }

  /// Leaves the line that both sides use to the other one for a moment.
  static void pause(int times) noexcept {
    while (times-- > 0) relax_processor();
  }
  /// Whether the process has one processor only. Asked once, when it starts: a thread that is bound
  /// to one processor would give the wrong answer.
  [[nodiscard]] static bool is_alone() noexcept { return alone_; }

 private:
  static constexpr int kLooksBeforeClock = 32;
  static constexpr int kLooksBetweenClocks = 8;
  static inline const bool alone_ = available_parallelism() < 2;

  bool spins_ = false;
  int yields_left_ = 0;
};

/// How to wait for a thread that is in the middle of a few instructions: it will be done at once,
/// or it does not run and wants the processor. Nobody tells when it is done.
class BusyLadder {
 public:
  /// One rung: a pause, later a yield. False: it takes long, sleep until next_look().  Thread: any.
  [[nodiscard]] bool climb() noexcept {
    if (rung_ == kPauses + kYields) return false;
    rung_++ < kPauses ? relax_processor() : yield_processor();
    return true;
  }
  [[nodiscard]] Deadline next_look() noexcept {
    const Deadline deadline = Deadline::after_ns(sleep_ns_);
    if (sleep_ns_ < kLongestSleepNs) sleep_ns_ *= 2;
    return deadline;
  }
  /// One rung, sleeping on the last one.  Locks: none held, no interpreter lock.
  void climb_or_sleep() noexcept {
    if (!climb()) sleep();
  }
  /// Until next_look().  Locks: none held, no interpreter lock.
  void sleep() noexcept {
    const Atomic<std::uint32_t> unchanged{0};
    (void)wait_on_address(unchanged, 0, next_look());
  }

 private:
  static constexpr int kPauses = 64;
  static constexpr int kYields = 4;
  static constexpr std::int64_t kLongestSleepNs = 1'000'000;

  int rung_ = 0;
  std::int64_t sleep_ns_ = 50'000;
};

}  // namespace interlock
