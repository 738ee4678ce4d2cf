// SPDX-License-Identifier: MIT
// Records of objects that hold no others.
#pragma once

#include "base/python_compat.hpp"
#include "memory/message_builder.hpp"

namespace interlock {

/// Writes an exact str; `flags` go into its header. A character that all interpreters share has no
/// flags.
inline void put_text(MessageBuilder &records, PyObject *text, std::uint64_t flags) noexcept {
  const auto length = static_cast<std::size_t>(PyUnicode_GET_LENGTH(text));
  const auto kind = static_cast<std::size_t>(PyUnicode_KIND(text));
  Tag tag = Tag::kUcs4;
  if (PyUnicode_IS_ASCII(text))
    tag = Tag::kAscii;
  else if (kind == PyUnicode_1BYTE_KIND)
    tag = Tag::kLatin1;
  else if (kind == PyUnicode_2BYTE_KIND)
    tag = Tag::kUcs2;
  records.put_data(make_header(tag, length, flags), PyUnicode_DATA(text), length * kind);
}
/// Whether an exact str is one of those that all interpreters have in common.
[[nodiscard]] inline bool is_character(PyObject *text) noexcept {
  return PyUnicode_GET_LENGTH(text) == 1 && PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND;
}
inline void put_character(MessageBuilder &records, PyObject *text) noexcept {
  records.put(make_header(Tag::kCharacter, PyUnicode_READ_CHAR(text, 0)));
}

/// Builds what a record stands for that refers to nothing else of its message: tags up to
/// kByteArray. `next`, the word after the header, moves on. A new reference, or null with a Python
/// exception set.  Thread: attached.
[[nodiscard]] PyObject *read_plain_leaf(std::uint64_t header, const std::uint64_t *&next);

}  // namespace interlock
