// SPDX-License-Identifier: MIT
// What stands for _ctypes.dlopen() in every interpreter but the main one. Libraries that ctypes
// loads know nothing of Python, and interpreters share them; those that only one interpreter may
// use are known by name.
#include "extension/images.hpp"
#include "lock/global_lock.hpp"
#include "python/blocking.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

/// An image's handle; null without an exception if CPython's own is to load it.
PyRef load_image(PyObject *name) {
  PyObject *encoded = nullptr;
  if (Py_IsNone(name) || PyUnicode_FSConverter(name, &encoded) == 0) {
    PyErr_Clear();  // CPython's own says what is wrong
    return {};
  }
  const PyRef path = PyRef::steal(encoded);
  const std::string file = PyBytes_AS_STRING(path.get());
  const KnownLibrary *const known = known_library(file);
  Images *const images = known != nullptr ? Images::create_current() : nullptr;
  if (images == nullptr) return {};
  if (images->policies.of(known->module, false) != ExtensionPolicy::kPrivate) return {};
  if (PySys_Audit("ctypes.dlopen", "O", name) < 0) return {};
  const Status locked = acquire_global_lock(Deadline::never());
  if (!locked.ok()) {
    raise(locked);
    return {};
  }
  Result<PrivateLibraries::Library *> loaded = images->load(file, PrivateLibraries::Needed::kAll);
  (void)GlobalLock::instance().release();
  if (loaded.ok())
    return PyRef::steal(PyLong_FromVoidPtr(PrivateLibraries::handle(*loaded.value())));
  PyErr_SetString(PyExc_OSError, loaded.status().message());
  return {};
}

PyObject *dlopen_for_ctypes(PyObject *module, PyObject *args) {
  const auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  if (PyTuple_GET_SIZE(args) != 0) {
    PyRef image = load_image(PyTuple_GET_ITEM(args, 0));
    if (image || PyErr_Occurred() != nullptr) return image.release();
  }
  return PyObject_CallObject(state.ctypes_dlopen, args);
}

PyMethodDef function = {"dlopen", dlopen_for_ctypes, METH_VARARGS,
                        "dlopen(name, flag={RTLD_GLOBAL|RTLD_LOCAL}) open a shared library"};

}  // namespace

bool take_over_ctypes(PyObject *module, PyObject *ctypes) {
  auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  PyRef original = PyRef::steal(PyObject_GetAttrString(ctypes, function.ml_name));
  if (!original) return PyErr_Clear(), true;  // there is none on this system
  Py_XSETREF(state.ctypes_dlopen, original.release());
  const PyRef ours = PyRef::steal(PyCFunction_New(&function, module));
  return ours && PyObject_SetAttrString(ctypes, function.ml_name, ours.get()) == 0;
}

}  // namespace interlock
