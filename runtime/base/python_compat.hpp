// SPDX-License-Identifier: MIT
// The only place that includes Python.h, looks at PY_VERSION_HEX, or names a CPython internal. Each
// internal says which versions have it, why it is needed, and what happens without it.
#pragma once

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#if PY_VERSION_HEX < 0x030D0000
#error "Interlock needs CPython 3.13 or newer"
#endif

#include <utility>

// 3.13-3.15: runs a function in another interpreter at its next check between bytecodes. The public
// Py_AddPendingCall() reaches the main interpreter only. Exported since 3.12 (pycore_ceval.h), result
// 0 for success; declared weak, so that a CPython without it leaves interrupts to the runtime's waits.
extern "C" __attribute__((weak)) int _PyEval_AddPendingCall(PyInterpreterState *interpreter,
                                                           int (*function)(void *), void *argument,
                                                           int flags);

namespace interlock {

/// Lets `interpreter` call `function(argument)` soon, on any of its threads, attached. False if it
/// cannot be arranged. Thread: any; the caller keeps `interpreter` from ending. Blocks: never.
[[nodiscard]] inline bool add_pending_call(PyInterpreterState *interpreter,
                                           int (*function)(void *), void *argument) {
  if (_PyEval_AddPendingCall == nullptr) return false;
  return _PyEval_AddPendingCall(interpreter, function, argument, 0) == 0;
}

/// An owned reference, released at the end of the scope. Thread: attached.
class PyRef {
 public:
  PyRef() noexcept = default;
  /// Takes over `owned` (may be null).
  [[nodiscard]] static PyRef steal(PyObject *owned) noexcept { return PyRef(owned); }
  [[nodiscard]] static PyRef borrow(PyObject *borrowed) noexcept { return PyRef(Py_XNewRef(borrowed)); }
  PyRef(PyRef &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  PyRef &operator=(PyRef &&other) noexcept {
    PyRef dropped(std::exchange(object_, std::exchange(other.object_, nullptr)));
    return *this;
  }
  ~PyRef() { Py_XDECREF(object_); }

  [[nodiscard]] PyObject *get() const noexcept { return object_; }
  [[nodiscard]] PyObject *release() noexcept { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  explicit PyRef(PyObject *owned) noexcept : object_(owned) {}
  PyObject *object_ = nullptr;
};

}  // namespace interlock
