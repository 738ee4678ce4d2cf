// SPDX-License-Identifier: MIT
// Numbers for objects, by identity: a hash table with open addressing and linear probing, after the
// first few, which are only compared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/python_compat.hpp"

namespace interlock {

class ObjectTable {
 public:
  /// The number of `object`, or null. Valid until the next insert().
  [[nodiscard]] std::uint64_t *find(const PyObject *object) noexcept {
    return const_cast<std::uint64_t *>(std::as_const(*this).find(object));
  }
  [[nodiscard]] const std::uint64_t *find(const PyObject *object) const noexcept {
    if (!slots_.empty()) {
      const Slot &slot = slots_[place_of(object)];
      return slot.object == object ? &slot.number : nullptr;
    }
    for (std::size_t i = 0; i < size_; ++i) {
      if (few_[i].object == object) return &few_[i].number;
    }
    return nullptr;
  }
  /// `object` must not be in the table; the caller keeps it alive.
  void insert(const PyObject *object, std::uint64_t number) {
    if (slots_.empty() && size_ < kFew) {
      few_[size_++] = {object, number};
      return;
    }
    if (2 * (size_ + 1) > slots_.size()) grow();
    slots_[place_of(object)] = {object, number};
    ++size_;
  }
  /// Whether `condition(object)` holds for one of them.
  template <typename Condition>
  [[nodiscard]] bool any(Condition condition) const {
    const auto holds = [&](const Slot &slot) {
      return slot.object != nullptr && condition(slot.object);
    };
    return slots_.empty() ? std::any_of(few_, few_ + size_, holds)
                          : std::any_of(slots_.begin(), slots_.end(), holds);
  }
  void clear() noexcept {
    slots_.clear();
    size_ = 0;
  }

 private:
  static constexpr std::size_t kFew = 8;
  struct Slot {
    const PyObject *object;
    std::uint64_t number;
  };

  /// Where `object` is, or would be.
  [[nodiscard]] std::size_t place_of(const PyObject *object) const noexcept {
    // Fibonacci hashing (Knuth, TAOCP 3, 6.4): the low bits of an address carry nothing.
    const auto address = reinterpret_cast<std::uintptr_t>(object);
    const std::size_t mask = slots_.size() - 1;
    std::size_t place = (static_cast<std::uint64_t>(address) * 0x9E3779B97F4A7C15u >> 32) & mask;
    while (slots_[place].object != nullptr && slots_[place].object != object)
      place = (place + 1) & mask;
    return place;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 4 * kFew : 2 * slots_.size());
    old.swap(slots_);
    for (const Slot &slot : old) {
      if (slot.object != nullptr) slots_[place_of(slot.object)] = slot;
    }
    if (!old.empty()) return;
    for (const Slot &slot : few_) slots_[place_of(slot.object)] = slot;
  }

  Slot few_[kFew];
  std::vector<Slot> slots_;  // a power of two of them
  std::size_t size_ = 0;
};

}  // namespace interlock
