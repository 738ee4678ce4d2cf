// SPDX-License-Identifier: MIT
// Functions of private copies that the C library is to call at their end: destructors of static
// objects. The C library of Windows ("universal CRT") calls them with a lock held that all of the
// process uses; one that is left (Finaliser) would hold it for ever. MinGW's older one does not.
#pragma once

#include <span>

#include "platform/library.hpp"

namespace interlock {

class LibraryCalls {
 public:
  /// What copies call to register functions, and at their end to have them called.
  [[nodiscard]] static std::span<const Redirection> redirections() noexcept;
};

}  // namespace interlock
