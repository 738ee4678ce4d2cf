// SPDX-License-Identifier: MIT
// What travels between interpreters. A message owns everything it carries: nothing in it points
// into an interpreter's heap, so it outlives its sender, and destroying it frees all. It knows
// nothing of Python; transfer/ fills it from objects and rebuilds objects from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ref.hpp"

namespace interlock {

/// Move-only. Thread: owned by one thread at a time; a message that is only read may be read by
/// many.
class Message {
 public:
  Message() noexcept = default;  // empty: carries nothing, not even None
  Message(Message &&) noexcept = default;
  Message &operator=(Message &&) noexcept = default;

  [[nodiscard]] static Message from_none();
  [[nodiscard]] static Message from_bool(bool value);
  [[nodiscard]] static Message from_int64(std::int64_t value);
  [[nodiscard]] static Message from_double(double value);
  /// `utf8` must be valid UTF-8.
  [[nodiscard]] static Message from_utf8(std::string_view utf8);
  [[nodiscard]] static Message from_bytes(std::string_view bytes);

  [[nodiscard]] static Message from_shared(Ref<Shared> shared);

  enum class Type : std::uint8_t { kEmpty, kNone, kBool, kInt, kFloat, kStr, kBytes, kOther };
  /// What the top-level value is. kInt also for integers that as_int64() cannot give.
  [[nodiscard]] Type type() const noexcept;
  [[nodiscard]] std::optional<bool> as_bool() const noexcept;
  [[nodiscard]] std::optional<std::int64_t> as_int64() const noexcept;
  [[nodiscard]] std::optional<double> as_double() const noexcept;
  /// A copy in UTF-8; nothing for other types and for lone surrogates.
  [[nodiscard]] std::optional<std::string> as_utf8() const;
  [[nodiscard]] std::optional<std::string_view> as_bytes() const noexcept;

  [[nodiscard]] bool empty() const noexcept { return words_.empty(); }
  /// Memory that the message occupies, in bytes.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  friend class Encoder;  // transfer/encoder.hpp
  friend class Decoder;  // transfer/decode.cpp
  explicit Message(std::vector<std::uint64_t> words) noexcept : words_(std::move(words)) {}

  std::vector<std::uint64_t> words_;  // records, as memory/message_format.hpp lays them out
  std::vector<Ref<Shared>> shared_;   // what records refer to by index
};

}  // namespace interlock
