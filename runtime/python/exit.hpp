// SPDX-License-Identifier: MIT
// The end of the process, and fork, as Python sees them.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// `_interlock.close_all(drain, give_up)`: see InterpreterRegistry::close_all.
[[nodiscard]] PyObject *close_all(PyObject *module, PyObject *arguments);

/// In the child of a fork: no other thread, no other interpreter is left.
void forget_parent() noexcept;

}  // namespace interlock
