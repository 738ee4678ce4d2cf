// SPDX-License-Identifier: MIT
// How a message lays out its objects: records in pre-order, each a header word (tag, flags,
// operand) followed by the words that the tag says. Objects that may be met again are numbered in
// the order in which both sides meet them; kAgain refers to that number. Never leaves the process,
// never stored.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/tier.hpp"

namespace interlock {

enum class Tag : std::uint8_t {
  // Operand unused, nothing follows.
  kNone,
  kTrue,
  kFalse,
  kEllipsis,
  kNotImplemented,
  kInt,        // operand: the value
  kBigInt,     // operand: bytes; then they, little-endian, two's complement
  kFloat,      // then one word
  kComplex,    // then two words: real, imaginary
  kCharacter,  // str of one. Operand: its code, below 256
  kAscii,      // str. Operand: characters; then they, of 1 byte
  kLatin1,
  kUcs2,   // of 2 bytes
  kUcs4,   // of 4 bytes
  kBytes,  // operand: bytes; then they
  kByteArray,
  kAgain,       // operand: the number of an object met before
  kDefinition,  // a class or function. Operand: index of a Definition, a Shared of the message
  kShared,      // operand: index of a Shared of the message
  kMoved,       // the same: of a MovedGraph, which is received once
  kMarked,      // operand: the index of an item of the list that the last Shared, a MovedGraph, is
  kPart,        // operand: the index of a part of the graph in which the message is to fill the holes
  kFrozen,      // operand: the address of an object in an arena, whose memory the message holds
  kKnownGlobal,  // operand: which of KnownNames: a module, then names that lead to the object
  // Operand: how many child records follow.
  kTuple,  // numbered when it is full, unless kEarly; then perhaps kUseTuple
  kList,
  kSet,
  kFrozenSet,  // then kBuild or kUse
  kDict,       // operand: pairs; children: key, value, key, value, ...
  kShape,      // no object, but the keys of some: so many str records, then the next record
  kDictOf,     // operand: the number of a shape; children: a value for each of its keys
  kLayout,    // no object: how some instances look. Operand: a shape, that of their attributes; one
              // child, their class; then the next record
  kInstance,  // operand: the number of a layout; children: a value for each attribute
  kGlobal,    // two children: module name, qualified name
  kModule,    // one child: its name
  kReduce,  // two children, callable and arguments; then kBuild or kUse. Operand: 1 if the callable
            // is a class whose __new__ is to be called
  kBuild,   // the object is made now. Operand: BuildPart; a child for each, in that order
  kUse,     // the object was made meanwhile, deeper down. Operand: its number
  kUseTuple,  // the same of a tuple that has just become full. Then one word: the numbers taken
};

/// What follows kBuild after kReduce: items to append, alternating keys and values to set, a
/// function that sets the state, the state.
enum BuildPart : std::uint8_t { kListItems = 1, kDictItems = 2, kStateSetter = 4, kState = 8 };

constexpr std::uint64_t kTagMask = 0x3f;
constexpr std::uint64_t kInterned = 0x40;  // a key or name that the sender had interned
constexpr std::uint64_t kEarly = 0x40;     // a tuple that is numbered before its children
constexpr std::uint64_t kKnown = 0x40;     // kDictOf, kLayout: their shape is one of KnownNames
constexpr std::uint64_t kNumbered = 0x80;  // takes the next number
constexpr int kOperandShift = 8;
constexpr std::int64_t kLargestInt = (std::int64_t{1} << 55) - 1;
constexpr std::int64_t kSmallestInt = -(std::int64_t{1} << 55);

constexpr std::uint64_t make_header(Tag tag, std::uint64_t operand = 0, std::uint64_t flags = 0) {
  return static_cast<std::uint64_t>(tag) | flags | operand << kOperandShift;
}
constexpr Tag tag_of(std::uint64_t header) { return static_cast<Tag>(header & kTagMask); }
constexpr std::uint64_t operand_of(std::uint64_t header) { return header >> kOperandShift; }
constexpr std::int64_t signed_operand_of(std::uint64_t header) {
  return static_cast<std::int64_t>(header) >> kOperandShift;
}
constexpr std::size_t words_for(std::size_t bytes) { return (bytes + 7) / 8; }

/// How the object crosses whose first record has this tag; of kShared, Shared::weight() says more.
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
    case Tag::kFrozen:
      return Tier::kShared;
    case Tag::kMoved:
    case Tag::kPart:
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
    case Tag::kDictOf:
      return Tier::kCopied;
    case Tag::kShape:  // a message begins with one before a layout only
    case Tag::kLayout:
    case Tag::kInstance:
    case Tag::kDefinition:
    case Tag::kGlobal:
    case Tag::kKnownGlobal:
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
