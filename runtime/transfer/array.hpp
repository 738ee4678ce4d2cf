// SPDX-License-Identifier: MIT
// The items of an array.array on their way: storage that is in no array. The type is a heap type of
// each interpreter, so that an array itself never leaves.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"

namespace interlock {

struct TransferState;

class ArrayItems final : public Shared {
 public:
  /// `typecode`: array.typecode. `tier`, `bytes`: for weight().  Owns `items`.
  ArrayItems(char typecode, ArrayStorage::Items items, Tier tier, std::uint64_t bytes)
      : typecode_(typecode), items_(items), tier_(tier), bytes_(bytes) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kArrayItems; }
  [[nodiscard]] Weight weight() const noexcept override { return {tier_, 1, bytes_}; }
  /// An array of the calling interpreter that has the items, or null with a Python exception set.
  /// Once.  Thread: attached.
  [[nodiscard]] PyObject *attach(TransferState &state);
  /// Puts them back in front of what is in `array` now; nothing if they were received.
  /// False with a Python exception set.  Thread: attached.
  [[nodiscard]] bool put_back(PyObject *array);

 private:
  ~ArrayItems() override { ArrayStorage::free(items_); }

  const char typecode_;
  ArrayStorage::Items items_;  // none after attach()
  const Tier tier_;
  const std::uint64_t bytes_;
  bool is_received_ = false;
};

/// Whether `object` is an array of which somebody has a view, so that it cannot be emptied. False
/// also with a Python exception set. Thread: attached.
[[nodiscard]] bool is_viewed_array(TransferState &state, PyObject *object);

/// Whether `object` is an array.array whose storage can be handed over. False, perhaps with a
/// Python exception set, if not.  Thread: attached.
[[nodiscard]] bool has_array_storage(TransferState &state, PyObject *object);

}  // namespace interlock
