// SPDX-License-Identifier: MIT
// What came of trying once to put a message into a buffer, or to take one out.
#pragma once

#include <cstdint>

namespace interlock {

enum class Attempt : std::uint8_t {
  kDone,
  kFull,
  kEmpty,
  kClosed,  // for a receiver: closed and drained
  kBusy,    // another thread is in the middle of the cell that comes next: neither full nor empty
};

}  // namespace interlock
