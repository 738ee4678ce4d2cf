// SPDX-License-Identifier: MIT
// The ways to cross.
#pragma once

#include "memory/message_format.hpp"

namespace interlock {

enum class Tier : std::uint8_t { kShared, kMoved, kCopied, kRebuilt, kRefused };
constexpr std::size_t kTiers = 5;

[[nodiscard]] constexpr const char *name_of(Tier tier) noexcept {
  constexpr const char *kNames[] = {"shared", "moved", "copied", "rebuilt", "refused"};
  return kNames[static_cast<std::size_t>(tier)];
}

/// How the object crosses whose first record has this tag; kShared also for what a Shared says.
[[nodiscard]] constexpr Tier tier_of(Tag tag) noexcept {
  switch (tag) {
    case Tag::kNone:
    case Tag::kTrue:
    case Tag::kFalse:
    case Tag::kEllipsis:
    case Tag::kNotImplemented:
    case Tag::kCharacter:
    case Tag::kAgain:
    case Tag::kShared:
      return Tier::kShared;
    case Tag::kMoved:
    case Tag::kMarked:
      return Tier::kMoved;
    case Tag::kInt:
    case Tag::kBigInt:
    case Tag::kFloat:
    case Tag::kComplex:
    case Tag::kAscii:
    case Tag::kLatin1:
    case Tag::kUcs2:
    case Tag::kUcs4:
    case Tag::kBytes:
    case Tag::kByteArray:
    case Tag::kTuple:
    case Tag::kList:
    case Tag::kSet:
    case Tag::kFrozenSet:
    case Tag::kDict:
    case Tag::kShape:
    case Tag::kDictOf:
      return Tier::kCopied;
    case Tag::kLayout:
    case Tag::kInstance:
    case Tag::kGlobal:
    case Tag::kModule:
    case Tag::kReduce:
    case Tag::kBuild:
    case Tag::kUse:
    case Tag::kUseTuple:
      return Tier::kRebuilt;
  }
  return Tier::kRefused;
}

}  // namespace interlock
