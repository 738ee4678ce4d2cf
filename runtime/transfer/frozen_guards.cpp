// SPDX-License-Identifier: MIT
// Types are static, so that all interpreters see what is changed here, once for the process, before
// anything is frozen; the wrappers of methods (3.13-3.15) are each interpreter's own.
#include "transfer/frozen_guards.hpp"

#include <iterator>
#include <vector>

#include "base/python_compat_frozen.hpp"
#include "transfer/freeze.hpp"

namespace interlock {
namespace {

newfunc original_new_reference = nullptr;

/// A new weak reference cannot be entered into an object that is read-only. It has one already,
/// which CPython gives to who asks for a plain one.
PyObject *new_reference(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  PyObject *const object = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : nullptr;
  if (object != nullptr && PyFrozenSet_CheckExact(object) && arena_of(object) != nullptr) {
    const bool has_callback = PyTuple_GET_SIZE(args) > 1 && !Py_IsNone(PyTuple_GET_ITEM(args, 1));
    if (has_callback || type != &_PyWeakref_RefType) {
      PyErr_SetString(PyExc_TypeError,
                      "cannot create weak reference with a callback, or of a class of its own, to "
                      "a frozen 'frozenset' object");
      return nullptr;
    }
  }
  return original_new_reference(type, args, kwargs);
}

newfunc original_new_code = nullptr;
PyCFunctionFastWithKeywords original_replace = nullptr;

/// Code interns its names in the very tuple that it is given: a copy instead of a frozen one.
PyRef writable(PyObject *object) {
  if (!PyTuple_CheckExact(object) || arena_of(object) == nullptr) return PyRef::borrow(object);
  const PyRef items = PyRef::steal(PySequence_List(object));
  return items ? PyRef::steal(PyList_AsTuple(items.get())) : PyRef();
}

PyObject *new_code(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  const PyRef values = PyRef::steal(PyTuple_New(count));
  for (Py_ssize_t i = 0; values && i < count; ++i) {
    PyRef value = writable(PyTuple_GET_ITEM(args, i));
    if (!value) return nullptr;
    PyTuple_SET_ITEM(values.get(), i, value.release());
  }
  return values ? original_new_code(type, values.get(), kwargs) : nullptr;
}

PyObject *replace_code(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names) {
  const Py_ssize_t all = count + (names != nullptr ? PyTuple_GET_SIZE(names) : 0);
  std::vector<PyRef> held;
  std::vector<PyObject *> values;
  for (Py_ssize_t i = 0; i < all; ++i) {
    if (!held.emplace_back(writable(args[i]))) return nullptr;
    values.push_back(held.back().get());
  }
  return original_replace(self, values.data(), count, names);
}

/// `replace` or `__replace__`; null, without an exception, if it is no method as expected.
PyMethodDescrObject *code_method(const char *name) noexcept {
  const PyRef methods = PyRef::steal(PyType_GetDict(&PyCode_Type));
  PyObject *const method = methods ? PyDict_GetItemString(methods.get(), name) : nullptr;
  PyErr_Clear();
  if (method == nullptr || !Py_IS_TYPE(method, &PyMethodDescr_Type)) return nullptr;
  auto *const descriptor = reinterpret_cast<PyMethodDescrObject *>(method);
  const bool is_fast = descriptor->d_method->ml_flags == (METH_FASTCALL | METH_KEYWORDS);
  return is_fast ? descriptor : nullptr;
}

/// Definitions are the process's, the descriptors that refer to them an interpreter's.
void install_in_code_methods() noexcept {
  static constexpr const char *kNames[] = {"replace", "__replace__"};
  static PyMethodDef definitions[2];
  static const bool is_made = [] {
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
      const PyMethodDescrObject *const method = code_method(kNames[i]);
      if (method == nullptr) return false;
      definitions[i] = *method->d_method;
      definitions[i].ml_meth =
          reinterpret_cast<PyCFunction>(reinterpret_cast<void *>(replace_code));
      // The two are one function.
      original_replace = reinterpret_cast<PyCFunctionFastWithKeywords>(
          reinterpret_cast<void *>(method->d_method->ml_meth));
    }
    return true;
  }();
  for (std::size_t i = 0; is_made && i < std::size(kNames); ++i) {
    PyMethodDescrObject *const method = code_method(kNames[i]);
    if (method != nullptr) method->d_method = &definitions[i];
  }
}

#ifndef PyFrozenDict_CheckExact  // since 3.15 there is no dict behind

richcmpfunc original_compare = nullptr;
binaryfunc original_or = nullptr;
traverseproc original_traverse = nullptr;

/// The frozen dict behind `object`; null if that is no mappingproxy of one.
PyObject *frozen_dict_behind(PyObject *object) {
  if (!Py_IS_TYPE(object, &PyDictProxy_Type)) return nullptr;
  PyObject *const dict = FrozenLayout::dict_behind(object);
  return dict != nullptr && arena_of(dict) != nullptr ? dict : nullptr;
}

/// An object that may be handed to any code in place of `object`: itself, or a copy of the frozen
/// dict behind it.
PyRef harmless(PyObject *object) {
  PyObject *const dict = frozen_dict_behind(object);
  return dict != nullptr ? PyRef::steal(PyDict_Copy(dict)) : PyRef::borrow(object);
}

/// Whether to be asked for comparison does not change the type's objects, nor what they are
/// compared with, and such a comparison with a dict has no result.
bool is_no_mapping(PyTypeObject *type) {
  return type->tp_richcompare == PyBaseObject_Type.tp_richcompare || type == &PyLong_Type ||
         type == &PyUnicode_Type || type == &PyTuple_Type || type == &PyList_Type ||
         type == &PyFloat_Type || type == &PyBytes_Type || PyType_IsSubtype(type, &PyType_Type);
}

PyObject *compare(PyObject *self, PyObject *other, int operation) {
  PyObject *const dict = frozen_dict_behind(self);
  if (dict == nullptr) return original_compare(self, other, operation);
  PyObject *const others = frozen_dict_behind(other);
  PyObject *const plain = others != nullptr ? others : other;
  if (PyDict_CheckExact(plain)) return PyDict_Type.tp_richcompare(dict, plain, operation);
  if (is_no_mapping(Py_TYPE(other))) Py_RETURN_NOTIMPLEMENTED;
  const PyRef copy = harmless(self);
  return copy ? PyObject_RichCompare(copy.get(), other, operation) : nullptr;
}

PyObject *unite(PyObject *left, PyObject *right) {
  const PyRef first = harmless(left);
  const PyRef second = first ? harmless(right) : PyRef();
  if (!second) return nullptr;
  if (Py_IS_TYPE(first.get(), &PyDictProxy_Type) || Py_IS_TYPE(second.get(), &PyDictProxy_Type))
    return original_or(first.get(), second.get());
  return PyNumber_Or(first.get(), second.get());
}

int traverse(PyObject *self, visitproc visit, void *argument) {
  return frozen_dict_behind(self) == nullptr ? original_traverse(self, visit, argument) : 0;
}

/// Replaces a function also in the wrappers of a type's methods, which are those of the calling
/// interpreter.
bool replace_in_wrappers(PyTypeObject *type, void *before, void *after) {
  const PyRef methods = PyRef::steal(PyType_GetDict(type));
  if (!methods) return false;
  PyObject *method = nullptr;
  for (Py_ssize_t place = 0; PyDict_Next(methods.get(), &place, nullptr, &method) != 0;) {
    if (!Py_IS_TYPE(method, &PyWrapperDescr_Type)) continue;
    auto *const wrapper = reinterpret_cast<PyWrapperDescrObject *>(method);
    if (wrapper->d_wrapped == before) wrapper->d_wrapped = after;
  }
  return true;
}

void install_in_proxy_type() {
  original_compare = std::exchange(PyDictProxy_Type.tp_richcompare, compare);
  original_or = std::exchange(PyDictProxy_Type.tp_as_number->nb_or, unite);
  original_traverse = std::exchange(PyDictProxy_Type.tp_traverse, traverse);
}

bool install_in_wrappers() {
  return replace_in_wrappers(&PyDictProxy_Type, reinterpret_cast<void *>(original_compare),
                             reinterpret_cast<void *>(compare)) &&
         replace_in_wrappers(&PyDictProxy_Type, reinterpret_cast<void *>(original_or),
                             reinterpret_cast<void *>(unite));
}

#else

void install_in_proxy_type() {}

bool install_in_wrappers() { return true; }

#endif

}  // namespace

bool install_frozen_guards() {
  if (!can_freeze()) return true;
  static const bool is_installed = [] {
    original_new_reference = std::exchange(_PyWeakref_RefType.tp_new, new_reference);
    original_new_code = std::exchange(PyCode_Type.tp_new, new_code);
    install_in_proxy_type();
    return true;
  }();
  install_in_code_methods();
  return is_installed && install_in_wrappers();
}

}  // namespace interlock
