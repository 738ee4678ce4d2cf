// SPDX-License-Identifier: MIT
// The threads that private copies of libraries start. While one runs, what it works on must stay.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "platform/library.hpp"

namespace interlock {

/// Copies are told by the memory that they are loaded to.  Thread: any.
class LibraryThreads {
 public:
  /// From now on the threads that it starts are counted. `originals`: what it was bound to, in the
  /// order of redirections(), or null: each C library has its own threads.
  static void add(std::span<std::byte> memory, const std::vector<void *> &originals);
  /// Whether a thread that it started has not ended.
  [[nodiscard]] static bool are_running(std::span<std::byte> memory);
  /// What copies call to start threads. _beginthread() is not among it: nobody can wait for such a
  /// thread.
  [[nodiscard]] static std::span<const Redirection> redirections() noexcept;
};

}  // namespace interlock
