// SPDX-License-Identifier: MIT
// Descriptors of open files, pipes and sockets.
#pragma once

namespace interlock {

/// Another descriptor of the same, which programs that are started do not inherit; -1 with errno
/// set. Thread: any.
[[nodiscard]] int duplicate_descriptor(int descriptor) noexcept;

/// Writes one byte if there is room. On Windows to a socket. Thread: any.  Blocks: never, if the
/// descriptor does not.
void write_byte(int descriptor, unsigned char byte) noexcept;

/// Keeps errno. Thread: any.
void close_descriptor(int descriptor) noexcept;

}  // namespace interlock
