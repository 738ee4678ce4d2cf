// SPDX-License-Identifier: MIT
// Functions of private copies that the C library is to call later: at exit, at fork, at the end of
// a thread. When the owner of a copy has ended they are called for the last time, or no more. glibc
// does that for those of exit, as it unloads libraries; musl, which unloads none, does not.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "platform/library.hpp"

namespace interlock {

/// Copies are told by the memory that they are loaded to.  Thread: any.
class LibraryCalls {
 public:
  /// From now on what it registers is known.
  static void add(std::span<std::byte> memory);
  using Function = void (*)();
  /// A fork has nothing to do with it any more. Returns what it would have called first, in that
  /// order.
  [[nodiscard]] static std::vector<Function> take_fork_calls(std::span<std::byte> memory);
  /// Whether a thread that forks, or has just forked, is in one of its functions.
  [[nodiscard]] static bool is_in_fork_call(std::span<std::byte> memory) noexcept;
  /// Calls the last of what it has left for the exit and the C library does not call at its end.
  /// False if there is nothing more.
  [[nodiscard]] static bool call_at_exit(std::span<std::byte> memory);
  /// Nothing is called at the end of a thread any more. No thread may be in its code, or come back
  /// to it.
  static void forget(std::span<std::byte> memory);
  /// Child of a fork: no other thread holds anything.
  static void reset_after_fork() noexcept;
  /// What copies call to register functions.
  [[nodiscard]] static std::span<const Redirection> redirections() noexcept;
};

}  // namespace interlock
