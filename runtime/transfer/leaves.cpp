// SPDX-License-Identifier: MIT
#include "transfer/leaves.hpp"

#include <bit>
#include <cstring>

#include "base/check.hpp"

namespace interlock {
namespace {

[[nodiscard]] const char *read_data(const std::uint64_t *&next, std::size_t size) noexcept {
  const auto *const data = reinterpret_cast<const char *>(next);
  next += words_for(size);
  return data;
}

[[nodiscard]] PyObject *read_text(std::uint64_t header, const std::uint64_t *&next) {
  const auto length = static_cast<Py_ssize_t>(operand_of(header));
  const auto count = static_cast<std::size_t>(length);
  PyObject *text = nullptr;
  switch (tag_of(header)) {
    case Tag::kAscii:
      text = PyUnicode_New(length, 127);
      if (text != nullptr) std::memcpy(PyUnicode_DATA(text), read_data(next, count), count);
      break;
    case Tag::kLatin1:
      text = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, read_data(next, count), length);
      break;
    case Tag::kUcs2:
      text = PyUnicode_FromKindAndData(PyUnicode_2BYTE_KIND, read_data(next, 2 * count), length);
      break;
    default:
      CHECK(tag_of(header) == Tag::kUcs4);
      text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, read_data(next, 4 * count), length);
  }
  if (text != nullptr && (header & kInterned) != 0) PyUnicode_InternInPlace(&text);
  return text;
}

}  // namespace

PyObject *read_plain_leaf(std::uint64_t header, const std::uint64_t *&next) {
  const auto operand = static_cast<std::size_t>(operand_of(header));
  const auto size = static_cast<Py_ssize_t>(operand);
  switch (tag_of(header)) {
    case Tag::kNone:
      return Py_NewRef(Py_None);
    case Tag::kTrue:
      return Py_NewRef(Py_True);
    case Tag::kFalse:
      return Py_NewRef(Py_False);
    case Tag::kEllipsis:
      return Py_NewRef(Py_Ellipsis);
    case Tag::kNotImplemented:
      return Py_NewRef(Py_NotImplemented);
    case Tag::kInt:
      return PyLong_FromLongLong(signed_operand_of(header));
    case Tag::kBigInt:
      return PyLong_FromNativeBytes(read_data(next, operand), operand,
                                    Py_ASNATIVEBYTES_LITTLE_ENDIAN);
    case Tag::kFloat:
      return PyFloat_FromDouble(std::bit_cast<double>(*next++));
    case Tag::kComplex: {
      const auto real = std::bit_cast<double>(*next++);
      return PyComplex_FromDoubles(real, std::bit_cast<double>(*next++));
    }
    case Tag::kCharacter:
      return PyUnicode_FromOrdinal(static_cast<int>(size));
    case Tag::kBytes:
      return PyBytes_FromStringAndSize(read_data(next, operand), size);
    case Tag::kByteArray:
      return PyByteArray_FromStringAndSize(read_data(next, operand), size);
    default:
      return read_text(header, next);
  }
}

}  // namespace interlock
