// SPDX-License-Identifier: MIT
// Leaves and containers; reduce.cpp has the rest.
#include <bit>
#include <cstring>

#include "transfer/encoder.hpp"
#include "transfer/inline_record.hpp"

namespace interlock {
namespace {

/// How often an object may be met again inside its own constructor arguments before that is taken
/// for endless. An honest cycle ends as soon as it meets an object that was made meanwhile.
constexpr std::uint64_t kMostOpen = 500;

bool fail_changed(const char *what) {
  PyErr_Format(PyExc_RuntimeError, "%s changed size while it was copied", what);
  return false;
}

}  // namespace

Status encode(PyObject *object, const char *root, Message &message) {
  if (const auto record = inline_record_of(object)) {
    message = Message::from_header(*record);
    return {};
  }
  TransferState *const state = transfer_state();
  if (state == nullptr) return Code::kEPYTHON;
  Encoder encoder(*state, root);
  if (!encoder.run(object)) return Code::kEPYTHON;
  message = encoder.take();
  return {};
}

Status encode_noting(PyObject *object, const char *root, Message &message,
                     std::vector<CopiedContainer> &containers) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return Code::kEPYTHON;
  Encoder encoder(*state, root, &containers);
  if (!encoder.run(object)) return Code::kEPYTHON;
  message = encoder.take();
  return {};
}

bool Encoder::run(PyObject *object) {
  if (!write(object)) return false;
  while (!frames_.empty()) {
    if (!step()) return false;
  }
  return true;
}

bool Encoder::step() {
  PyObject *child = nullptr;
  Frame &frame = frames_.back();
  if (!next_child(frame, child)) return false;
  if (child == nullptr) {
    if (!close(frame)) return false;
    frames_.pop_back();
    return true;
  }
  return write(child);
}

/// The next child to write, or null when there is none. False with an exception set.
bool Encoder::next_child(Frame &frame, PyObject *&child) {
  switch (frame.tag) {
    case Tag::kDict:
      return next_of_dict(frame, child);
    case Tag::kReduce:
      return next_of_reduce(frame, child);
    case Tag::kList:
      if (PyList_GET_SIZE(frame.object.get()) != frame.size) return fail_changed("a list");
      if (frame.next == frame.size) return true;
      child = PyList_GET_ITEM(frame.object.get(), frame.next++);
      frame.held = PyRef::borrow(child);
      return true;
    case Tag::kTuple:
      if (frame.next < frame.size) child = PyTuple_GET_ITEM(frame.object.get(), frame.next++);
      return true;
    default:
      if (frame.next < frame.size) child = PyTuple_GET_ITEM(frame.items.get(), frame.next++);
      return true;
  }
}

bool Encoder::next_of_dict(Frame &frame, PyObject *&child) {
  if (PyDict_GET_SIZE(frame.object.get()) != frame.size) return fail_changed("a dict");
  if (std::exchange(frame.value_due, false)) {
    child = frame.value.get();
    return true;
  }
  PyObject *key = nullptr;
  PyObject *value = nullptr;
  if (!PyDict_Next(frame.object.get(), &frame.position, &key, &value))
    return frame.next == frame.size || fail_changed("a dict");
  if (frame.next++ == frame.size) return fail_changed("a dict");
  // Held, since writing them may run code that changes the dict.
  frame.held = PyRef::borrow(key);
  frame.value = PyRef::borrow(value);
  frame.value_due = true;
  child = key;
  return true;
}

bool Encoder::close(Frame &frame) {
  if (frame.tag == Tag::kTuple) return close_tuple(frame);
  if (frame.tag != Tag::kFrozenSet) return true;
  if (made_meanwhile(frame.object.get())) return true;
  put(Tag::kBuild, 0, kNumbered);
  number(frame.object.get());
  return true;
}

/// A tuple gets its number last: what is made from it must not see it half full. Met again before,
/// it is written once more, deeper down.
bool Encoder::close_tuple(Frame &frame) {
  if (!frame.numbered) return true;
  if (const std::uint64_t *const made = numbers_.find(frame.object.get())) {
    put(Tag::kUseTuple, *made);
    body_.words.push_back(numbered_.size());
  } else {
    number(frame.object.get());
  }
  return true;
}

bool Encoder::write(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  bool done = false;
  if (!write_leaf(object, type, done)) return false;
  if (done || write_again(object)) return true;
  if (containers_ != nullptr && !note_container(object, type)) return false;
  if (!open_container(object, type, done)) return false;
  if (done) return true;
  if (PyObject_TypeCheck(object, state_.handle)) return write_shared(object);
  return write_by_parts(object, type);
}

bool Encoder::note_container(PyObject *object, PyTypeObject *type) {
  if (!frames_.empty() && frames_.back().is_inside) return true;
  const bool is_known = PyList_Check(object) || PyDict_Check(object) || PySet_Check(object) ||
                        PyByteArray_Check(object) ||
                        std::strcmp(type->tp_name, "collections.deque") == 0 ||
                        std::strcmp(type->tp_name, "array.array") == 0;
  if (!is_known) return true;
  if (PyByteArray_Check(object) && !ByteArrayStorage::is_plain(object))
    return refuse(object, "it cannot be emptied while a view of it exists");
  CopiedContainer &copied = containers_->emplace_back();
  copied.object = PyRef::borrow(object);
  if (PySet_Check(object)) {
    copied.elements = PyRef::steal(PySet_New(object));
    return static_cast<bool>(copied.elements);
  }
  copied.size = PyObject_Size(object);
  return copied.size >= 0;
}

bool Encoder::write_leaf(PyObject *object, PyTypeObject *type, bool &written) {
  written = true;
  if (type == &PyUnicode_Type) {
    if (Py_REFCNT(object) > 1 && write_again(object)) return true;
    write_text(object);
  } else if (type == &PyLong_Type) {
    return write_int(object);
  } else if (type == &PyFloat_Type) {
    put(Tag::kFloat);
    body_.words.push_back(std::bit_cast<std::uint64_t>(PyFloat_AS_DOUBLE(object)));
  } else if (Py_IsNone(object)) {
    put(Tag::kNone);
  } else if (type == &PyBool_Type) {
    put(Py_IsTrue(object) ? Tag::kTrue : Tag::kFalse);
  } else if (type == &PyBytes_Type) {
    const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(object));
    if (Py_REFCNT(object) > 1 && write_again(object)) return true;
    const bool shared = Py_REFCNT(object) > 1;
    write_data(Tag::kBytes, size, PyBytes_AS_STRING(object), size, shared ? kNumbered : 0);
    if (shared) number(object);
  } else if (type == &PyComplex_Type) {
    const Py_complex value = PyComplex_AsCComplex(object);
    put(Tag::kComplex);
    body_.words.push_back(std::bit_cast<std::uint64_t>(value.real));
    body_.words.push_back(std::bit_cast<std::uint64_t>(value.imag));
  } else if (object == Py_Ellipsis) {
    put(Tag::kEllipsis);
  } else if (object == Py_NotImplemented) {
    put(Tag::kNotImplemented);
  } else {
    written = false;
  }
  return true;
}

bool Encoder::write_int(PyObject *object) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    if (value >= kSmallestInt && value <= kLargestInt) {
      put(Tag::kInt, static_cast<std::uint64_t>(value));
    } else {
      put(Tag::kBigInt, 8);
      body_.words.push_back(static_cast<std::uint64_t>(value));
    }
    return true;
  }
  constexpr int kSigned = Py_ASNATIVEBYTES_LITTLE_ENDIAN;
  const Py_ssize_t size = PyLong_AsNativeBytes(object, nullptr, 0, kSigned);
  if (size < 0) return false;
  const auto count = static_cast<std::size_t>(size);
  const std::size_t start = body_.words.size();
  put(Tag::kBigInt, count);
  body_.words.resize(start + 1 + words_for(count));
  return PyLong_AsNativeBytes(object, body_.words.data() + start + 1, size, kSigned) >= 0;
}

void Encoder::write_text(PyObject *object) {
  const auto length = static_cast<std::size_t>(PyUnicode_GET_LENGTH(object));
  const auto kind = static_cast<std::size_t>(PyUnicode_KIND(object));
  Tag tag = Tag::kUcs4;
  if (PyUnicode_IS_ASCII(object))
    tag = Tag::kAscii;
  else if (kind == PyUnicode_1BYTE_KIND)
    tag = Tag::kLatin1;
  else if (kind == PyUnicode_2BYTE_KIND)
    tag = Tag::kUcs2;
  const bool shared = Py_REFCNT(object) > 1;
  write_data(tag, length, PyUnicode_DATA(object), length * kind,
             (shared ? kNumbered : 0) | (PyUnicode_CHECK_INTERNED(object) ? kInterned : 0));
  if (shared) number(object);
}

void Encoder::write_data(Tag tag, std::size_t count, const void *data, std::size_t size,
                         std::uint64_t flags) {
  put(tag, count, flags);
  const std::size_t start = body_.words.size();
  body_.words.resize(start + words_for(size));
  if (size != 0) std::memcpy(body_.words.data() + start, data, size);
}

bool Encoder::write_again(PyObject *object) {
  const std::uint64_t *const seen = numbers_.find(object);
  if (seen == nullptr) return false;
  put(Tag::kAgain, *seen);
  return true;
}

void Encoder::number(PyObject *object) {
  numbers_.insert(object, numbered_.size());
  numbered_.push_back(PyRef::borrow(object));
}

bool Encoder::write_shared(PyObject *object) {
  Shared *const shared = reinterpret_cast<HandleObject *>(object)->shared;
  if (shared == nullptr) return refuse(object, "it is closed");
  put(Tag::kShared, body_.shared.size(), kNumbered);
  body_.shared.emplace_back(shared);
  number(object);
  return true;
}

void Encoder::push(Tag tag, PyObject *object, PyRef items, Py_ssize_t size) {
  Frame frame;
  frame.tag = tag;
  frame.object = PyRef::borrow(object);
  frame.items = std::move(items);
  frame.size = size;
  frame.is_inside = tag == Tag::kReduce || (!frames_.empty() && frames_.back().is_inside);
  frames_.push_back(std::move(frame));
}

bool Encoder::open_container(PyObject *object, PyTypeObject *type, bool &opened) {
  opened = true;
  if (type == &PyList_Type) return open_items(Tag::kList, object, PyList_GET_SIZE(object));
  if (type == &PyDict_Type) return open_items(Tag::kDict, object, PyDict_GET_SIZE(object));
  if (type == &PyTuple_Type) return open_items(Tag::kTuple, object, PyTuple_GET_SIZE(object));
  if (type == &PySet_Type) return open_elements(Tag::kSet, object);
  if (type == &PyFrozenSet_Type) return open_elements(Tag::kFrozenSet, object);
  opened = type == &PyByteArray_Type;
  if (!opened) return true;
  const auto size = static_cast<std::size_t>(PyByteArray_GET_SIZE(object));
  write_data(Tag::kByteArray, size, PyByteArray_AS_STRING(object), size, kNumbered);
  number(object);
  return true;
}

bool Encoder::open_items(Tag tag, PyObject *object, Py_ssize_t size) {
  // Only its one holder leads to a tuple with one reference: it needs no number.
  const bool numbered = tag != Tag::kTuple || Py_REFCNT(object) > 1;
  put(tag, static_cast<std::uint64_t>(size), numbered ? kNumbered : 0);
  if (tag != Tag::kTuple) number(object);
  push(tag, object, {}, size);
  frames_.back().numbered = numbered;
  return true;
}

bool Encoder::open_elements(Tag tag, PyObject *object) {
  PyRef elements = PyRef::steal(PySequence_Tuple(object));
  if (!elements) return false;
  const Py_ssize_t size = PyTuple_GET_SIZE(elements.get());
  if (tag == Tag::kFrozenSet) {
    put(tag, static_cast<std::uint64_t>(size));
    return open_late(tag, object, std::move(elements), size);
  }
  put(tag, static_cast<std::uint64_t>(size), kNumbered);
  number(object);
  push(tag, object, std::move(elements), size);
  return true;
}

/// Opens an object that exists only after its children, so that it may be met again before it has a
/// number; it is then written once more, deeper down, and closed here with kUse (as CPython's
/// pickle does, issue 12687).
bool Encoder::open_late(Tag tag, PyObject *object, PyRef items, Py_ssize_t size) {
  if (std::uint64_t *const count = open_counts_.find(object)) {
    if (++*count > kMostOpen) return refuse(object, "it is part of its own constructor arguments");
  } else {
    open_counts_.insert(object, 1);
  }
  push(tag, object, std::move(items), size);
  return true;
}

/// Ends the open time of an object; true, and it is closed, if it was made deeper down.
bool Encoder::made_meanwhile(PyObject *object) {
  --*open_counts_.find(object);
  const std::uint64_t *const made = numbers_.find(object);
  if (made == nullptr) return false;
  put(Tag::kUse, *made);
  return true;
}

}  // namespace interlock
