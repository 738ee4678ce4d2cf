// SPDX-License-Identifier: MIT
// Handles to objects of other interpreters.
#pragma once

#include "python/module.hpp"

namespace interlock {

/// A new handle, for wrap_shared().
[[nodiscard]] PyObject *wrap_proxy(ModuleState &state, Ref<Shared> target);

}  // namespace interlock
