// SPDX-License-Identifier: MIT
// Waiting on a 32-bit word until another thread changes it and wakes.
#pragma once

#include <cstdint>

#include "base/atomic.hpp"
#include "platform/clock.hpp"

namespace interlock {

enum class WaitResult {
  kWoken,        // woken, or the word differed, or for no reason: look again
  kTimedOut,     // the deadline has passed
  kInterrupted,  // a signal handler ran on this thread, where the system tells
};

/// Waits while `word` holds `expected`, until woken or `deadline`.
/// Thread: any.  Locks: none may be held, an interpreter lock least of all.  Blocks: yes.
[[nodiscard]] WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                                         Deadline deadline) noexcept;

/// Wakes one thread, or every thread, that waits on `word`. Thread: any. The memory may already be
/// gone: the address is only compared.
void wake_one(const Atomic<std::uint32_t> &word) noexcept;
void wake_all(const Atomic<std::uint32_t> &word) noexcept;

}  // namespace interlock
