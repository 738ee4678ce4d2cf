// SPDX-License-Identifier: MIT
// What private copies of libraries want to be called before and after a fork. It goes with the
// copy's owner. Libraries with threads end them before a fork, which is how they are told to do so
// at the owner's end, too.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "platform/library.hpp"

namespace interlock {

/// Thread: any.
class LibraryForks {
 public:
  using Function = void (*)();

  /// A fork has nothing to do with the copy at `memory` any more. Returns what it would have called
  /// first, in that order.
  [[nodiscard]] static std::vector<Function> take(std::span<std::byte> memory);
  /// What copies call to be told of forks.
  [[nodiscard]] static std::span<const Redirection> redirections() noexcept;
};

}  // namespace interlock
