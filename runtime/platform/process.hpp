// SPDX-License-Identifier: MIT
// What the process knows of itself.
#pragma once

#include <string>

namespace interlock {

/// Absolute path of the running executable, symbolic links resolved; empty if the system cannot
/// tell.
[[nodiscard]] std::string executable_path();

/// Absolute path of the shared object or executable that holds `address`; empty if unknown.
[[nodiscard]] std::string object_path(const void *address);

[[nodiscard]] long process_id() noexcept;

/// Has `function` called in every child of a fork, before fork() returns there. For good; once.
void call_in_fork_child(void (*function)()) noexcept;

}  // namespace interlock
