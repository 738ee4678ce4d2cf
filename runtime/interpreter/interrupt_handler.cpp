// SPDX-License-Identifier: MIT
#include "interpreter/interrupt_handler.hpp"

#include <csignal>

namespace interlock {
namespace {

constexpr const char *kName = "interlock.interrupt_handler";  // in the interpreter's dict

}  // namespace

PyObject *interrupt_handler() noexcept {
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  return dict != nullptr ? PyDict_GetItemString(dict, kName) : nullptr;
}

bool set_interrupt_handler(PyObject *handler) {
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr) PyErr_NoMemory();
  return dict != nullptr && PyDict_SetItemString(dict, kName, handler) == 0;
}

bool handle_interrupt() {
  const PyRef handler = PyRef::borrow(interrupt_handler());
  if (!handler || !PyCallable_Check(handler.get())) {
    const bool is_ignored =
        handler && PyLong_AsVoidPtr(handler.get()) == reinterpret_cast<void *>(SIG_IGN);
    if (!is_ignored) PyErr_SetNone(PyExc_KeyboardInterrupt);
    return is_ignored;
  }
  PyObject *const frame = reinterpret_cast<PyObject *>(PyEval_GetFrame());
  const PyRef result = PyRef::steal(
      PyObject_CallFunction(handler.get(), "iO", SIGINT, frame != nullptr ? frame : Py_None));
  return static_cast<bool>(result);
}

}  // namespace interlock
