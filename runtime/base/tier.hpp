// SPDX-License-Identifier: MIT
// The ways to cross.
#pragma once

#include <cstddef>
#include <cstdint>

namespace interlock {

enum class Tier : std::uint8_t { kShared, kMoved, kCopied, kRebuilt, kRefused };
constexpr std::size_t kTiers = 5;

[[nodiscard]] constexpr const char *name_of(Tier tier) noexcept {
  constexpr const char *kNames[] = {"shared", "moved", "copied", "rebuilt", "refused"};
  return kNames[static_cast<std::size_t>(tier)];
}

}  // namespace interlock
