// SPDX-License-Identifier: MIT
#include "transfer/leaves.hpp"

#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "transfer/freeze.hpp"
#include "transfer/inline_record.hpp"

namespace interlock {
namespace {

constexpr std::size_t kMostItems = 8;
constexpr Py_ssize_t kMostBytes = 64;  // of a leaf

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

/// Writes the leaves of a message that are met at most once each.
class FlatWriter {
 public:
  explicit FlatWriter(MessageBuilder &records) noexcept : records_(records) {}

  /// False if it is no leaf, large, or may have been met before.
  [[nodiscard]] bool write(PyObject *object) noexcept {
    PyTypeObject *const type = Py_TYPE(object);
    if (type == &PyLong_Type) {
      if (!is_compact_int(object)) return false;
      records_.put(record_of_compact_int(object));
    } else if (type == &PyUnicode_Type) {
      return write_text(object);
    } else if (type == &PyFloat_Type) {
      if (arena_of(object) != nullptr) return false;
      records_.put(make_header(Tag::kFloat));
      records_.put(std::bit_cast<std::uint64_t>(PyFloat_AS_DOUBLE(object)));
    } else if (Py_IsNone(object)) {
      records_.put(make_header(Tag::kNone));
    } else if (type == &PyBool_Type) {
      records_.put(make_header(Py_IsTrue(object) ? Tag::kTrue : Tag::kFalse));
    } else {
      return false;
    }
    return true;
  }

 private:
  [[nodiscard]] bool write_text(PyObject *object) noexcept {
    if (is_character(object)) {
      put_character(records_, object);
      return true;
    }
    if (PyUnicode_GET_LENGTH(object) * PyUnicode_KIND(object) > kMostBytes ||
        arena_of(object) != nullptr)
      return false;
    if (Py_REFCNT(object) > 1) {
      for (std::size_t i = 0; i < count_; ++i) {
        if (texts_[i] == object) return false;
      }
      texts_[count_++] = object;
    }
    put_text(records_, object, 0);
    return true;
  }

  MessageBuilder &records_;
  std::size_t count_ = 0;
  PyObject *texts_[kMostItems];  // those that something else holds, too
};

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

bool encode_flat(TransferState &state, PyObject *object, Message &message) noexcept {
  PyTypeObject *const type = Py_TYPE(object);
  Tag tag = Tag::kTuple;
  PyObject **items = nullptr;
  std::size_t stride = 1;
  std::size_t size = 0;
  std::uint64_t header = 0;
  if (type == &PyTuple_Type) {
    items = &PyTuple_GET_ITEM(object, 0);
    size = static_cast<std::size_t>(PyTuple_GET_SIZE(object));
    header = make_header(tag, size);
  } else if (type == &PyList_Type) {
    tag = Tag::kList;
    items = reinterpret_cast<PyListObject *>(object)->ob_item;
    size = static_cast<std::size_t>(PyList_GET_SIZE(object));
    header = make_header(tag, size);
  } else if (type == &PyDict_Type) {
    tag = Tag::kDictOf;
    PyObject **const pairs = ShapeCache::pairs_of(object);
    if (pairs == nullptr) return false;
    size = static_cast<std::size_t>(PyDict_GET_SIZE(object));
    const std::size_t shape = names_of(state).find_known(pairs, size);
    if (shape == NameTable::kNone) return false;
    items = pairs + 1;
    stride = 2;
    header = make_header(tag, shape, kKnown);
  }
  if (size == 0 || size > kMostItems) return false;
  if (arena_of(object) != nullptr ||
      (state.shells != nullptr && state.shells->find(object) != nullptr))
    return false;
  MessageBuilder records;
  records.put(header);
  FlatWriter writer(records);
  for (std::size_t i = 0; i < size; ++i) {
    if (!writer.write(items[stride * i])) return false;
  }
  records.is_flat = true;
  records.plain_containers = 1;
  records.objects += static_cast<std::uint32_t>(stride * size);
  return records.take(message);
}

PyObject *decode_flat(TransferState &state, const Message::Body &body) {
  const std::uint64_t *next = body.words();
  const std::uint64_t header = *next++;
  const auto operand = static_cast<std::size_t>(operand_of(header));
  const Tag tag = tag_of(header);
  PyRef object;
  PyObject **items = nullptr;
  std::size_t stride = 1;
  std::size_t size = operand;
  if (tag == Tag::kTuple) {
    object = PyRef::steal(PyTuple_New(static_cast<Py_ssize_t>(size)));
    if (!object) return nullptr;
    // As CPython's collector does when it finds out: it leads to no cycle.
    PyObject_GC_UnTrack(object.get());
    items = &PyTuple_GET_ITEM(object.get(), 0);
  } else if (tag == Tag::kList) {
    object = PyRef::steal(PyList_New(static_cast<Py_ssize_t>(size)));
    if (!object) return nullptr;
    items = reinterpret_cast<PyListObject *>(object.get())->ob_item;
  } else {
    PyObject *const names = names_of(state).dict(operand);
    object = PyRef::steal(names != nullptr ? PyDict_Copy(names) : nullptr);
    if (!object) return nullptr;
    size = static_cast<std::size_t>(PyDict_GET_SIZE(names));
    items = DictTable::of(object.get()).unicode_entries() + 1;
    stride = 2;
  }
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t each = *next++;
    PyObject *const item = read_plain_leaf(each, next);
    if (item == nullptr) return nullptr;
    items[stride * i] = item;  // null or None, which was there, is not counted
  }
  return object.release();
}

}  // namespace interlock
