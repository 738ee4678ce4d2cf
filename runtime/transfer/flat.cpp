// SPDX-License-Identifier: MIT
#include "transfer/flat.hpp"

#include <bit>

#include "base/check.hpp"
#include "memory/message_builder.hpp"
#include "transfer/decoder.hpp"
#include "transfer/freeze.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/leaves.hpp"

namespace interlock {
namespace {

constexpr std::size_t kMostItems = 8;
constexpr Py_ssize_t kMostBytes = 64;  // of a leaf

class FlatWriter {
 public:
  explicit FlatWriter(TransferState &state) noexcept : state_(state) {}

  [[nodiscard]] bool write(PyObject *object) noexcept {
    if (state_.shells != nullptr && state_.shells->find(object) != nullptr) return false;
    PyTypeObject *const type = Py_TYPE(object);
    if (type == &PyTuple_Type) {
      const auto size = static_cast<std::size_t>(PyTuple_GET_SIZE(object));
      return write_container(make_header(Tag::kTuple, size), &PyTuple_GET_ITEM(object, 0), 1, size);
    }
    if (type == &PyList_Type) {
      const auto size = static_cast<std::size_t>(PyList_GET_SIZE(object));
      return write_container(make_header(Tag::kList, size),
                             reinterpret_cast<PyListObject *>(object)->ob_item, 1, size);
    }
    return type == &PyDict_Type ? write_dict(object) : write_instance(object, type);
  }

  [[nodiscard]] bool take(Message &message) noexcept {
    records_.is_flat = true;
    return records_.take(message);
  }

 private:
  [[nodiscard]] bool write_dict(PyObject *dict) noexcept {
    PyObject **const pairs = ShapeCache::pairs_of(dict);
    if (pairs == nullptr) return false;
    const auto size = static_cast<std::size_t>(PyDict_GET_SIZE(dict));
    const std::size_t shape = names_of(state_).find_known(pairs, size);
    return shape != NameTable::kNone &&
           write_container(make_header(Tag::kDictOf, shape, kKnown), pairs + 1, 2, size);
  }

  /// `stride`: of the items, in words.
  [[nodiscard]] bool write_container(std::uint64_t header, PyObject **items, std::size_t stride,
                                     std::size_t size) noexcept {
    if (size == 0 || size > kMostItems) return false;
    records_.put(header);
    records_.plain_containers = 1;
    records_.objects += static_cast<std::uint32_t>(stride * size);
    for (std::size_t i = 0; i < size; ++i) {
      if (!write_leaf(items[stride * i])) return false;
    }
    return true;
  }

  [[nodiscard]] bool write_instance(PyObject *object, PyTypeObject *type) noexcept {
    Attributes attributes;
    if (!find_own_attributes(object, types_of(state_).find(type), attributes)) return false;
    const std::size_t size = attributes.count;
    if (size == 0 || size > kMostItems || has_a_say(attributes)) return false;
    const NameTable &table = names_of(state_);
    const std::size_t shape = table.find_known(attributes.names, size);
    if (shape == NameTable::kNone) return false;
    const std::size_t number = number_of_class(state_, type);
    if (number == NameTable::kNone || !has_no_reducer(state_, type)) return false;
    // Keys that were compared may have run code.
    if (!find_own_attributes(object, types_of(state_).find(type), attributes) ||
        !table.has_keys(shape, attributes.names, attributes.count))
      return false;
    records_.put(make_header(Tag::kLayout, shape, kKnown));
    records_.put(make_header(Tag::kKnownGlobal, number));
    records_.put(make_header(Tag::kInstance, 0));  // of the first layout
    records_.plain_containers = 2;                 // the class and its instance
    records_.rebuilt = 2;
    records_.objects += static_cast<std::uint32_t>(1 + size);
    for (std::size_t i = 0; i < size; ++i) {
      if (!write_leaf(attributes.value(i))) return false;
    }
    return true;
  }

  /// False if it is no leaf, large, or may have been met before.
  [[nodiscard]] bool write_leaf(PyObject *object) noexcept {
    PyTypeObject *const type = Py_TYPE(object);
    if (type == &PyLong_Type) {
      if (!is_compact_int(object) || arena_of(object) != nullptr) return false;
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

  TransferState &state_;
  MessageBuilder records_;
  std::size_t count_ = 0;
  PyObject *texts_[kMostItems];  // those that something else holds, too
};

/// Fills `size` places that are null, or hold what is not counted, `stride` words apart.
[[nodiscard]] bool read_leaves(const std::uint64_t *next, PyObject **items, std::size_t stride,
                               std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t header = *next++;
    PyObject *const item = read_plain_leaf(header, next);
    if (item == nullptr) return false;
    items[stride * i] = item;
  }
  return true;
}

[[nodiscard]] PyObject *read_tuple(const std::uint64_t *next, std::size_t size) {
  PyRef tuple = PyRef::steal(PyTuple_New(static_cast<Py_ssize_t>(size)));
  if (!tuple) return nullptr;
  // As CPython's collector does when it finds out: it leads to no cycle.
  PyObject_GC_UnTrack(tuple.get());
  const bool is_read = read_leaves(next, &PyTuple_GET_ITEM(tuple.get(), 0), 1, size);
  return is_read ? tuple.release() : nullptr;
}

[[nodiscard]] PyObject *read_list(const std::uint64_t *next, std::size_t size) {
  PyRef list = PyRef::steal(PyList_New(static_cast<Py_ssize_t>(size)));
  if (!list) return nullptr;
  PyObject **const items = reinterpret_cast<PyListObject *>(list.get())->ob_item;
  return read_leaves(next, items, 1, size) ? list.release() : nullptr;
}

[[nodiscard]] PyObject *read_dict(const std::uint64_t *next, PyObject *names) {
  PyRef dict = PyRef::steal(names != nullptr ? PyDict_Copy(names) : nullptr);
  if (!dict) return nullptr;
  PyObject **const values = DictTable::of(dict.get()).unicode_entries() + 1;
  const auto size = static_cast<std::size_t>(PyDict_GET_SIZE(names));
  return read_leaves(next, values, 2, size) ? dict.release() : nullptr;
}

/// Null without an exception if its attributes have no places of their own here.
[[nodiscard]] PyObject *read_instance(TransferState &state, const std::uint64_t *next,
                                      PyObject *names, PyTypeObject *type) {
  const TypeFacts &facts = types_of(state).find(type);
  PyObject **const pairs = DictTable::of(names).unicode_entries();
  const auto size = static_cast<std::size_t>(PyDict_GET_SIZE(names));
  const bool is_in_slots = has_slots(facts, pairs, size);
  if (!is_in_slots && !has_places(facts, type, pairs, size)) return nullptr;
  PyRef object = PyRef::steal(type->tp_alloc(type, 0));
  if (!object) return nullptr;
  if (is_in_slots) {
    auto **const slots = reinterpret_cast<PyObject **>(object.get() + 1);
    return read_leaves(next, slots, 1, size) ? object.release() : nullptr;
  }
  InlineValues *const values = InlineValues::without_dict(object.get());
  CHECK(values != nullptr && size <= values->capacity());  // as has_places() has it
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t header = *next++;
    PyObject *const value = read_plain_leaf(header, next);
    if (value == nullptr) return nullptr;
    values->append(value);
  }
  return object.release();
}

}  // namespace

bool encode_flat(TransferState &state, PyObject *object, Message &message) {
  FlatWriter writer(state);
  return writer.write(object) && writer.take(message);
}

PyObject *decode_flat(TransferState &state, const Message &message) {
  const std::uint64_t *next = message.body()->words();
  const std::uint64_t header = *next++;
  const auto operand = static_cast<std::size_t>(operand_of(header));
  if (tag_of(header) == Tag::kTuple) return read_tuple(next, operand);
  if (tag_of(header) == Tag::kList) return read_list(next, operand);
  PyObject *const names = names_of(state).dict(operand);
  if (tag_of(header) == Tag::kDictOf) return read_dict(next, names);
  const auto number = static_cast<std::size_t>(operand_of(*next));
  const PyRef type = PyRef::steal(names != nullptr ? names_of(state).import(number) : nullptr);
  if (!type) return nullptr;
  PyObject *const object =
      PyType_Check(type.get()) != 0
          ? read_instance(state, next + 2, names, reinterpret_cast<PyTypeObject *>(type.get()))
          : nullptr;
  if (object != nullptr || PyErr_Occurred() != nullptr) return object;
  return Decoder(message, type.get()).run();
}

}  // namespace interlock
