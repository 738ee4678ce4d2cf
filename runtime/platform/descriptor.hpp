// SPDX-License-Identifier: MIT
// Descriptors of open files, pipes and sockets.
#pragma once

namespace interlock {

/// Another descriptor of the same, which programs that are started do not inherit; -1 with errno
/// set. Thread: any.
[[nodiscard]] int duplicate_descriptor(int descriptor) noexcept;

/// Keeps errno. Thread: any.
void close_descriptor(int descriptor) noexcept;

}  // namespace interlock
