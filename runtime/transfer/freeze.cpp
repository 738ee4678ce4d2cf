// SPDX-License-Identifier: MIT
#include "transfer/freeze.hpp"

#include "base/python_compat_frozen.hpp"
#include "transfer/common_objects.hpp"

namespace interlock {
namespace {

[[nodiscard]] bool is_leaf(PyTypeObject *type) noexcept {
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyBytes_Type || type == &PyComplex_Type;
}

/// A str that CPython itself compares by address, because it is static and interned: the names of
/// special methods. Null if `text` is none.
[[nodiscard]] PyObject *static_name(PyObject *text) noexcept {
  const Py_ssize_t length = PyUnicode_GET_LENGTH(text);
  if (length < 5 || length > 40 || !PyUnicode_IS_ASCII(text)) return nullptr;
  const auto *const data = reinterpret_cast<const char *>(PyUnicode_1BYTE_DATA(text));
  const bool is_special =
      std::memcmp(data, "__", 2) == 0 && std::memcmp(data + length - 2, "__", 2) == 0;
  if (!is_special) return nullptr;
  PyObject *interned = PyUnicode_FromStringAndSize(data, length);
  if (interned == nullptr) return nullptr;
  PyUnicode_InternInPlace(&interned);
  const PyRef name = PyRef::steal(interned);
  return is_of_all(interned, &PyUnicode_Type) ? interned : nullptr;
}

}  // namespace

FreezeResult freeze_plain(PyObject *object, ArenaMemory &memory, PyObject *&twin) {
  ArenaMemory::Writer writer(memory);
  Freezer freezer(writer);
  twin = freezer.run(object);
  if (twin == nullptr) return freezer.why();
  if (writer.commit()) return FreezeResult::kDone;
  PyErr_NoMemory();
  return FreezeResult::kFailed;
}

PyObject *Freezer::refuse(FreezeResult why) noexcept {
  why_ = why;
  return nullptr;
}

void *Freezer::allocate(std::size_t size) {
  void *const place = writer_.allocate(size);
  if (place != nullptr) return place;
  if (writer_.is_at_limit())
    PyErr_SetString(PyExc_MemoryError, "the arena would exceed its limit");
  else
    PyErr_NoMemory();
  return refuse(FreezeResult::kFailed);
}

PyObject *Freezer::run(PyObject *object) {
  PyObject *twin = visit(object);
  while (!frames_.empty()) {
    if (why_ != FreezeResult::kDone) return nullptr;
    Frame &frame = frames_.back();
    if (twin != nullptr && !add(frame, twin)) return nullptr;
    PyObject *const child = next_child(frame);
    if (child != nullptr) {
      twin = visit(child);
      continue;
    }
    twin = close(frame);
    if (twin == nullptr) return nullptr;
    if (frame.is_numbered) *twins_.find(frame.object) = reinterpret_cast<std::uintptr_t>(twin);
    frames_.pop_back();
  }
  return twin;
}

PyObject *Freezer::visit(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  if (is_of_all(object, type)) return object;
  if (ArenaMemory *const memory = arena_of(object)) {
    if (writer_.memory().hold(*memory)) return object;
  }
  const bool is_numbered = Py_REFCNT(object) > 1;
  if (is_numbered) {
    if (const std::uint64_t *const seen = twins_.find(object)) {
      if (*seen == 0) return refuse(FreezeResult::kForeign);  // part of itself
      return reinterpret_cast<PyObject *>(static_cast<std::uintptr_t>(*seen));
    }
  }
  PyObject *twin = nullptr;
  if (is_leaf(type)) {
    twin = copy_leaf(object);
  } else if (type == &PyByteArray_Type) {
    const PyRef bytes = PyRef::steal(
        PyBytes_FromStringAndSize(PyByteArray_AS_STRING(object), PyByteArray_GET_SIZE(object)));
    if (!bytes) return refuse(FreezeResult::kFailed);
    twin = is_of_all(bytes.get(), &PyBytes_Type) ? bytes.get() : copy_leaf(bytes.get());
  } else {
    return open(object, is_numbered);
  }
  if (twin != nullptr && is_numbered) twins_.insert(object, reinterpret_cast<std::uintptr_t>(twin));
  return twin;
}

PyObject *Freezer::copy_leaf(PyObject *leaf) {
  if (PyUnicode_CheckExact(leaf)) return copy_text(leaf);
  void *const place = allocate(FrozenLayout::size_of_leaf(leaf));
  return place != nullptr ? FrozenLayout::copy_leaf(place, leaf) : nullptr;
}

PyObject *Freezer::copy_text(PyObject *text) {
  if (PyObject *const name = static_name(text)) return name;
  PyErr_Clear();
  void *const place = allocate(FrozenLayout::size_of_leaf(text));
  if (place == nullptr) return nullptr;
  PyObject *const copy = FrozenLayout::copy_leaf(place, text);
  if (PyUnicode_IS_ASCII(text)) return copy;
  const PyRef utf8 = PyRef::steal(PyUnicode_AsUTF8String(text));
  if (!utf8) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return refuse(FreezeResult::kFailed);
    PyErr_Clear();
    return copy;
  }
  const Py_ssize_t size = PyBytes_GET_SIZE(utf8.get());
  auto *const memory = static_cast<char *>(allocate(static_cast<std::size_t>(size) + 1));
  if (memory == nullptr) return nullptr;
  std::memcpy(memory, PyBytes_AS_STRING(utf8.get()), static_cast<std::size_t>(size) + 1);
  FrozenLayout::set_utf8(copy, memory, size);
  return copy;
}

/// Opens a container. Returns null, unless that is empty and has a twin at once.
PyObject *Freezer::open(PyObject *object, bool is_numbered) {
  PyTypeObject *const type = Py_TYPE(object);
  Frame frame{};
  frame.object = object;
  frame.is_numbered = is_numbered;
  if (type == &PyList_Type || type == &PyTuple_Type) {
    frame.kind = type == &PyList_Type ? Kind::kList : Kind::kTuple;
    frame.size = Py_SIZE(object);                // 0 of a list that is being sorted
    if (frame.size == 0) return PyTuple_New(0);  // of all interpreters, and immortal
    void *const place = allocate(FrozenLayout::size_of_tuple(frame.size));
    if (place == nullptr) return nullptr;
    frame.twin = FrozenLayout::make_tuple(place, frame.size);
    if (frame.twin == nullptr) return refuse(FreezeResult::kFailed);
  } else if (is_set(type)) {
    frame.kind = Kind::kSet;
    frame.size = reinterpret_cast<PySetObject *>(object)->mask + 1;
    frame.collected = PyRef::steal(PySet_New(nullptr));
    if (!frame.collected) return refuse(FreezeResult::kFailed);
  } else {
    frame.kind = Kind::kDict;
    frame.dict = type == &PyDictProxy_Type     ? FrozenLayout::dict_behind(object)
                 : FrozenLayout::is_dict(type) ? object
                                               : nullptr;
    if (frame.dict == nullptr) return refuse(FreezeResult::kForeign);
    frame.collected = PyRef::steal(PyDict_New());
    if (!frame.collected) return refuse(FreezeResult::kFailed);
  }
  if (is_numbered) twins_.insert(object, 0);
  frames_.push_back(std::move(frame));
  return nullptr;
}

/// The next child to be frozen, or null if there is none.
PyObject *Freezer::next_child(Frame &frame) {
  switch (frame.kind) {
    case Kind::kList:
      return frame.next < frame.size ? PyList_GET_ITEM(frame.object, frame.next) : nullptr;
    case Kind::kTuple:
      return frame.next < frame.size ? PyTuple_GET_ITEM(frame.object, frame.next) : nullptr;
    case Kind::kSet: {
      const setentry *const table = reinterpret_cast<PySetObject *>(frame.object)->table;
      while (frame.next < frame.size) {
        const setentry &entry = table[frame.next++];
        if (entry.key != nullptr && entry.hash != -1) return entry.key;
      }
      return nullptr;
    }
    default:
      break;
  }
  if (frame.key != nullptr) return std::exchange(frame.value, nullptr);
  PyObject *key = nullptr;
  return PyDict_Next(frame.dict, &frame.next, &key, &frame.value) != 0 ? key : nullptr;
}

bool Freezer::add(Frame &frame, PyObject *twin) {
  int failure = 0;
  if (frame.twin != nullptr) {
    reinterpret_cast<PyTupleObject *>(frame.twin)->ob_item[frame.next++] = twin;
  } else if (frame.kind == Kind::kSet) {
    failure = PySet_Add(frame.collected.get(), twin);
  } else if (frame.key == nullptr) {
    frame.key = twin;
  } else {
    failure = PyDict_SetItem(frame.collected.get(), std::exchange(frame.key, nullptr), twin);
  }
  if (failure != 0) (void)refuse(FreezeResult::kFailed);
  return failure == 0;
}

PyObject *Freezer::close(Frame &frame) {
  if (frame.kind == Kind::kDict) return copy_dict(frame.collected.get());
  if (frame.kind == Kind::kSet) return copy_set(frame.collected.get());
  FrozenLayout::finish_tuple(frame.twin);
  return frame.twin;
}

PyObject *Freezer::copy_dict(PyObject *dict) {
  const std::size_t table_size = FrozenLayout::size_of_dict_table(dict);
  const std::size_t mapping_size = FrozenLayout::size_of_mapping();
  void *const place = allocate(FrozenLayout::size_of_dict());
  if (place == nullptr) return nullptr;
  void *const table = table_size != 0 ? allocate(table_size) : nullptr;
  if (table == nullptr && table_size != 0) return nullptr;
  void *const mapping = mapping_size != 0 ? allocate(mapping_size) : nullptr;
  if (mapping == nullptr && mapping_size != 0) return nullptr;
  return FrozenLayout::copy_dict(place, table, mapping, dict);
}

PyObject *Freezer::copy_set(PyObject *set) {
  const std::size_t table_size = FrozenLayout::size_of_set_table(set);
  void *const place = allocate(FrozenLayout::size_of_set());
  if (place == nullptr) return nullptr;
  void *const table = table_size != 0 ? allocate(table_size) : nullptr;
  if (table == nullptr && table_size != 0) return nullptr;
  PyObject *const copy = FrozenLayout::copy_set(place, table, set);
  void *const references = allocate(FrozenLayout::size_of_references());
  if (references == nullptr) return nullptr;
  if (!FrozenLayout::add_references(references, copy, set)) return refuse(FreezeResult::kFailed);
  return copy;
}

Message thaw(const Message &message) {
  auto *const object =
      reinterpret_cast<PyObject *>(static_cast<std::uintptr_t>(operand_of(message.header())));
  PyTypeObject *const type = Py_TYPE(object);
  if (type == &PyBytes_Type)
    return Message::from_bytes(
        {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))});
  if (type == &PyFloat_Type) return Message::from_double(PyFloat_AS_DOUBLE(object));
  if (type == &PyLong_Type) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow == 0) return Message::from_int64(value);
  }
  if (type == &PyUnicode_Type && FrozenLayout::has_utf8(object)) {
    Py_ssize_t size = 0;
    const char *const utf8 = PyUnicode_AsUTF8AndSize(object, &size);
    return Message::from_utf8({utf8, static_cast<std::size_t>(size)});
  }
  return message.copy();
}

bool can_freeze() noexcept { return FrozenLayout::kKnown && DictTable::verified(); }

}  // namespace interlock
