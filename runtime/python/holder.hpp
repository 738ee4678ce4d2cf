// SPDX-License-Identifier: MIT
// Python objects that hold one reference to something of the runtime.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"

namespace interlock {

template <typename T>
struct Holder {
  PyObject_HEAD T *held;

  /// A new object of `type`; null with a Python exception set if there is no memory.
  [[nodiscard]] static PyObject *create(PyTypeObject *type, Ref<T> object) {
    auto *const self = reinterpret_cast<Holder *>(type->tp_alloc(type, 0));
    if (self != nullptr) self->held = object.leak();
    return reinterpret_cast<PyObject *>(self);
  }
  [[nodiscard]] static T &of(PyObject *self) { return *reinterpret_cast<Holder *>(self)->held; }

  static void dealloc(PyObject *self) {
    PyTypeObject *const type = Py_TYPE(self);
    if (T *const held = reinterpret_cast<Holder *>(self)->held) held->release();
    type->tp_free(self);
    Py_DECREF(type);
  }
};

}  // namespace interlock
