// SPDX-License-Identifier: MIT
// What can be said of the objects that move, those of the plain builtin types, without running any
// Python code.
#pragma once

#include <cmath>

#include "base/python_compat.hpp"
#include "transfer/slots.hpp"

namespace interlock {

[[nodiscard]] inline bool is_plain_leaf(PyTypeObject *type) noexcept {
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyBytes_Type || type == &PyComplex_Type;
}

[[nodiscard]] inline bool can_be_emptied(PyTypeObject *type) noexcept {
  return type == &PyList_Type || type == &PyDict_Type || type == &PySet_Type ||
         type == &PyByteArray_Type;
}

[[nodiscard]] inline bool is_plain_container(PyTypeObject *type) noexcept {
  return can_be_emptied(type) || type == &PyTuple_Type || type == &PyFrozenSet_Type;
}

/// Whether it is a str or bytes that is worth more than the little that moving it costs.
[[nodiscard]] inline bool is_large_leaf(PyObject *object) noexcept {
  constexpr Py_ssize_t kLarge = 1000;
  if (PyUnicode_CheckExact(object)) return PyUnicode_GET_LENGTH(object) >= kLarge;
  return PyBytes_CheckExact(object) && PyBytes_GET_SIZE(object) >= kLarge;
}

/// Whether a plain container can be detached whole, emptied, or copied.
[[nodiscard]] inline bool is_at_rest(PyObject *object, PyTypeObject *type) noexcept {
  // Its items are elsewhere while it is being sorted.
  if (type == &PyList_Type) return reinterpret_cast<PyListObject *>(object)->allocated >= 0;
  if (type == &PyDict_Type) return DictTable::is_plain(object);
  if (type == &PyByteArray_Type) return ByteArrayStorage::is_plain(object);
  return true;
}

/// Whether copying it compares no keys, which may run Python code: CPython copies the table of a
/// dict as it is unless a third of its entries are deleted ones.
[[nodiscard]] inline bool is_copied_blindly(PyObject *container, PyTypeObject *type) noexcept {
  if (type != &PyDict_Type) return true;
  const DictTable &table = DictTable::of(container);
  const auto used = static_cast<std::size_t>(PyDict_GET_SIZE(container));
  return table.kind() == DictTable::kUnicode || used >= table.entries() * 2 / 3;
}

/// A nan's hash comes from its address, so that a copy would not be found where it is a key.
[[nodiscard]] inline bool is_nan(PyObject *object, PyTypeObject *type) noexcept {
  if (type == &PyFloat_Type) return std::isnan(PyFloat_AS_DOUBLE(object));
  if (type != &PyComplex_Type) return false;
  const Py_complex value = PyComplex_AsCComplex(object);
  return std::isnan(value.real) || std::isnan(value.imag);
}

}  // namespace interlock
