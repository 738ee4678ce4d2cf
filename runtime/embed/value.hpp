// SPDX-License-Identifier: MIT
// Messages from what C programs give.
#pragma once

#include <cstddef>

#include "base/status.hpp"
#include "memory/message.hpp"

namespace interlock {

/// A str. Null is allowed with size 0.  Errors: kEINVAL (null, not UTF-8).
[[nodiscard]] Status message_of_text(const char *text, std::size_t size, Message &message);
/// Bytes. Null is allowed with size 0.  Errors: kEINVAL (null).
[[nodiscard]] Status message_of_bytes(const void *data, std::size_t size, Message &message);

}  // namespace interlock
