// SPDX-License-Identifier: MIT
#include "transfer/survey.hpp"

#include "transfer/common_objects.hpp"
#include "transfer/freeze.hpp"
#include "transfer/plain.hpp"

namespace interlock {

Survey::Survey(PyObject *root, bool copies, const Survey *around)
    : copies_(copies), around_(around) {
  look_at(root);
  while (!visits_.empty()) {
    Slots &slots = visits_.back().slots;
    if (slots.count == 0) {
      visits_.pop_back();
      continue;
    }
    is_hashed_ = visits_.back().is_hashed;
    PyObject *const object = slots.first[--slots.count * slots.stride];
    if (object != nullptr) look_at(object);
  }
}

void Survey::look_at(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  ++weight_;
  if (is_plain_leaf(type)) {
    if (type == &PyUnicode_Type)
      weight_ += static_cast<std::size_t>(PyUnicode_GET_LENGTH(object)) / 64;
    if (type == &PyBytes_Type) weight_ += static_cast<std::size_t>(PyBytes_GET_SIZE(object)) / 64;
    return;
  }
  if (is_of_all(object, type) || arena_of(object) != nullptr) return;
  const bool is_held = Py_REFCNT(object) > 1;
  if (const std::uint64_t *const met = is_held ? met_.find(object) : nullptr) {
    has_hashed_hole_ = has_hashed_hole_ || (is_hashed_ && *met != kPart);
    return;
  }
  if (!can_move(object, type)) {
    has_hashed_hole_ = has_hashed_hole_ || is_hashed_;
    if (is_held) met_.insert(object, foreign_.size());
    foreign_.push_back(PyRef::borrow(object));
    return;
  }
  if (is_held) met_.insert(object, kPart);
  if (type == &PyByteArray_Type) {
    weight_ += static_cast<std::size_t>(PyByteArray_GET_SIZE(object)) / 64;
  } else {
    open(object, is_held);
  }
}

/// The last place is visited next, as a move does.
void Survey::open(PyObject *container, bool is_held) {
  const bool is_hashable = PyTuple_CheckExact(container) || PyFrozenSet_CheckExact(container);
  const bool is_hashed = is_hashable && (is_held || is_hashed_);
  Slots rest;
  const Slots first = slots_of(container, rest);
  if (rest.count != 0) visits_.push_back({rest, is_hashed});
  visits_.push_back({first, is_hashed});
}

bool Survey::can_move(PyObject *container, PyTypeObject *type) {
  if (!is_plain_container(type) || !is_at_rest(container, type)) return false;
  if (copies_ && Py_REFCNT(container) > 1 && !is_copied_blindly(container, type)) return false;
  return !has_foreign_keys(container, type);
}

bool Survey::has_foreign_keys(PyObject *container, PyTypeObject *type) {
  if (type != &PyDict_Type && !is_set(type)) return false;
  if (type == &PyDict_Type && DictTable::of(container).kind() == DictTable::kUnicode) return false;
  Slots values;
  Slots keys = slots_of(container, values);
  for (; keys.count != 0; --keys.count, keys.first += keys.stride) {
    if (*keys.first != nullptr && !is_plain_key(*keys.first)) return true;
  }
  return false;
}

/// Whether the equal key of a receiver has the same hash. Without recursion: keys may be nested
/// deeply.
bool Survey::is_plain_key(PyObject *key) {
  std::vector<PyObject *> open;
  for (;;) {
    PyTypeObject *const type = Py_TYPE(key);
    const bool is_shared = is_of_all(key, type) || arena_of(key) != nullptr;
    if (!is_shared && (type == &PyTuple_Type || type == &PyFrozenSet_Type)) {
      for_each_slot(key, [&](PyObject *each) { open.push_back(each); });
    } else if (!is_shared && (!is_plain_leaf(type) || is_nan(key, type))) {
      return false;
    }
    if (open.empty()) return true;
    key = open.back();
    open.pop_back();
  }
}

std::optional<std::size_t> Survey::find_foreign(PyObject *object) noexcept {
  if (next_foreign_ < foreign_.size() && foreign_[next_foreign_].get() == object)
    return next_foreign_++;
  const std::uint64_t *const found = met_.find(object);
  if (found == nullptr || *found == kPart) return std::nullopt;
  return static_cast<std::size_t>(*found);
}

bool Survey::is_part(const PyObject *object) const noexcept {
  const std::uint64_t *const found = met_.find(object);
  return found != nullptr && *found == kPart;
}

bool Survey::is_part_of_any(const PyObject *object) const noexcept {
  for (const Survey *each = this; each != nullptr; each = each->around_) {
    if (each->is_part(object)) return true;
  }
  return false;
}

}  // namespace interlock
