// SPDX-License-Identifier: MIT
// The threads that private copies of libraries start. While one runs, what it works on must stay.
#pragma once

#include <cstddef>
#include <span>

#include "platform/library.hpp"

namespace interlock {

/// Copies are told by the memory that they are loaded to.  Thread: any.
class LibraryThreads {
 public:
  /// From now on the threads that it starts are counted. `handle`: as dlsym() takes it.
  static void add(std::span<std::byte> memory, void *handle);
  /// Child of a fork: none is left.
  static void reset_after_fork() noexcept;
  /// Whether a thread that it started has not ended.
  [[nodiscard]] static bool are_running(std::span<std::byte> memory) noexcept;
  /// What copies call to start threads.
  [[nodiscard]] static std::span<const Redirection> redirections() noexcept;
};

}  // namespace interlock
