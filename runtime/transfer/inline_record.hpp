// SPDX-License-Identifier: MIT
// The objects whose message needs no memory: ints of 54 bits, None, True and False. Here rather
// than in the encoder, because streams of them are what channels are measured by.
#pragma once

#include <optional>

#include "base/python_compat.hpp"
#include "memory/message.hpp"
#include "memory/message_format.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// Whether `object` is an int of one digit, 30 bits; what PyUnstable_Long_IsCompact() is for
/// (3.12).
[[nodiscard]] inline bool is_compact_int(PyObject *object) noexcept {
  return PyLong_CheckExact(object) &&
         PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject *>(object));
}
[[nodiscard]] inline std::uint64_t record_of_compact_int(PyObject *object) noexcept {
  const Py_ssize_t value = PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject *>(object));
  return make_header(Tag::kInt, static_cast<std::uint64_t>(value));
}

/// The record of an object that is one by itself, whoever holds it. Runs no Python code.
/// Thread: attached.
[[nodiscard]] inline std::optional<std::uint64_t> inline_record_of(PyObject *object) noexcept {
  if (is_compact_int(object)) return record_of_compact_int(object);
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow != 0 || value < kSmallestInt || value > kLargestInt) return std::nullopt;
    const std::uint64_t header = make_header(Tag::kInt, static_cast<std::uint64_t>(value));
    if (Message::fits_inline(header)) return header;
    return std::nullopt;
  }
  if (Py_IsNone(object)) return make_header(Tag::kNone);
  if (Py_IsTrue(object)) return make_header(Tag::kTrue);
  if (Py_IsFalse(object)) return make_header(Tag::kFalse);
  return std::nullopt;
}

/// Whether `message` is an int that needed no memory.
[[nodiscard]] inline bool is_inline_int(const Message &message) noexcept {
  return message.is_inline() && tag_of(message.header()) == Tag::kInt;
}
/// Its value.
[[nodiscard]] inline std::int64_t inline_int(const Message &message) noexcept {
  return signed_operand_of(message.header());
}

}  // namespace interlock
