// SPDX-License-Identifier: MIT
// What is known of parts of the memory, such as images of libraries, found by an address in one.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <utility>

namespace interlock {

/// Thread: one at a time.
template <typename T>
class ByMemory {
 public:
  T &add(std::span<std::byte> memory, T known) {
    const std::byte *const end = memory.data() + memory.size();
    return all_.insert_or_assign(end, Entry{memory.data(), std::move(known)}).first->second.known;
  }
  /// Null if the address is in none.
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

}  // namespace interlock
