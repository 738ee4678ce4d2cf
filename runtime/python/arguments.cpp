// SPDX-License-Identifier: MIT
#include "python/arguments.hpp"

namespace interlock {
namespace {

const char *plain_name(const char *parameter) {
  return *parameter == '*' ? parameter + 1 : parameter;
}

/// Index of the parameter of that name, or the number of parameters.
std::size_t index_of(PyObject *name, std::span<const char *const> parameters) {
  std::size_t i = 0;
  while (i < parameters.size() && !PyUnicode_EqualToUTF8(name, plain_name(parameters[i]))) ++i;
  return i;
}

std::size_t count_positional(std::span<const char *const> parameters) {
  std::size_t count = 0;
  while (count < parameters.size() && *parameters[count] != '*') ++count;
  return count;
}

}  // namespace

bool Arguments::parse_slow(const char *function, std::span<const char *const> parameters,
                           std::size_t required, PyObject **slots) const {
  const auto given = static_cast<std::size_t>(count_);
  if (const std::size_t most = count_positional(parameters); given > most) {
    PyErr_Format(PyExc_TypeError, "%s() takes at most %zu positional argument%s (%zu given)",
                 function, most, most == 1 ? "" : "s", given);
    return false;
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) slots[i] = i < given ? values_[i] : nullptr;
  const Py_ssize_t named = names_ != nullptr ? PyTuple_GET_SIZE(names_) : 0;
  for (Py_ssize_t i = 0; i < named; ++i) {
    PyObject *const name = PyTuple_GET_ITEM(names_, i);
    const std::size_t index = index_of(name, parameters);
    if (index == parameters.size()) {
      PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
      return false;
    }
    if (slots[index] != nullptr) {
      PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", function, name);
      return false;
    }
    slots[index] = values_[count_ + i];
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (slots[i] != nullptr) continue;
    PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", function, parameters[i]);
    return false;
  }
  return true;
}

}  // namespace interlock
