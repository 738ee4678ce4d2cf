// SPDX-License-Identifier: MIT
// The objects that all interpreters of the process have in common.
#pragma once

#include "base/python_compat.hpp"
#include "transfer/slots.hpp"

namespace interlock {

/// What stands in a set where an element was; static. Null if it cannot be found out.
[[nodiscard]] inline PyObject *find_set_dummy() noexcept {
  const PyRef set = PyRef::steal(PySet_New(nullptr));
  PyObject *found = nullptr;
  if (set && PySet_Add(set.get(), Py_True) == 0 && PySet_Discard(set.get(), Py_True) == 1)
    for_each_slot(set.get(), [&](PyObject *each) { found = each; });
  PyErr_Clear();
  return found;
}
[[nodiscard]] inline PyObject *set_dummy() noexcept {
  static PyObject *const dummy = find_set_dummy();
  return dummy;
}

/// One of the objects that all interpreters have in common. Others may be immortal too, but live in
/// the memory of an interpreter, and end with it.
[[nodiscard]] inline bool is_of_all(PyObject *object, PyTypeObject *type) noexcept {
  if (type == &PyUnicode_Type)
    return reinterpret_cast<PyASCIIObject *>(object)->state.statically_allocated != 0;
  if (!_Py_IsImmortal(object)) return false;
  if (type == &PyLong_Type) {
    if (!PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject *>(object))) return false;
    const PyRef same = PyRef::steal(
        PyLong_FromSsize_t(PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject *>(object))));
    return same.get() == object;
  }
  if (type == &PyBytes_Type) return PyBytes_GET_SIZE(object) <= 1;
  if (type == &PyTuple_Type) return PyTuple_GET_SIZE(object) == 0;
  return type == &PyBool_Type || Py_IsNone(object) || object == Py_Ellipsis ||
         object == Py_NotImplemented || object == set_dummy();
}

}  // namespace interlock
