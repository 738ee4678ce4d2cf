// SPDX-License-Identifier: MIT
#include "transfer/rebuild.hpp"

namespace interlock {
namespace {

bool set_attributes(PyObject *object, PyObject *values) {
  PyObject *key = nullptr;
  PyObject *value = nullptr;
  for (Py_ssize_t position = 0; PyDict_Next(values, &position, &key, &value);) {
    if (PyObject_SetAttr(object, key, value) != 0) return false;
  }
  return true;
}

/// As pickle's BUILD does without __setstate__: a dict for __dict__, or a pair of it and one for
/// slots.
bool set_plain_state(PyObject *object, PyObject *state) {
  PyObject *slots = nullptr;
  if (PyTuple_Check(state) && PyTuple_GET_SIZE(state) == 2) {
    slots = PyTuple_GET_ITEM(state, 1);
    state = PyTuple_GET_ITEM(state, 0);
  }
  if (!Py_IsNone(state)) {
    if (!PyDict_Check(state)) {
      PyErr_Format(PyExc_TypeError, "the state of a %s is not a dict but a %s",
                   Py_TYPE(object)->tp_name, Py_TYPE(state)->tp_name);
      return false;
    }
    PyObject *own = PyObject_GenericGetDict(object, nullptr);
    if (own == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
      PyErr_Clear();
      if (!set_attributes(object, state)) return false;
    } else {
      const PyRef attributes = PyRef::steal(own);
      if (PyDict_Update(attributes.get(), state) != 0) return false;
    }
  }
  return slots == nullptr || Py_IsNone(slots) || set_attributes(object, slots);
}

}  // namespace

PyObject *import_module(PyObject *name) {
  // Mostly it is there; what importing it again costs is then most of receiving an instance.
  PyObject *const module = PyImport_GetModule(name);
  if (module != nullptr || PyErr_Occurred() != nullptr) return module;
  // Gives the module of a dotted name itself, not its top package.
  return PyImport_Import(name);
}

PyObject *import_name(PyObject *module_name, PyObject *qualified_name) {
  PyRef found = PyRef::steal(import_module(module_name));
  const PyRef dot = PyRef::steal(PyUnicode_FromString("."));
  const PyRef names =
      found && dot ? PyRef::steal(PyUnicode_Split(qualified_name, dot.get(), -1)) : PyRef();
  if (!names) return nullptr;
  for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(names.get()); ++i)
    found = PyRef::steal(PyObject_GetAttr(found.get(), PyList_GET_ITEM(names.get(), i)));
  return found.release();
}

PyObject *new_object(PyObject *type, PyObject *args) {
  auto *const made = reinterpret_cast<PyTypeObject *>(type);
  if (PyType_Check(type) != 0 && made->tp_new != nullptr) return made->tp_new(made, args, nullptr);
  PyErr_Format(PyExc_TypeError, "an instance of %R arrived, which is no class here", type);
  return nullptr;
}

bool append_all(PyObject *object, PyObject *items) {
  if (PyList_Check(object))
    return PyList_SetSlice(object, PyList_GET_SIZE(object), PyList_GET_SIZE(object), items) == 0;
  PyObject *extend = nullptr;
  if (PyObject_GetOptionalAttrString(object, "extend", &extend) < 0) return false;
  if (const PyRef method = PyRef::steal(extend))
    return static_cast<bool>(PyRef::steal(PyObject_CallOneArg(method.get(), items)));
  const PyRef append = PyRef::steal(PyObject_GetAttrString(object, "append"));
  for (Py_ssize_t i = 0; append && i < PyList_GET_SIZE(items); ++i) {
    if (!PyRef::steal(PyObject_CallOneArg(append.get(), PyList_GET_ITEM(items, i)))) return false;
  }
  return static_cast<bool>(append);
}

bool set_all(PyObject *object, PyObject *flat) {
  for (Py_ssize_t i = 0; i + 1 < PyList_GET_SIZE(flat); i += 2) {
    if (PyObject_SetItem(object, PyList_GET_ITEM(flat, i), PyList_GET_ITEM(flat, i + 1)) != 0)
      return false;
  }
  return true;
}

bool set_state(PyObject *object, PyObject *setter, PyObject *state) {
  if (setter != nullptr)
    return static_cast<bool>(
        PyRef::steal(PyObject_CallFunctionObjArgs(setter, object, state, nullptr)));
  PyObject *found = nullptr;
  if (PyObject_GetOptionalAttrString(object, "__setstate__", &found) < 0) return false;
  const PyRef method = PyRef::steal(found);
  if (!method) return set_plain_state(object, state);
  return static_cast<bool>(PyRef::steal(PyObject_CallOneArg(method.get(), state)));
}

}  // namespace interlock
