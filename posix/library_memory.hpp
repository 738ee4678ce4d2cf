// SPDX-License-Identifier: MIT
// What is known of private copies, found by an address in the memory that they are loaded to.
#pragma once

#include "base/by_memory.hpp"
#include "lock/mutex.hpp"

namespace interlock {

/// The process's list of what T tells of each copy. Leaked on purpose: threads may start and end
/// when static destructors have run.
template <typename T>
struct CopiesOf {
  static Mutex &mutex() {
    static Mutex *const guard = new Mutex(LockRank::kLeaf);
    return *guard;
  }
  /// Guarded by the mutex.
  static ByMemory<T> &locked() {
    static auto *const all = new ByMemory<T>;
    return *all;
  }
};

}  // namespace interlock
