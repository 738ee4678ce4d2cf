// SPDX-License-Identifier: MIT
// What an interrupt of an interpreter does: what its signal.signal() has set for SIGINT. Signals
// belong to the main interpreter; in others, an interrupt stands for that one.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// The handler of the calling interpreter, null if none was set. Borrowed.  Thread: attached.
[[nodiscard]] PyObject *interrupt_handler() noexcept;
/// Thread: attached.  False with a Python exception set.
[[nodiscard]] bool set_interrupt_handler(PyObject *handler);
/// Calls the handler; raises KeyboardInterrupt if there is none. False if an exception is set.
/// Thread: home, attached.
[[nodiscard]] bool handle_interrupt();

}  // namespace interlock
