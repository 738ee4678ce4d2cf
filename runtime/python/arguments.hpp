// SPDX-License-Identifier: MIT
// Arguments of methods that are called often, without the tuple and dict that PyArg_Parse needs.
#pragma once

#include <span>

#include "base/python_compat.hpp"

namespace interlock {

/// How a method of METH_FASTCALL | METH_KEYWORDS gets its arguments.
struct Arguments {
  PyObject *const *values;
  Py_ssize_t count;  // given by position
  PyObject *names;   // of those after them; null or a tuple

  /// Puts each into the slot of its parameter and null where none was given; parameters whose name
  /// begins with '*' are keyword-only. False with a TypeError that names `function`.
  [[nodiscard]] bool parse(const char *function, std::span<const char *const> parameters,
                           std::size_t required, PyObject **slots) const;
};

}  // namespace interlock
