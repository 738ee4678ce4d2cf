// SPDX-License-Identifier: MIT
#include "python/blocking.hpp"

#include <cmath>

#include "lock/global_lock.hpp"

namespace interlock {

namespace {

Atomic<unsigned long> signal_thread{0};  // Python's ident of it

}  // namespace

bool handles_signals() noexcept { return PyThread_get_thread_ident() == signal_thread; }

void set_handles_signals() noexcept { signal_thread = PyThread_get_thread_ident(); }

Status acquire_global_lock(Deadline deadline) {
  GlobalLock &lock = GlobalLock::instance();
  if (lock.try_acquire()) return {};
  return run_detached([&] { return lock.acquire_until(deadline); });
}

bool parse_seconds(PyObject *object, const char *expected, SecondsRange range, double &seconds) {
  // threading has acquire(blocking=True): as a number of seconds, that would pass unnoticed.
  const bool is_number = !PyBool_Check(object) && PyNumber_Check(object);
  seconds = is_number ? PyFloat_AsDouble(object) : 0.0;
  const bool has_failed = PyErr_Occurred() != nullptr;
  if (!is_number || (has_failed && PyErr_ExceptionMatches(PyExc_TypeError))) {
    PyErr_Format(PyExc_TypeError, "%s, not %T", expected, object);
    return false;
  }
  if (has_failed) return false;
  if (seconds >= range.least && seconds <= range.most) return true;  // false for a NaN
  PyErr_Format(PyExc_ValueError, "%s, not %R", expected, object);
  return false;
}

bool parse_timeout(PyObject *timeout, Deadline &deadline) {
  deadline = Deadline::never();
  if (timeout == nullptr || Py_IsNone(timeout)) return true;
  return parse_delay(timeout, "timeout must be None or a number of seconds >= 0", deadline);
}

bool parse_delay(PyObject *delay, const char *expected, Deadline &deadline) {
  double seconds;
  if (!parse_seconds(delay, expected, {0, HUGE_VAL}, seconds)) return false;
  deadline = Deadline::never();
  constexpr double kLongest = 9e9;  // seconds that fit in 64 bits of nanoseconds
  if (seconds < kLongest) deadline = Deadline::after_ns(static_cast<std::int64_t>(seconds * 1e9));
  return true;
}

}  // namespace interlock
