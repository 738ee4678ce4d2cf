// SPDX-License-Identifier: MIT
// What is known of private copies, found by an address in the memory that they are loaded to.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <utility>

#include "lock/mutex.hpp"

namespace interlock {

/// Thread: one at a time.
template <typename T>
class ByMemory {
 public:
  T &add(std::span<std::byte> memory, T known) {
    const std::byte *const end = memory.data() + memory.size();
    return all_.insert_or_assign(end, Entry{memory.data(), std::move(known)}).first->second.known;
  }
  /// Null if the address is in no copy.
  [[nodiscard]] T *find(const void *address) {
    const auto *const at = static_cast<const std::byte *>(address);
    const auto found = all_.upper_bound(at);
    return found != all_.end() && at >= found->second.start ? &found->second.known : nullptr;
  }
  template <typename Visit>
  void for_each(Visit visit) {
    for (auto &[end, entry] : all_) visit(entry.known);
  }

 private:
  struct Entry {
    const std::byte *start;
    T known;
  };
  std::map<const std::byte *, Entry> all_;  // by the end of the memory
};

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
