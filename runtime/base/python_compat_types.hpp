// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: version tags of types, by which the caches for attributes know them.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// CPython gives a type its tag when an attribute of it is first looked up. Those of types that
/// cannot be changed come from one counter of the process, which nothing guards (3.12-3.15,
/// assign_version_tag() in typeobject.c): two interpreters with their own locks may give one tag to
/// two types, and a cache then finds the attributes of one for the other. So types get their tags
/// before that: those that all interpreters share in the main one, before there are others; those
/// of an interpreter from its own counter, which types that can be changed have.
class TypeVersions {
 public:
  /// All types that exist. Thread: attached to the main interpreter, the only one.
  static void assign_all() noexcept {
    if (!kKnown) return;
    // Its types are the only ones of the standard library that interpreters share, and come later;
    // interpreters that import it for the first time at once break them (gh-136421, up to 3.13.5).
    const PyRef datetime = PyRef::steal(PyImport_ImportModule("_datetime"));
    assign_with_subclasses(&PyBaseObject_Type);
    PyErr_Clear();
  }
  /// The types of a module of the calling interpreter, which is not the main one.
  static void assign_own(PyObject *module) noexcept {
    if (!kKnown || !PyModule_Check(module)) return;
    PyObject *key;
    PyObject *value;
    for (Py_ssize_t i = 0; PyDict_Next(PyModule_GetDict(module), &i, &key, &value) != 0;) {
      if (PyType_Check(value)) assign_own(reinterpret_cast<PyTypeObject *>(value));
    }
  }
  /// Those of all modules that it has.
  static void assign_own() noexcept {
    PyObject *key;
    PyObject *value;
    for (Py_ssize_t i = 0; PyDict_Next(PyImport_GetModuleDict(), &i, &key, &value) != 0;)
      assign_own(value);
  }

 private:
  static constexpr bool kKnown = PY_VERSION_HEX >> 16 <= 0x030f;
  static constexpr unsigned long kIsShared = 1UL << 1;  // _Py_TPFLAGS_STATIC_BUILTIN

  static void assign_own(PyTypeObject *type) noexcept {
    PyObject *const bases = type->tp_mro;
    for (Py_ssize_t i = bases != nullptr ? PyTuple_GET_SIZE(bases) : 0; i-- > 0;) {
      auto *const each = reinterpret_cast<PyTypeObject *>(PyTuple_GET_ITEM(bases, i));
      const bool is_unchanging = (each->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) != 0;
      if (!is_unchanging || (each->tp_flags & kIsShared) != 0 || each->tp_version_tag != 0)
        continue;
      each->tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;
      (void)PyUnstable_Type_AssignVersionTag(each);
      each->tp_flags |= Py_TPFLAGS_IMMUTABLETYPE;
    }
  }
  static void assign_with_subclasses(PyTypeObject *type) noexcept {
    (void)PyUnstable_Type_AssignVersionTag(type);
    const PyRef all = PyRef::steal(PyObject_CallMethod(reinterpret_cast<PyObject *>(&PyType_Type),
                                                       "__subclasses__", "O", type));
    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all.get()); ++i)
      assign_with_subclasses(reinterpret_cast<PyTypeObject *>(PyList_GET_ITEM(all.get(), i)));
  }
};

}  // namespace interlock
