// SPDX-License-Identifier: MIT
// A mutex of one word: 0 free, 1 held, 2 held and perhaps waited for (Drepper, 'Futexes Are
// Tricky', 2011, mutex 2). For leaf locks, held for a few instructions; never across Python code.
#pragma once

#include <cstdint>

#include "base/atomic.hpp"
#include "lock/lock_rank.hpp"

namespace interlock {

class Mutex {
 public:
  explicit Mutex(LockRank rank) noexcept : rank_(rank) {}
  Mutex(const Mutex &) = delete;
  Mutex &operator=(const Mutex &) = delete;

  /// Thread: any.  Locks: only of lower rank held.  Blocks: while another thread holds it.
  void acquire() noexcept {
    lock_rank_acquire(rank_, this);
    std::uint32_t free = 0;
    // SYNC(mutex): acquire pairs with the exchange in release().
    if (!word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
      acquire_slow();
    }
  }
  void release() noexcept {
    lock_rank_release(rank_, this);
    // SYNC(mutex): publishes what the lock guards to the next holder.
    if (word_.exchange(0, std::memory_order_release) == 2) wake_waiter();
  }
  /// In the child of a fork, where the holder no longer exists: makes the mutex free.
  void reset_after_fork() noexcept { word_ = 0; }

 private:
  void acquire_slow() noexcept;
  void wake_waiter() noexcept;

  Atomic<std::uint32_t> word_{0};
  const LockRank rank_;
};

class MutexGuard {
 public:
  [[nodiscard]] explicit MutexGuard(Mutex &mutex) noexcept : mutex_(mutex) { mutex_.acquire(); }
  ~MutexGuard() { mutex_.release(); }
  MutexGuard(const MutexGuard &) = delete;
  MutexGuard &operator=(const MutexGuard &) = delete;

 private:
  Mutex &mutex_;
};

}  // namespace interlock
