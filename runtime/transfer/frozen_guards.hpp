// SPDX-License-Identifier: MIT
// What CPython's own types would do to frozen objects, and must not: a mappingproxy hands the dict
// behind it to other objects' comparison and `|`, which may write to it; a weak reference is
// entered into its object; code interns its names in the tuple that it is given.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// Puts guards into the types, and for the calling interpreter into the wrappers of their methods.
/// False with a Python exception set.  Thread: attached.
[[nodiscard]] bool install_frozen_guards();

}  // namespace interlock
