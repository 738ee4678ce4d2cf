// SPDX-License-Identifier: MIT
// What stands for signal.signal() and signal.getsignal() in every interpreter but the main one.
// CPython's own give objects of the main interpreter to any (3.13-3.15).
#include <cerrno>
#include <csignal>

#include "interpreter/interpreter.hpp"
#include "interpreter/interrupt_handler.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

/// The number of a signal, or 0 with a Python exception set.
int signal_number(PyObject *object) {
  const long number = PyLong_AsLong(object);
  if (number == -1 && PyErr_Occurred() != nullptr) return 0;
  if (number >= 1 && number < NSIG) return static_cast<int>(number);
  PyErr_Format(PyExc_ValueError, "signal number %R is out of range", object);
  return 0;
}

/// Of which the calling thread is the main thread; or null.
Interpreter *home_interpreter() noexcept {
  Interpreter *const own = Interpreter::current();
  const bool is_home =
      own != nullptr && own->id() == PyInterpreterState_GetID(PyInterpreterState_Get());
  return is_home ? own : nullptr;
}

/// New reference. Nothing was set: the function that raises KeyboardInterrupt, as in a main thread.
PyObject *current_handler() {
  if (PyObject *const handler = interrupt_handler()) return Py_NewRef(handler);
  const PyRef module = PyRef::steal(PyImport_ImportModule("_signal"));
  return module ? PyObject_GetAttrString(module.get(), "default_int_handler") : nullptr;
}

bool is_disposition(PyObject *handler) {
  if (!PyLong_Check(handler)) return false;
  void *const value = PyLong_AsVoidPtr(handler);
  if (PyErr_Occurred() != nullptr) PyErr_Clear();
  return value == reinterpret_cast<void *>(SIG_IGN) || value == reinterpret_cast<void *>(SIG_DFL);
}

}  // namespace

PyObject *signal_disposition(PyObject *, PyObject *object) {
  const int number = signal_number(object);
  if (number == 0) return nullptr;
  if (number == SIGINT) return current_handler();
  const PyOS_sighandler_t handler = PyOS_getsig(number);
  if (handler == SIG_DFL || handler == SIG_IGN)
    return PyLong_FromVoidPtr(reinterpret_cast<void *>(handler));
  Py_RETURN_NONE;
}

PyObject *set_wakeup_fd(PyObject *, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"", "warn_on_full_buffer", nullptr};
  int descriptor;
  int warns = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|$p:set_wakeup_fd", const_cast<char **>(names),
                                   &descriptor, &warns))
    return nullptr;
  Interpreter *const own = home_interpreter();
  if (own != nullptr) return PyLong_FromLong(own->set_wakeup_descriptor(descriptor));
  PyErr_SetString(PyExc_ValueError, "set_wakeup_fd only works in main thread of an interpreter");
  return nullptr;
}

PyObject *set_signal_handler(PyObject *, PyObject *const *values, Py_ssize_t count) {
  if (count != 2)
    return PyErr_Format(PyExc_TypeError, "signal expected 2 arguments, got %zd", count);
  const int number = signal_number(values[0]);
  if (number == 0) return nullptr;
  PyObject *const handler = values[1];
  if (!PyCallable_Check(handler) && !is_disposition(handler)) {
    PyErr_SetString(PyExc_TypeError,
                    "signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object");
    return nullptr;
  }
  const bool is_home = home_interpreter() != nullptr;
  if (!is_home) {
    PyErr_SetString(PyExc_ValueError, "signal only works in main thread of an interpreter");
    return nullptr;
  }
  if (number != SIGINT) {
    // Both an OSError, from which event loops go on, and a ValueError, which CPython raises.
    const PyRef io = PyRef::steal(PyImport_ImportModule("io"));
    const PyRef type =
        io ? PyRef::steal(PyObject_GetAttrString(io.get(), "UnsupportedOperation")) : PyRef();
    const PyRef error = type ? PyRef::steal(PyObject_CallFunction(
                                   type.get(), "is", EINVAL,
                                   "only SIGINT, which stands for an interrupt, has a handler in "
                                   "an interpreter but the main one"))
                             : PyRef();
    if (error) PyErr_SetObject(type.get(), error.get());
    return nullptr;
  }
  PyRef before = PyRef::steal(current_handler());
  return before && set_interrupt_handler(handler) ? before.release() : nullptr;
}

}  // namespace interlock
