// SPDX-License-Identifier: MIT
// Where a thread waits. Each thread has one Parker, kept for ever and handed to a later thread, so
// that a late unpark() finds memory and at worst causes one look too many.
#pragma once

#include <cstdint>

#include "base/atomic.hpp"
#include "platform/wait.hpp"

namespace interlock {

class Parker {
 public:
  /// The calling thread's.
  [[nodiscard]] static Parker &current() noexcept;

  enum class Ladder : std::uint8_t { kSpinThenSleep, kSleep };
  /// For the waits that follow; a thread starts with kSpinThenSleep. Thread: the owner.
  void set_ladder(Ladder ladder) noexcept { ladder_ = ladder; }
  [[nodiscard]] bool spins() const noexcept { return ladder_ == Ladder::kSpinThenSleep; }

  /// `probe(argument)` tells whether a signal waits for its handler to run on this thread. It is
  /// asked before each sleep, which such a signal, having come earlier, would not end. Null: none.
  /// Thread: the owner.
  using Probe = bool (*)(const void *argument) noexcept;
  void set_signal_probe(Probe probe, const void *argument) noexcept {
    probe_ = probe;
    probe_argument_ = argument;
  }

  /// Waits for unpark(), interrupt(), a signal or `deadline`, spinning first if spins(). kWoken may
  /// be spurious: look again.
  /// Thread: the owner.  Locks: none held but the global one; no interpreter lock.  Blocks: yes.
  [[nodiscard]] WaitResult park_until(Deadline deadline) noexcept;
  /// The same without spinning, for who has spun on what it waits for.
  [[nodiscard]] WaitResult sleep_until(Deadline deadline) noexcept;

  /// Lets the owner's current or next park_until() return kWoken. Thread: any.
  void unpark() noexcept;

  /// Lets the owner's current or next park_until() return kInterrupted. Thread: any.
  void interrupt() noexcept;
  /// In the child of a fork: another thread may have held the list of free parkers.
  static void reset_after_fork() noexcept;

  /// Forgets an interrupt that was not yet delivered. Thread: the owner.
  void clear_interrupt() noexcept;

 private:
  friend class ParkerLease;
  static constexpr std::uint32_t kToken = 1;
  static constexpr std::uint32_t kInterrupt = 2;
  static constexpr std::uint32_t kAsleep = 4;  // the owner waits in the kernel, or is about to

  Atomic<std::uint32_t> word_{0};
  Ladder ladder_ = Ladder::kSpinThenSleep;
  Probe probe_ = nullptr;
  const void *probe_argument_ = nullptr;
  Parker *next_free_ = nullptr;
};

}  // namespace interlock
