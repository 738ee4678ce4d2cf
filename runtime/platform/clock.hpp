// SPDX-License-Identifier: MIT
// Monotonic time, and deadlines on it.
#pragma once

#include <cstdint>
#include <limits>

namespace interlock {

/// Nanoseconds of a clock that never goes back. Thread: any.
[[nodiscard]] std::int64_t monotonic_ns() noexcept;

/// An absolute moment of the monotonic clock, in nanoseconds.
struct Deadline {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  std::int64_t ns = kNever;

  [[nodiscard]] static Deadline never() noexcept { return {kNever}; }
  /// A moment already past: for operations that must not wait.
  [[nodiscard]] static Deadline past() noexcept { return {0}; }
  /// `ns` from now; a sum that does not fit is never.
  [[nodiscard]] static Deadline after_ns(std::int64_t ns) noexcept {
    const std::int64_t now = monotonic_ns();
    if (ns <= 0) return {now};
    return ns > kNever - now ? never() : Deadline{now + ns};
  }
  [[nodiscard]] bool is_never() const noexcept { return ns == kNever; }
  [[nodiscard]] bool passed() const noexcept { return !is_never() && monotonic_ns() >= ns; }
};

}  // namespace interlock
