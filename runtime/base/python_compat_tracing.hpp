// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: the hooks of tracemalloc.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// Around the allocators of all domains while it traces. 3.13-3.15: the context of each hook is the
/// PyMemAllocatorEx that it was put around (_PyTraceMalloc_Start() in tracemalloc.c), which is part
/// of the runtime's data.
class TracingHooks {
 public:
  /// False if that is not known, or the hooks of somebody else are around them. Only while
  /// tracemalloc traces.
  [[nodiscard]] static bool allocator_under(PyMemAllocatorDomain domain,
                                            PyMemAllocatorEx &under) noexcept {
    PyMemAllocatorEx hook;
    PyMem_GetAllocator(domain, &hook);
    if (PY_VERSION_HEX >> 16 > 0x030f || !InterpreterList::is_of_runtime(hook.ctx)) return false;
    under = *static_cast<PyMemAllocatorEx *>(hook.ctx);
    return true;
  }
};

}  // namespace interlock
