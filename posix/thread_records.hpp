// SPDX-License-Identifier: MIT
// Small records for threads, which others made for them. A thread that has nothing else to do with
// the C library's memory would set all that up, 2 microseconds, to give one back to it; so it goes
// to whoever needs the next one.
#pragma once

#include <limits.h>

#include <new>
#include <utility>

#include "lock/mutex.hpp"

namespace interlock {

// Of a thread, the destructors of all keys are called in turn while any of them is set again: so
// many times at most. In the last round ThreadSanitizer is done with the thread.
#ifdef __SANITIZE_THREAD__
constexpr int kDestructorRounds = PTHREAD_DESTRUCTOR_ITERATIONS - 1;
#else
constexpr int kDestructorRounds = PTHREAD_DESTRUCTOR_ITERATIONS;
#endif

/// T has a member `next`, a pointer to T. Thread: any. What is static is leaked on purpose: threads
/// are created when static destructors have run.
template <typename T>
class ThreadRecords {
 public:
  /// As the last one has left it, or a new one; null for want of memory.
  [[nodiscard]] static T *take() noexcept {
    {
      MutexGuard guard(mutex());
      if (T *const found = unused()) {
        unused() = found->next;
        return found;
      }
    }
    return new (std::nothrow) T;
  }
  static void give_back(T *record) noexcept {
    MutexGuard guard(mutex());
    record->next = std::exchange(unused(), record);
  }
  static void reset_after_fork() noexcept { mutex().reset_after_fork(); }

 private:
  static Mutex &mutex() noexcept {
    static auto *const mutex = new Mutex(LockRank::kLeaf);
    return *mutex;
  }
  static T *&unused() noexcept {
    static T *first = nullptr;
    return first;
  }
};

}  // namespace interlock
