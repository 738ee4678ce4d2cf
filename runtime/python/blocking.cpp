// SPDX-License-Identifier: MIT
#include "python/blocking.hpp"

#include <cmath>

namespace interlock {

namespace {

Atomic<unsigned long> signal_thread{0};  // Python's ident of it

}  // namespace

bool handles_signals() noexcept { return PyThread_get_thread_ident() == signal_thread; }

void set_handles_signals() noexcept { signal_thread = PyThread_get_thread_ident(); }

bool parse_timeout(PyObject *timeout, Deadline &deadline) {
  deadline = Deadline::never();
  if (timeout == nullptr || Py_IsNone(timeout)) return true;
  // threading has acquire(blocking=True): as a number of seconds, that would pass unnoticed.
  const bool is_number = !PyBool_Check(timeout) && PyNumber_Check(timeout);
  const double seconds = is_number ? PyFloat_AsDouble(timeout) : -1.0;
  if (!is_number) {
    PyErr_Format(PyExc_TypeError, "timeout must be None or a number of seconds, not %s",
                 Py_TYPE(timeout)->tp_name);
  }
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  if (std::isnan(seconds) || seconds < 0) {
    PyErr_Format(PyExc_ValueError, "timeout must be None or a number of seconds >= 0, not %R",
                 timeout);
    return false;
  }
  constexpr double kLongest = 9e9;  // seconds that fit in 64 bits of nanoseconds
  if (seconds < kLongest) deadline = Deadline::after_ns(static_cast<std::int64_t>(seconds * 1e9));
  return true;
}

}  // namespace interlock
