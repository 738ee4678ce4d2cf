// SPDX-License-Identifier: MIT
// Functions of the Python C API that do something else when an image calls them: the original's
// effect is not on the interpreter that the image belongs to.
#pragma once

#include <cstddef>
#include <span>

#include "base/python_compat.hpp"
#include "interpreter/entrance.hpp"
#include "platform/library.hpp"

namespace interlock {

[[nodiscard]] std::span<const Redirection> redirections() noexcept;

/// Who called is told by the memory that its code is in.  Thread: any.
class ImageOwners {
 public:
  /// From now on the image belongs to the interpreter that `entrance` leads into. That must stay
  /// for good: code may run that belonged to an interpreter which has ended.
  static void add(std::span<std::byte> memory, Entrance &entrance);
  static void reset_after_fork() noexcept;
};

}  // namespace interlock
