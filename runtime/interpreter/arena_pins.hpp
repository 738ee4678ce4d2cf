// SPDX-License-Identifier: MIT
// The arenas that an interpreter has objects of. Frozen objects have no reference counts, so nobody
// knows which of them an interpreter still refers to: it keeps the memory of each that it has seen
// until it has ended, with all that it contained.
#pragma once

#include <unordered_set>

#include "base/python_compat.hpp"
#include "memory/arena.hpp"

namespace interlock {

/// One for each interpreter in which `_interlock` was imported. The interpreter's lock guards it.
class ArenaPins final : public RefCounted {
 public:
  /// Of the calling interpreter, made if need be; null with a Python exception set. Valid until the
  /// interpreter has ended.  Thread: attached.
  [[nodiscard]] static ArenaPins *create_current();

  /// Keeps `memory` until the interpreter has ended.
  void pin(ArenaMemory &memory) {
    if (&memory != last_) pin_slow(memory);
  }
  /// Gives out a reference to `memory`, whose objects the interpreter has, for a message; pins it.
  /// It comes from a stock, since interpreters that send and receive at the same time would wait
  /// for each other's count.
  void take_reference(ArenaMemory &memory) {
    pin(memory);
    if (stock_ == 0) {
      memory.retain(kBatch);
      stock_ = kBatch;
    }
    --stock_;
  }
  /// Pins `memory`, and takes over a reference to it.
  void adopt_reference(ArenaMemory &memory) {
    pin(memory);
    if (stock_ == 2 * kBatch) {
      memory.release(kBatch);
      stock_ = kBatch;
    }
    ++stock_;
  }
  /// Where the interpreter freezes what is given no arena.
  [[nodiscard]] Ref<ArenaMemory> default_memory();

 private:
  ArenaPins() = default;
  ~ArenaPins() override;
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);
  void pin_slow(ArenaMemory &memory);
  void give_back_stock() noexcept;

  static constexpr std::uint32_t kBatch = 64;

  ArenaMemory *last_ = nullptr;
  std::uint32_t stock_ = 0;                   // references to last_ that nobody uses; owned
  std::unordered_set<ArenaMemory *> pinned_;  // owned
  Ref<ArenaMemory> default_;
};

}  // namespace interlock
