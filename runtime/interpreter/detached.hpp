// SPDX-License-Identifier: MIT
// The threads that wait outside their interpreter. When that ends with threads left in it, nobody
// can come back: these give up what they wait for, or they would take messages and locks with them.
#pragma once

#include "base/python_compat.hpp"
#include "lock/parker.hpp"

namespace interlock {

/// Stands for the calling thread's wait outside `interpreter`, for the life of the guard.
/// Thread: any.  Locks: takes a leaf lock.
class DetachedWait {
 public:
  [[nodiscard]] explicit DetachedWait(PyInterpreterState *interpreter) noexcept;
  ~DetachedWait();
  DetachedWait(const DetachedWait &) = delete;
  DetachedWait &operator=(const DetachedWait &) = delete;

  /// Interrupts every wait outside `interpreter` and returns when all have ended, which takes them
  /// microseconds; after a second at the latest. Thread: the one that holds its lock, for good.
  static void interrupt_all(PyInterpreterState *interpreter) noexcept;
  /// Interrupts one wait outside `interpreter`, if there is any: its thread looks at what else is
  /// to be done in there, and goes on waiting.  Thread: any, attached or not.
  static void interrupt_one(PyInterpreterState *interpreter) noexcept;
  /// In the child of a fork: other threads' waits do not exist here.
  static void reset_after_fork() noexcept;

 private:
  /// False if there was none.
  static bool interrupt_once(PyInterpreterState *interpreter) noexcept;

  PyInterpreterState *const interpreter_;
  Parker &parker_;
  DetachedWait *previous_ = nullptr;
  DetachedWait *next_ = nullptr;
};

}  // namespace interlock
