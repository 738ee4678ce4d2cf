// SPDX-License-Identifier: MIT
// What travels between interpreters. A message owns everything it carries: nothing in it points
// into an interpreter's heap, so it outlives its sender, and destroying it frees all. It knows
// nothing of Python; transfer/ fills it from objects and rebuilds objects from it.
//
// A handle of eight bytes, so that a cell of a channel holds it: 0 is empty; an odd word is a
// message of one record, its header shifted left by one; a multiple of four is the address of a
// Body; any other even word, less two, that of a frozen object, whose arena the message holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ref.hpp"
#include "memory/message_format.hpp"
#include "memory/tally.hpp"

namespace interlock {

class ArenaMemory;

/// Move-only. Thread: owned by one thread at a time; a message that is only read may be read by
/// many.
class Message {
 public:
  /// What a message of more than one record owns. Its words follow it in memory: records, as
  /// memory/message_format.hpp lays them out. Made by a MessageBuilder.
  struct alignas(8) Body {
    explicit Body(std::size_t count) noexcept : size(count) {}
    /// What records refer to by index.
    [[nodiscard]] std::span<const Ref<Shared>> shared() const noexcept {
      return shared_ != nullptr ? std::span<const Ref<Shared>>(*shared_)
                                : std::span<const Ref<Shared>>();
    }
    [[nodiscard]] const std::uint64_t *words() const noexcept {
      return reinterpret_cast<const std::uint64_t *>(this + 1);
    }

    const std::size_t size;  // words
    // How many objects with others in them it has, if all were copied without running code; else 0.
    std::uint32_t plain_containers = 0;  // at most UINT32_MAX
    std::uint32_t objects = 0;           // what records stand for, as often as they do; modulo 2^32
    std::uint32_t rebuilt = 0;           // of them
    bool is_flat = false;                // a container of leaves; no record refers to another

   private:
    friend class MessageBuilder;
    std::unique_ptr<const std::vector<Ref<Shared>>> shared_;  // null for none
  };

  Message() noexcept = default;  // empty: carries nothing, not even None
  /// A message of one record without operands elsewhere; see fits_inline().
  [[nodiscard]] static Message from_header(std::uint64_t header) noexcept {
    return Message(header << 1 | 1);
  }
  /// Whether `header`, a whole record, survives being shifted: its operand fits in 55 bits, signed.
  [[nodiscard]] static constexpr bool fits_inline(std::uint64_t header) noexcept {
    return static_cast<std::int64_t>(header << 1) >> 1 == static_cast<std::int64_t>(header);
  }
  Message(Message &&other) noexcept : word_(std::exchange(other.word_, 0)) {}
  Message &operator=(Message &&other) noexcept {
    Message dropped(std::exchange(word_, std::exchange(other.word_, 0)));
    return *this;
  }
  /// As assignment, to one that is empty.
  void fill(Message &&other) noexcept { word_ = std::exchange(other.word_, 0); }
  ~Message() {
    if (word_ != 0 && (word_ & 1) == 0) destroy_owned();
  }

  /// Of an object in an arena, with that arena's memory.  Thread: any to which that is known to
  /// live.
  [[nodiscard]] static Message from_frozen(const void *object, ArenaMemory &memory) noexcept;
  /// The same, taking over a reference to that memory.
  [[nodiscard]] static Message adopt_frozen(const void *object) noexcept {
    return Message(reinterpret_cast<std::uintptr_t>(object) | kFrozenMark);
  }
  /// Empties one of a frozen object, whose reference the caller takes over.
  [[nodiscard]] void *leak_frozen() noexcept {
    const auto object = static_cast<std::uintptr_t>(std::exchange(word_, 0) - kFrozenMark);
    return reinterpret_cast<void *>(object);
  }
  [[nodiscard]] static Message from_none();
  [[nodiscard]] static Message from_bool(bool value);
  [[nodiscard]] static Message from_int64(std::int64_t value) {
    const std::uint64_t header = make_header(Tag::kInt, static_cast<std::uint64_t>(value));
    const bool fits = signed_operand_of(header) == value && fits_inline(header);
    return fits ? from_header(header) : from_large_int(value);
  }
  [[nodiscard]] static Message from_double(double value);
  /// `utf8` must be valid UTF-8.
  [[nodiscard]] static Message from_utf8(std::string_view utf8);
  [[nodiscard]] static Message from_bytes(std::string_view bytes);

  [[nodiscard]] static Message from_shared(Ref<Shared> shared);
  [[nodiscard]] static Message from_moved(Ref<Shared> graph);

  enum class Type : std::uint8_t { kEmpty, kNone, kBool, kInt, kFloat, kStr, kBytes, kOther };
  /// What the top-level value is. kInt also for integers that as_int64() cannot give.
  [[nodiscard]] Type type() const noexcept;
  [[nodiscard]] std::optional<bool> as_bool() const noexcept;
  [[nodiscard]] std::optional<std::int64_t> as_int64() const noexcept {
    if (is_inline() && tag_of(header()) == Tag::kInt) return signed_operand_of(header());
    return as_large_int();
  }
  [[nodiscard]] std::optional<double> as_double() const noexcept;
  /// A copy in UTF-8; nothing for other types and for lone surrogates.
  [[nodiscard]] std::optional<std::string> as_utf8() const;
  [[nodiscard]] std::optional<std::string_view> as_bytes() const noexcept;

  /// Another one that carries the same, empty for want of memory. What can be received only once,
  /// is by one of the two.
  [[nodiscard]] Message copy() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return word_ == 0; }
  /// One record, whose header header() gives. Otherwise, unless empty, there is a body().
  [[nodiscard]] bool is_inline() const noexcept { return (word_ & 3) != 0; }
  /// Of a frozen object. There is no body().
  [[nodiscard]] bool is_frozen() const noexcept { return (word_ & 3) == kFrozenMark; }
  /// The first record's header; not for an empty message.
  [[nodiscard]] std::uint64_t header() const noexcept {
    if ((word_ & 1) != 0) return static_cast<std::uint64_t>(static_cast<std::int64_t>(word_) >> 1);
    return is_frozen() ? make_header(Tag::kFrozen, word_ - kFrozenMark) : body()->words()[0];
  }
  /// Null for an empty message and for one that is_inline().
  [[nodiscard]] const Body *body() const noexcept {
    return is_inline() ? nullptr
                       : reinterpret_cast<const Body *>(static_cast<std::uintptr_t>(word_));
  }
  /// Whether contents() has something: not for an empty message, nor for an int, None, True or
  /// False that needs no memory.
  [[nodiscard]] bool has_contents() const noexcept { return word_ != 0 && (word_ & 1) == 0; }
  /// What it carries.
  [[nodiscard]] Contents contents() const noexcept;
  /// Adds that to `tally`.
  void count(Tally &tally) const noexcept {
    if (is_frozen()) return tally.add(Tier::kShared, 1, 1);
    const Body *const owned = body();
    if (owned == nullptr || !owned->shared().empty()) return tally.add(contents());
    const std::uint64_t bytes = owned->size * sizeof(std::uint64_t);
    const std::uint32_t copied = owned->objects - owned->rebuilt;
    if (owned->rebuilt == 0) return tally.add(Tier::kCopied, 1, copied, bytes);
    const bool is_rebuilt = tier_of(tag_of(header())) == Tier::kRebuilt;
    tally.add(Tier::kCopied, is_rebuilt ? 0 : 1, copied, bytes);
    tally.add(Tier::kRebuilt, is_rebuilt ? 1 : 0, owned->rebuilt, 0);
  }
  /// Memory that the message occupies, in bytes.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class MessageBuilder;
  explicit Message(Body *body) noexcept : word_(reinterpret_cast<std::uintptr_t>(body)) {}
  explicit Message(std::uint64_t word) noexcept : word_(word) {}
  void destroy_owned() noexcept;
  [[nodiscard]] static Message from_large_int(std::int64_t value);
  [[nodiscard]] std::optional<std::int64_t> as_large_int() const noexcept;
  /// What follows the first record's header.
  [[nodiscard]] const std::uint64_t *data() const noexcept;

  static constexpr std::uint64_t kFrozenMark = 2;

  std::uint64_t word_ = 0;
};

}  // namespace interlock
