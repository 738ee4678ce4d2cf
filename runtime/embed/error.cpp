// SPDX-License-Identifier: MIT
#include "embed/error.hpp"

#include "interlock.h"
#include "lock/interpreter_lock.hpp"

namespace interlock {
namespace {

thread_local std::string last_message;

}  // namespace

int report(const Status &status) {
  if (!status.ok()) last_message = status.message();
  return static_cast<int>(status.code());
}

int report_python() {
  const PyRef exception = PyRef::steal(PyErr_GetRaisedException());
  const PyRef traceback = PyRef::steal(PyImport_ImportModule("traceback"));
  const PyRef lines = traceback ? PyRef::steal(PyObject_CallMethod(
                                      traceback.get(), "format_exception", "O", exception.get()))
                                : PyRef();
  const PyRef empty = PyRef::steal(PyUnicode_FromString(""));
  const PyRef text =
      lines && empty ? PyRef::steal(PyUnicode_Join(empty.get(), lines.get())) : PyRef();
  const char *const bytes = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  last_message = bytes != nullptr ? bytes : "a Python exception that cannot be shown";
  PyErr_Clear();
  return INTERLOCK_EPYTHON;
}

Deadline deadline_of(double timeout) noexcept {
  constexpr double kLongest = 9e9;
  if (!(timeout >= 0) || timeout > kLongest) return Deadline::never();
  return Deadline::after_ns(static_cast<std::int64_t>(timeout * 1e9));
}

}  // namespace interlock

using namespace interlock;

extern "C" {

const char *interlock_code_meaning(int code) { return code_meaning(static_cast<Code>(code)); }
const char *interlock_error_message(void) { return last_message.c_str(); }
const char *interlock_version(void) { return INTERLOCK_VERSION; }

}  // extern "C"

#define INTERLOCK_ERROR(name, value, meaning) static_assert(INTERLOCK_##name == (value));
#include "base/errors.def"
#undef INTERLOCK_ERROR
