// SPDX-License-Identifier: MIT
// Leaves and containers; reduce.cpp has the rest.
#include <algorithm>
#include <bit>
#include <cstring>

#include "transfer/encoder.hpp"
#include "transfer/explain.hpp"
#include "transfer/flat.hpp"
#include "transfer/freeze.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/leaves.hpp"
#include "transfer/plain.hpp"
#include "transfer/slots.hpp"

namespace interlock {
namespace {

/// How often an object may be met again inside its own constructor arguments before that is taken
/// for endless. An honest cycle ends as soon as it meets an object that was made meanwhile.
constexpr std::uint64_t kMostOpen = 500;

[[nodiscard]] bool is_leaf(PyObject *object) noexcept {
  PyTypeObject *const type = Py_TYPE(object);
  return type == &PyUnicode_Type || type == &PyLong_Type || type == &PyFloat_Type ||
         type == &PyBytes_Type || type == &PyComplex_Type || type == &PyBool_Type ||
         Py_IsNone(object);
}

[[nodiscard]] bool has_only_leaves(PyObject *set) noexcept {
  bool all = true;
  for_each_element(set, [&](PyObject *element) { all = all && is_leaf(element); });
  return all;
}

/// `set_up(encoder)` is called before it runs.
template <typename SetUp>
Status encode_with(TransferState &state, const char *root, PyObject *object, Message &message,
                   Move *move, SetUp set_up) {
  Encoder encoder(state, root, move);
  set_up(encoder);
  if (encoder.run(object, message)) {
    count_sent(state, message);
    return {};
  }
  if (move != nullptr) move->undo();
  return Code::kEPYTHON;
}

template <typename SetUp>
Status encode_with(const char *root, PyObject *object, Message &message, Move *move, SetUp set_up) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return Code::kEPYTHON;
  return encode_with(*state, root, object, message, move, set_up);
}

}  // namespace

Status encode(PyObject *object, const char *root, Message &message, Move *move) {
  TransferState *const state = transfer_state();
  return state != nullptr ? encode(*state, object, root, message, move) : Status(Code::kEPYTHON);
}

Status encode(TransferState &state, PyObject *object, const char *root, Message &message,
              Move *move) {
  if (ArenaMemory *const memory = arena_of(object)) {
    state.pins->take_reference(*memory);
    message = Message::adopt_frozen(object);
    return {};
  }
  if (const auto record = inline_record_of(object)) {
    message = Message::from_header(*record);
    return {};
  }
  if (encode_flat(state, object, message)) {
    count_sent(state, message);
    return {};
  }
  return encode_with(state, root, object, message, move, [](Encoder &) {});
}

Status encode_for_many(PyObject *object, const char *root, Message &message) {
  return encode_with(root, object, message, nullptr,
                     [](Encoder &encoder) { encoder.set_read_often(); });
}

Status encode_giving(PyObject *object, PyObject *exception, const char *root, Message &message,
                     Move &move) {
  return encode_with(root, object, message, &move,
                     [&](Encoder &encoder) { encoder.set_given(exception); });
}

Status encode_moving(PyObject *object, const char *root, Message &message, Move &move) {
  return encode_with(root, object, message, &move, [](Encoder &encoder) { encoder.set_moving(); });
}

inline void Encoder::write_text(PyObject *object, std::uint64_t flags) {
  if (is_character(object)) return put_character(records_, object);
  const bool is_shared = Py_REFCNT(object) > 1;
  if (is_shared && write_again(object)) return;
  put_text(records_, object, flags | number_if(is_shared, object));
}

bool Encoder::write_leaf(PyObject *object) {
  if (explainer_ != nullptr) [[unlikely]]
    return explainer_->write_leaf(*this, object);
  PyTypeObject *const type = Py_TYPE(object);
  if (ArenaMemory *const memory = arena_of(object)) [[unlikely]] {
    write_frozen(object, *memory);
  } else if (type == &PyUnicode_Type) {
    write_text(object);
  } else if (type == &PyLong_Type) {
    if (is_compact_int(object)) {
      records_.put(record_of_compact_int(object));
    } else {
      write_int(object);
    }
  } else if (type == &PyFloat_Type) {
    put(Tag::kFloat);
    records_.put(std::bit_cast<std::uint64_t>(PyFloat_AS_DOUBLE(object)));
  } else if (type == &PyBytes_Type) {
    write_bytes(object);
  } else {
    return !is_plain_container(type) && write_constant(object);
  }
  return true;
}

/// As write_leaf(), of what the receiver will look things up by. Other strings cost more to intern
/// than that is worth.
bool Encoder::write_key(PyObject *object) {
  if (explainer_ != nullptr) [[unlikely]]
    return put_leaf(object);  // no part of its own
  if (!PyUnicode_CheckExact(object) || arena_of(object) != nullptr) return write_leaf(object);
  write_text(object, PyUnicode_CHECK_INTERNED(object) ? kInterned : 0);
  return true;
}

void Encoder::write_frozen(PyObject *object, ArenaMemory &memory) {
  if (&memory != last_arena_) {
    const auto same = [&](const Ref<Shared> &each) { return each.get() == &memory; };
    if (std::none_of(records_.shared.begin(), records_.shared.end(), same)) {
      records_.shared.emplace_back(&memory);
      ++records_.objects;
    }
    last_arena_ = &memory;
  }
  --records_.objects;  // an arena counts as one
  put(Tag::kFrozen, reinterpret_cast<std::uintptr_t>(object));
}

bool Encoder::fail_changed(const char *what) {
  PyErr_Format(PyExc_RuntimeError, "%s changed size while it was copied", what);
  return false;
}

bool Encoder::run(PyObject *object, Message &message) {
  bool is_done = walk(object);
  if (starts_again_) is_done = walk_again(object);
  if (is_done && !marked_.empty() && !hand_over_marked()) {
    if (PyErr_Occurred()) return false;
    copies_marked_ = true;
    is_done = walk_again(object);
  }
  if (!is_done) return false;
  if (is_careful_) records_.plain_containers = 0;
  if (records_.take(message)) return true;
  PyErr_NoMemory();
  return false;
}

inline bool Encoder::walk(PyObject *object) {
  if (!write(object)) return false;
  while (!frames_.empty()) {
    if (!step(frames_.back())) return false;
  }
  return true;
}

/// Carefully.
bool Encoder::walk_again(PyObject *object) {
  forget();
  if (explainer_ != nullptr) explainer_->forget();
  if (move_ != nullptr) move_->undo();
  if (parts_ != nullptr) parts_->clear();
  starts_again_ = false;
  is_careful_ = true;
  return walk(object);
}

bool Encoder::is_careful_now() {
  if (is_careful_) return true;
  is_careful_ = true;
  starts_again_ = records_.size() != 0;
  return !starts_again_;
}

void Encoder::forget() noexcept {
  for (Frame &frame : frames_) release(frame);
  frames_.clear();
  records_.clear();
  last_arena_ = nullptr;
  numbers_.clear();
  numbered_.clear();
  marked_.clear();
  given_contents_.clear();
  part_indices_.clear();
  next_number_ = 0;
  open_counts_.clear();
  shapes_.clear();
  forget_layouts();
}

void Encoder::release(Frame &frame) noexcept {
  Py_XDECREF(frame.items);
  Py_XDECREF(frame.value);
  if (!is_careful_ || starts_again_) return;
  Py_DECREF(frame.object);
  Py_XDECREF(frame.child);
}

void Encoder::hold(PyObject *&place, PyObject *child) noexcept {
  if (is_careful_) {
    Py_XINCREF(child);
    const PyRef before = PyRef::steal(std::exchange(place, child));
  } else {
    place = child;
  }
}

/// Writes children up to one that has some itself, which is then on top, or to the last one.
inline bool Encoder::step(Frame &frame) {
  switch (frame.tag) {
    case Tag::kList:
      return step_list(frame);
    case Tag::kTuple:
      return step_items(frame, frame.object);
    case Tag::kDict:
      return step_dict(frame);
    case Tag::kDictOf:
      return step_shaped(frame);
    case Tag::kReduce:
      return step_reduce(frame);
    case Tag::kMoved:
      return step_marked(frame);
    case Tag::kInstance:
      return step_instance(frame);
    case Tag::kLayout:
      return step_layout(frame);
    default:
      return step_items(frame, frame.items);
  }
}

bool Encoder::step_list(Frame &frame) {
  while (frame.next != frame.size) {
    if (PyList_GET_SIZE(frame.object) != frame.size) return fail_changed("a list");
    PyObject *const child = PyList_GET_ITEM(frame.object, frame.next++);
    if (write_leaf(child)) continue;
    hold(frame.child, child);
    return write_other(child);
  }
  if (PyList_GET_SIZE(frame.object) != frame.size) return fail_changed("a list");
  return pop(frame);
}

inline bool Encoder::step_items(Frame &frame, PyObject *items) {
  while (frame.next != frame.size) {
    PyObject *const child = PyTuple_GET_ITEM(items, frame.next++);
    if (!write_leaf(child)) return write_other(child);
  }
  return close(frame) && pop(frame);
}

bool Encoder::step_dict(Frame &frame) {
  for (;;) {
    if (PyDict_GET_SIZE(frame.object) != frame.size) return fail_changed("a dict");
    PyRef value = PyRef::steal(std::exchange(frame.value, nullptr));
    if (!value) {
      PyObject *key = nullptr;
      PyObject *next = nullptr;
      const bool is_there = PyDict_Next(frame.object, &frame.position, &key, &next) != 0;
      if (!is_there && frame.next == frame.size) return pop(frame);
      if (!is_there || frame.next++ == frame.size) return fail_changed("a dict");
      hold(frame.child, key);
      value = PyRef::borrow(next);
      if (!write_key(key)) {
        frame.value = value.release();
        return write_other(key);
      }
    }
    if (!write_leaf(value.get())) return write_other(value.get());
  }
}

inline bool Encoder::step_shaped(Frame &frame) {
  const auto shape = static_cast<std::size_t>(frame.position);
  while (frame.next != frame.size) {
    PyObject **const pairs = ShapeCache::pairs_of(frame.object);
    if (pairs == nullptr || PyDict_GET_SIZE(frame.object) != frame.size ||
        pairs[2 * frame.next] != key_of(shape, static_cast<std::size_t>(frame.next)))
      return fail_changed("a dict");
    PyObject *const value = pairs[2 * frame.next++ + 1];
    if (write_leaf(value)) continue;
    hold(frame.child, value);
    return write_other(value);
  }
  return pop(frame);
}

bool Encoder::pop(Frame &frame) {
  release(frame);
  frames_.pop_back();
  return true;
}

bool Encoder::close(Frame &frame) {
  if (frame.tag == Tag::kTuple) return close_tuple(frame);
  if (frame.tag != Tag::kFrozenSet) return true;
  if (made_meanwhile(frame)) return true;
  put(Tag::kBuild, 0, kNumbered);
  number(frame.object);
  return true;
}

/// A tuple gets its number last: what is made from it must not see it half full. Met again before,
/// it is written once more, deeper down.
bool Encoder::close_tuple(Frame &frame) {
  if (!frame.numbered) return true;
  if (const std::uint64_t *const made = numbers_.find(frame.object)) {
    put(Tag::kUseTuple, *made);
    records_.put(next_number_);
  } else {
    number(frame.object);
  }
  return true;
}

bool Encoder::write(PyObject *object) { return write_leaf(object) || write_other(object); }

bool Encoder::write_constant(PyObject *object) {
  if (Py_IsNone(object)) {
    put(Tag::kNone);
  } else if (PyBool_Check(object)) {
    put(Py_IsTrue(object) ? Tag::kTrue : Tag::kFalse);
  } else if (PyComplex_CheckExact(object)) {
    const Py_complex value = PyComplex_AsCComplex(object);
    put(Tag::kComplex);
    records_.put(std::bit_cast<std::uint64_t>(value.real));
    records_.put(std::bit_cast<std::uint64_t>(value.imag));
  } else if (object == Py_Ellipsis) {
    put(Tag::kEllipsis);
  } else if (object == Py_NotImplemented) {
    put(Tag::kNotImplemented);
  } else {
    return false;
  }
  return true;
}

void Encoder::write_int(PyObject *object) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) {
    if (value >= kSmallestInt && value <= kLargestInt) {
      put(Tag::kInt, static_cast<std::uint64_t>(value));
    } else {
      put(Tag::kBigInt, 8);
      records_.put(static_cast<std::uint64_t>(value));
    }
    return;
  }
  constexpr int kSigned = Py_ASNATIVEBYTES_LITTLE_ENDIAN;
  const Py_ssize_t size = PyLong_AsNativeBytes(object, nullptr, 0, kSigned);
  const auto count = static_cast<std::size_t>(size);
  void *const room = records_.put_room(make_header(Tag::kBigInt, count), count);
  if (room != nullptr) (void)PyLong_AsNativeBytes(object, room, size, kSigned);
}

void Encoder::write_bytes(PyObject *object) {
  const auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(object));
  const bool is_shared = size > 1 && Py_REFCNT(object) > 1;
  if (is_shared && write_again(object)) return;
  records_.put_data(make_header(Tag::kBytes, size, number_if(is_shared, object)),
                    PyBytes_AS_STRING(object), size);
}

bool Encoder::put_other(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  if (survey_ != nullptr && survey_->is_part(object)) {
    write_part(object);
    return true;
  }
  if (needs_number(object) && write_again(object)) return true;
  if (state_.shells != nullptr) {
    if (FrozenShell *const shell = state_.shells->find(object)) {
      write_reference(object, shell);
      return true;
    }
  }
  if (moves() && !note_container(object)) return false;
  bool done = false;
  if (!open_container(object, type, done)) return false;
  if (done) return true;
  if (PyObject_TypeCheck(object, state_.handle)) return write_shared(object);
  if (type == state_.moved) return write_marked(object);
  const bool is_defined =
      PyType_Check(object) != 0 || PyFunction_Check(object) || PyCFunction_CheckExact(object);
  if (!(is_defined ? write_known(object, done) : write_instance(object, type, done))) return false;
  return done || (is_careful_now() && write_by_parts(object, type));
}

bool Encoder::write_again(PyObject *object) {
  const std::uint64_t *const seen = numbers_.find(object);
  if (seen == nullptr) return false;
  put(Tag::kAgain, *seen);
  return true;
}

void Encoder::number(PyObject *object) {
  numbers_.insert(object, next_number_++);
  if (is_careful_) numbered_.push_back(PyRef::borrow(object));
}

bool Encoder::write_shared(PyObject *object, PyObject *handle) {
  Shared *const shared = reinterpret_cast<HandleObject *>(handle)->shared;
  if (shared == nullptr) return refuse(object, "it is closed");
  write_reference(object, shared);
  return true;
}

void Encoder::write_reference(PyObject *object, Shared *shared) {
  put(Tag::kShared, records_.shared.size(), number_if(true, object));
  records_.shared.emplace_back(shared);
}

void Encoder::write_part(PyObject *object) {
  const std::uint64_t *const index = part_indices_.find(object);
  if (index == nullptr) {
    part_indices_.insert(object, parts_->size());
    parts_->push_back(PyRef::borrow(object));
  }
  put(Tag::kPart, index != nullptr ? *index : parts_->size() - 1);
}

bool Encoder::push_items(Tag tag, PyObject *object, PyRef items, Py_ssize_t size) {
  if (!push(tag, object, size)) return false;
  frames_.back().items = items.release();
  return true;
}

bool Encoder::open_container(PyObject *object, PyTypeObject *type, bool &opened) {
  opened = true;
  if (type == &PyList_Type) return open_list(object);
  if (type == &PyDict_Type) return open_dict(object);
  if (type == &PyTuple_Type) return open_tuple(object);
  if (type == &PySet_Type) return open_elements(Tag::kSet, object);
  if (type == &PyFrozenSet_Type) return open_elements(Tag::kFrozenSet, object);
  opened = type == &PyByteArray_Type;
  if (opened && moves() && !is_inside()) {
    bool done = false;
    if (!hand_over_bytes(object, done) || done) return done;
  }
  if (opened) write_bytearray(object);
  return true;
}

bool Encoder::open_list(PyObject *list) {
  const Py_ssize_t size = PyList_GET_SIZE(list);
  put(Tag::kList, static_cast<std::uint64_t>(size), number_if(needs_number(list), list));
  return size == 0 || push(Tag::kList, list, size);
}

bool Encoder::open_tuple(PyObject *tuple) {
  const Py_ssize_t size = PyTuple_GET_SIZE(tuple);
  const bool is_numbered = size != 0 && Py_REFCNT(tuple) > 1;
  const bool is_early = is_numbered && !is_careful_;
  put(Tag::kTuple, static_cast<std::uint64_t>(size),
      (is_numbered ? kNumbered : 0) | (is_early ? kEarly : 0));
  if (is_early) number(tuple);
  if (size == 0) return true;
  if (!push(Tag::kTuple, tuple, size)) return false;
  frames_.back().numbered = is_numbered && !is_early;
  return true;
}

bool Encoder::open_dict(PyObject *dict) {
  const Py_ssize_t size = PyDict_GET_SIZE(dict);
  if (PyObject **const pairs = ShapeCache::pairs_of(dict)) {
    const auto count = static_cast<std::size_t>(size);
    std::size_t shape = find_known_shape(pairs, count);
    if (shape == ShapeCache::kNone) shape = shapes_.find(pairs, count);
    if (shape == ShapeCache::kNew) shape = add_shape(pairs, count);
    if (shape != ShapeCache::kNone) return open_shaped(dict, shape);
  }
  put(Tag::kDict, static_cast<std::uint64_t>(size), number_if(needs_number(dict), dict));
  return size == 0 || push(Tag::kDict, dict, size);
}

bool Encoder::open_shaped(PyObject *dict, std::size_t shape) {
  const Py_ssize_t size = PyDict_GET_SIZE(dict);
  records_.put(header_of_shape(Tag::kDictOf, shape) | number_if(needs_number(dict), dict));
  if (!push(Tag::kDictOf, dict, size)) return false;
  frames_.back().position = static_cast<Py_ssize_t>(shape);
  return true;
}

bool Encoder::open_elements(Tag tag, PyObject *set) {
  const Py_ssize_t size = PySet_GET_SIZE(set);
  const bool is_late = tag == Tag::kFrozenSet;
  if (has_only_leaves(set)) {
    records_.objects += static_cast<std::uint32_t>(size);
    put(tag, static_cast<std::uint64_t>(size), is_late ? 0 : number_if(needs_number(set), set));
    for_each_element(set, [&](PyObject *element) { (void)write_leaf(element); });
    if (is_late) put(Tag::kBuild, 0, number_if(true, set));
    return true;
  }
  PyRef elements = PyRef::steal(PySequence_Tuple(set));
  if (!elements) return false;
  put(tag, static_cast<std::uint64_t>(size), is_late ? 0 : number_if(needs_number(set), set));
  return is_late ? open_late(tag, set, std::move(elements), size)
                 : push_items(tag, set, std::move(elements), size);
}

/// Opens an object that exists only after its children, so that it may be met again before it has a
/// number; it is then written once more, deeper down, and closed here with kUse (as CPython's
/// pickle does, issue 12687).
bool Encoder::open_late(Tag tag, PyObject *object, PyRef items, Py_ssize_t size) {
  // What is open so often fills as many frames: until then, none needs to be counted.
  if (frames_.size() >= kMostOpen) {
    if (std::uint64_t *const count = open_counts_.find(object)) {
      if (++*count > kMostOpen)
        return refuse(object, "it is part of its own constructor arguments");
    } else {
      open_counts_.insert(object, 1);
    }
  }
  if (!push_items(tag, object, std::move(items), size)) return false;
  frames_.back().position = static_cast<Py_ssize_t>(next_number_);
  return true;
}

bool Encoder::made_meanwhile(const Frame &frame) {
  PyObject *const object = frame.object;
  if (std::uint64_t *const count = open_counts_.find(object); count != nullptr && *count != 0)
    --*count;
  if (static_cast<std::uint64_t>(frame.position) == next_number_) return false;
  const std::uint64_t *const made = numbers_.find(object);
  if (made == nullptr) return false;
  put(Tag::kUse, *made);
  return true;
}

}  // namespace interlock
