// SPDX-License-Identifier: MIT
// Where a container keeps its references to others: a list, tuple, dict, set or frozenset.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// Places of references, `stride` words apart. A place may be null.
struct Slots {
  PyObject **first = nullptr;
  std::size_t count = 0;
  std::size_t stride = 1;
};

[[nodiscard]] inline bool is_set(PyTypeObject *type) noexcept {
  return type == &PySet_Type || type == &PyFrozenSet_Type;
}

/// The places in `container`; those of a dict whose keys are not all str come in two parts, its
/// keys and its values: `rest`.
[[nodiscard]] inline Slots slots_of(PyObject *container, Slots &rest) noexcept {
  PyTypeObject *const type = Py_TYPE(container);
  rest = {};
  if (type == &PyList_Type) {
    auto *const list = reinterpret_cast<PyListObject *>(container);
    return {list->ob_item, static_cast<std::size_t>(PyList_GET_SIZE(container))};
  }
  if (type == &PyTuple_Type) {
    auto *const tuple = reinterpret_cast<PyTupleObject *>(container);
    return {tuple->ob_item, static_cast<std::size_t>(PyTuple_GET_SIZE(container))};
  }
  if (type == &PyDict_Type) {
    DictTable &table = DictTable::of(container);
    if (table.kind() == DictTable::kUnicode) return {table.unicode_entries(), 2 * table.entries()};
    constexpr std::size_t kWords = sizeof(DictTable::GeneralEntry) / sizeof(PyObject *);
    DictTable::GeneralEntry *const entries = table.general_entries();
    if (table.entries() == 0) return {};
    rest = {&entries->value, table.entries(), kWords};
    return {&entries->key, table.entries(), kWords};
  }
  auto *const set = reinterpret_cast<PySetObject *>(container);
  return {&set->table->key, static_cast<std::size_t>(set->mask) + 1,
          sizeof(setentry) / sizeof(PyObject *)};
}

/// The place of `slot` among those of `container`, its keys before its values.
[[nodiscard]] inline std::size_t place_of(PyObject *container, PyObject *const &slot) noexcept {
  Slots rest;
  const Slots first = slots_of(container, rest);
  const auto steps = [&](const Slots &slots) {
    return static_cast<std::size_t>(&slot - slots.first) / slots.stride;
  };
  // The two lie in one block of memory, each slot at its own distance from their beginnings.
  const bool is_first =
      rest.count == 0 || static_cast<std::size_t>(&slot - first.first) % first.stride == 0;
  return is_first ? steps(first) : first.count + steps(rest);
}

/// What place_of() was asked for, or null if `container` has no such place any more.
[[nodiscard]] inline PyObject **slot_at(PyObject *container, std::size_t place) noexcept {
  Slots rest;
  const Slots first = slots_of(container, rest);
  if (place < first.count) return &first.first[place * first.stride];
  place -= first.count;
  return place < rest.count ? &rest.first[place * rest.stride] : nullptr;
}

/// Calls `function(slot)` for each that is not null.
template <typename Function>
void for_each_slot(PyObject *container, Function function) {
  Slots rest;
  const Slots first = slots_of(container, rest);
  for (const Slots &slots : {first, rest}) {
    for (std::size_t i = 0; i < slots.count; ++i) {
      PyObject *&slot = slots.first[i * slots.stride];
      if (slot != nullptr) function(slot);
    }
  }
}

/// Calls `function(element)` for each element of a set or frozenset.
template <typename Function>
void for_each_element(PyObject *object, Function function) {
  auto *const set = reinterpret_cast<PySetObject *>(object);
  for (Py_ssize_t i = 0; i <= set->mask; ++i) {
    const setentry &entry = set->table[i];
    // What stands where one was has no hash.
    if (entry.key != nullptr && entry.hash != -1) function(entry.key);
  }
}

}  // namespace interlock
