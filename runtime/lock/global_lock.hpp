// SPDX-License-Identifier: MIT
// The global lock, the upper of the two tiers. One for the process; it protects what interpreters
// share: their start and end, the process's environment, and whatever a user asks to serialise.
// Owned by an OS thread, re-entrant, handed over in order of arrival.
// Lock: mutex_ (kLeaf) guards the fields.
#pragma once

#include "base/status.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"

namespace interlock {

class GlobalLock {
 public:
  [[nodiscard]] static GlobalLock &instance() noexcept;

  /// Thread: any, attached or not.  Blocks: never.  True if the thread now holds it (once more).
  [[nodiscard]] bool try_acquire() noexcept;
  /// Thread: any.  Locks: none held, no interpreter lock: an attached thread first tries, then
  /// leaves its interpreter.  Blocks: until `deadline`.  Errors: kETIMEDOUT, kEINTERRUPTED.
  [[nodiscard]] Status acquire_until(Deadline deadline) noexcept;
  /// Thread: the holder.  False if the calling thread does not hold it; nothing has changed then.
  [[nodiscard]] bool release() noexcept;

  [[nodiscard]] bool locked() const noexcept;
  [[nodiscard]] bool held_by_caller() const noexcept;

  /// In the child of a fork, whose one thread is `self`: whoever else held it or waited is gone.
  void reset_after_fork() noexcept;

 private:
  struct Waiter {
    Parker *parker;
    bool granted = false;
    Waiter *next = nullptr;
  };
  void remove_locked(Waiter &waiter) noexcept;

  mutable Mutex mutex_{LockRank::kLeaf};
  const Parker *holder_ = nullptr;  // a thread's Parker is its identity
  unsigned depth_ = 0;
  Waiter *first_ = nullptr;
};

/// Holds the global lock for the life of the guard. Thread: unattached.  Blocks: until it is free.
class GlobalLockGuard {
 public:
  [[nodiscard]] GlobalLockGuard() noexcept;
  ~GlobalLockGuard();
  GlobalLockGuard(const GlobalLockGuard &) = delete;
  GlobalLockGuard &operator=(const GlobalLockGuard &) = delete;
};

}  // namespace interlock
