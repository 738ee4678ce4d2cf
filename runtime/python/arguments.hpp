// SPDX-License-Identifier: MIT
// Arguments of methods that are called often, without the tuple and dict that PyArg_Parse needs.
#pragma once

#include <span>

#include "base/python_compat.hpp"

namespace interlock {

/// How a method of METH_FASTCALL | METH_KEYWORDS gets its arguments.
class Arguments {
 public:
  Arguments(PyObject *const *its_values, Py_ssize_t its_count, PyObject *its_names) noexcept
      : values_(its_values), count_(its_count), names_(its_names) {}
  /// Puts each into the slot of its parameter and null where none was given; parameters whose name
  /// begins with '*' are keyword-only. False with a TypeError that names_ `function`.
  [[nodiscard]] bool parse(const char *function, std::span<const char *const> parameters,
                           std::size_t required, PyObject **slots) const {
    // Mostly just what is required, by position.
    if (names_ != nullptr || static_cast<std::size_t>(count_) != required)
      return parse_slow(function, parameters, required, slots);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      slots[i] = i < required ? values_[i] : nullptr;
    return true;
  }

 private:
  [[nodiscard]] bool parse_slow(const char *function, std::span<const char *const> parameters,
                                std::size_t required, PyObject **slots) const;

  PyObject *const *const values_;
  const Py_ssize_t count_;  // given by position
  PyObject *const names_;   // of those after them; null or a tuple
};

/// Whether it stands for an integer. A bool does not: it would be a mistake.
[[nodiscard]] inline bool is_int(PyObject *object) noexcept {
  return PyIndex_Check(object) && !PyBool_Check(object);
}

}  // namespace interlock
