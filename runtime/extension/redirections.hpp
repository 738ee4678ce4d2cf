// SPDX-License-Identifier: MIT
// Functions of the Python C API that do something else when an image calls them: the original's
// effect is not on the interpreter that the image belongs to.
#pragma once

#include <cstddef>
#include <span>

#include "base/python_compat.hpp"
#include "platform/library.hpp"

namespace interlock {

[[nodiscard]] std::span<const Redirection> redirections() noexcept;

/// Who called is told by the memory that its code is in.  Thread: any.
class ImageOwners {
 public:
  /// From now on the image is `interpreter`'s.
  static void add(std::span<std::byte> memory, PyInterpreterState *interpreter);
  /// `interpreter` ends: what its images ask for from now on has no effect, and their threads do
  /// not come into it any more.
  static void remove(PyInterpreterState *interpreter) noexcept;
  /// Child of a fork: there is only the main interpreter.
  static void reset_after_fork() noexcept;
};

}  // namespace interlock
