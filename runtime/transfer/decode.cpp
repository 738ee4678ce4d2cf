// SPDX-License-Identifier: MIT
#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "interpreter/arena_pins.hpp"
#include "transfer/decoder.hpp"
#include "transfer/flat.hpp"
#include "transfer/freeze.hpp"
#include "transfer/holes.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/leaves.hpp"
#include "transfer/rebuild.hpp"

namespace interlock {
namespace {

/// An empty list with memory for `size` items.
[[nodiscard]] PyObject *new_list(std::size_t size) noexcept {
  PyObject *const list = PyList_New(static_cast<Py_ssize_t>(size));
  if (list != nullptr) Py_SET_SIZE(reinterpret_cast<PyVarObject *>(list), 0);
  return list;
}

/// Appends, taking over `item`.
[[nodiscard]] bool append(PyObject *object, PyObject *item) noexcept {
  auto *const list = reinterpret_cast<PyListObject *>(object);
  const Py_ssize_t size = PyList_GET_SIZE(object);
  if (size < list->allocated) {
    list->ob_item[size] = item;
    Py_SET_SIZE(&list->ob_base, size + 1);
    return true;
  }
  const PyRef owned = PyRef::steal(item);
  return PyList_Append(object, item) == 0;
}

[[nodiscard]] PyObject *read_frozen(TransferState &state, std::uint64_t header) {
  auto *const object =
      reinterpret_cast<PyObject *>(static_cast<std::uintptr_t>(operand_of(header)));
  state.pins->pin(*ArenaMemory::of(object));
  return object;  // it has no references to count
}

}  // namespace

PyObject *decode(const Message &message) {
  TransferState *const state = transfer_state();
  return state != nullptr ? decode(*state, message) : nullptr;
}

PyObject *decode(TransferState &state, const Message &message) {
  if (is_inline_int(message)) return state.ints.make(inline_int(message));
  if (message.is_frozen()) return read_frozen(state, message.header());
  const Message::Body *const body = message.body();
  if (body != nullptr && body->is_flat) return decode_flat(state, message);
  return decode_first(message, SIZE_MAX);
}

PyObject *consume_frozen(TransferState &state, Message &message) {
  auto *const object = static_cast<PyObject *>(message.leak_frozen());
  state.pins->adopt_reference(*ArenaMemory::of(object));
  return object;
}

PyObject *decode_first(const Message &message, std::size_t count) {
  return Decoder(message, count).run();
}

Decoder::~Decoder() {
  for (Frame &frame : frames_) release(frame);
  for (PyObject *const each : numbered_) Py_XDECREF(each);
}

PyObject **Decoder::add_number() {
  PyObject **const place = numbered_.add();
  CHECK(place != nullptr);
  return place;
}

void Decoder::release(Frame &frame) noexcept {
  Py_XDECREF(frame.object);
  Py_XDECREF(frame.first);
  Py_XDECREF(frame.second);
}

PyObject *Decoder::run() {
  constexpr std::size_t kMany = 1000;
  const Message::Body *const body = message_.body();
  const bool pauses = body != nullptr && body->plain_containers >= kMany;
  if (pauses) pause_.begin();
  PyRef object = PyRef::steal(read_all());
  TransferState *const state = pauses && object ? transfer_state() : nullptr;
  if (state != nullptr) pause_.end(state->pace);
  return object.release();
}

inline PyObject *Decoder::read_all() {
  for (;;) {
    PyObject *object = nullptr;
    if (!frames_.empty() && !fill(frames_.back())) return nullptr;
    if (!frames_.empty() && is_complete(frames_.back())) {
      if (!close(frames_.back(), object)) return nullptr;
    } else if (!read(object)) {
      return nullptr;
    }
    if (object == nullptr) continue;
    if (frames_.empty()) return object;
    if (!add(frames_.back(), object)) return nullptr;
  }
}

inline bool Decoder::fill(Frame &frame) {
  while (frame.have != frame.size && is_leaf(*next_)) {
    PyObject *const child = read_numbered_leaf(*next_++);
    if (child == nullptr || !add(frame, child)) return false;
  }
  return true;
}

inline bool Decoder::close(Frame &frame, PyObject *&object) {
  if (frame.tag == Tag::kInstance && !finish_instance(frame)) return false;
  object = std::exchange(frame.object, nullptr);
  if (object != nullptr) track(frame, object);
  if (frame.tag == Tag::kTuple && frame.slot != 0) object = close_tuple(object);
  release(frame);
  frames_.pop_back();
  return true;
}

void Decoder::track(const Frame &frame, PyObject *object) {
  if (!frame.is_own) return;
  // A tuple that leads to no cycle need not be visited, as CPython's collector finds out by itself.
  if (frame.has_objects && PyObject_GC_IsTracked(object) == 0) PyObject_GC_Track(object);
  if (pause_.is_on() && PyObject_GC_IsTracked(object) != 0) pause_.add(object);
}

inline PyObject *Decoder::read_numbered_leaf(std::uint64_t header) {
  PyObject *const object = read_leaf(header);
  if ((header & kNumbered) != 0 && object != nullptr) number(object);
  return object;
}

inline bool Decoder::read(PyObject *&object) {
  const std::uint64_t header = *next_++;
  switch (tag_of(header)) {
    case Tag::kTuple:
    case Tag::kList:
    case Tag::kSet:
    case Tag::kFrozenSet:
    case Tag::kDict:
    case Tag::kDictOf:
    case Tag::kLayout:
    case Tag::kInstance:
    case Tag::kGlobal:
    case Tag::kModule:
    case Tag::kReduce:
      return open(header);
    case Tag::kBuild:
      return build(header);
    case Tag::kUse:
      return use(header);
    case Tag::kShape:
      return read_shape(static_cast<std::size_t>(operand_of(header))) && read(object);
    default:
      object = read_numbered_leaf(header);
      return object != nullptr;
  }
}

PyObject *Decoder::read_leaf(std::uint64_t header) {
  const auto operand = static_cast<std::size_t>(operand_of(header));
  const auto size = static_cast<Py_ssize_t>(operand);
  switch (tag_of(header)) {
    case Tag::kAgain:
      return Py_NewRef(numbered(operand));
    case Tag::kDefinition:
      return read_definition(*message_.body()->shared()[operand]);
    case Tag::kFrozen: {
      TransferState *const state = transfer_state();
      return state != nullptr ? read_frozen(*state, header) : nullptr;
    }
    case Tag::kKnownGlobal:
      return read_known_global(operand);
    case Tag::kMoved:
      return read_moved(static_cast<MovedGraph &>(*message_.body()->shared()[operand]));
    case Tag::kPart:
      return Py_NewRef(graph_->parts[operand]);
    case Tag::kMarked:
      return read_marked(size);
    case Tag::kShared:
      return wrap_shared(Ref<Shared>(message_.body()->shared()[operand]));
    default:
      return read_plain_leaf(header, next_);
  }
}

PyObject *Decoder::read_moved(MovedGraph &graph) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return nullptr;
  state->pace.before_attaching(graph.containers.size());
  for (const Ref<ArenaMemory> &each : graph.arenas) state->pins->pin(*each);
  return receive(graph);
}

PyObject *Decoder::read_marked(Py_ssize_t index) {
  if (!marked_)
    marked_ =
        PyRef::steal(read_moved(static_cast<MovedGraph &>(*message_.body()->shared().back())));
  return marked_ ? Py_NewRef(PyList_GET_ITEM(marked_.get(), index)) : nullptr;
}

/// The keys of a shape, as a dict to be copied.
bool Decoder::read_shape(std::size_t size) {
  PyRef shape = PyRef::steal(PyDict_New());
  for (std::size_t i = 0; shape && i < size; ++i) {
    PyObject *object = nullptr;
    if (!read(object)) return false;
    const PyRef key = PyRef::steal(object);
    if (PyDict_SetItem(shape.get(), key.get(), Py_None) != 0) return false;
  }
  shapes_.push_back(std::move(shape));
  return static_cast<bool>(shapes_.back());
}

bool Decoder::open(std::uint64_t header) {
  Frame *const added = frames_.add();
  if (added == nullptr) {
    PyErr_NoMemory();
    return false;
  }
  Frame &frame = *added;
  frame = {.tag = tag_of(header)};
  switch (frame.tag) {
    case Tag::kGlobal:
    case Tag::kModule:
      frame.size = frame.tag == Tag::kGlobal ? 2 : 1;
      frame.slot = numbered_.size();
      *add_number() = nullptr;
      break;
    case Tag::kReduce:
      frame.size = 2;
      frame.slot = static_cast<std::size_t>(operand_of(header));
      break;
    case Tag::kLayout:
      frame.size = 1;
      if (!set_shape(frame, header)) return false;
      break;
    case Tag::kInstance:
      frame.slot = static_cast<std::size_t>(operand_of(header));
      if (!open_instance(frame)) return false;
      if ((header & kNumbered) != 0) number(frame.object);
      break;
    case Tag::kFrozenSet:
      frame.size = static_cast<std::size_t>(operand_of(header));
      frame.first = new_list(frame.size);
      if (frame.first == nullptr) return false;
      break;
    default:
      return open_container(frame, header);
  }
  return true;
}

bool Decoder::open_container(Frame &frame, std::uint64_t header) {
  frame.size = static_cast<std::size_t>(operand_of(header));
  if (frame.tag == Tag::kTuple) {
    if (frames_.size() == 1 && limit_ < frame.size) frame.size = limit_;
    frame.object = PyTuple_New(static_cast<Py_ssize_t>(frame.size));
    frame.slot = (header & kNumbered) != 0 && (header & kEarly) == 0;
    // Code that the message leads to may look at what the collector knows: not at half a tuple.
    if (frame.object != nullptr && frame.size != 0) PyObject_GC_UnTrack(frame.object);
  } else if (frame.tag == Tag::kDictOf) {
    if (!set_shape(frame, header)) return false;
    frame.object = PyDict_Copy(frame.second);
    frame.size = static_cast<std::size_t>(PyDict_GET_SIZE(frame.second));
  } else if (frame.tag == Tag::kList) {
    frame.object = new_list(frame.size);
  } else if (frame.tag == Tag::kSet) {
    frame.object = PySet_New(nullptr);
  } else {
    frame.object = PyDict_New();
    frame.size *= 2;
  }
  if (frame.object == nullptr) return false;
  frame.is_own = true;
  const bool is_late = frame.tag == Tag::kTuple && (header & kEarly) == 0;
  if ((header & kNumbered) != 0 && !is_late) number(frame.object);
  return true;
}

/// A tuple is full: it gets its number, or gives way to its twin that was made deeper down.
PyObject *Decoder::close_tuple(PyObject *tuple) {
  // Several tuples may end here; the one that is meant ends when this many numbers are taken.
  if (next_ == end_ || tag_of(*next_) != Tag::kUseTuple || next_[1] != numbered_.size()) {
    number(tuple);
    return tuple;
  }
  const PyRef owned = PyRef::steal(tuple);
  PyObject *const same = numbered(static_cast<std::size_t>(operand_of(*next_)));
  next_ += 2;
  return Py_NewRef(same);
}

inline bool Decoder::add(Frame &frame, PyObject *child) {
  const std::size_t index = frame.have++;
  switch (frame.tag) {
    case Tag::kTuple:
      frame.has_objects = frame.has_objects || PyObject_IS_GC(child) != 0;
      PyTuple_SET_ITEM(frame.object, static_cast<Py_ssize_t>(index), child);
      return true;
    case Tag::kList:
      return append(frame.object, child);
    case Tag::kFrozenSet:
      return append(frame.first, child);
    case Tag::kDictOf:
      return add_shaped(frame, index, child);
    case Tag::kInstance:
      return add_attribute(frame, index, child);
    case Tag::kLayout:
      add_layout(frame, child);
      return true;
    case Tag::kSet:
    case Tag::kDict:
      return add_item(frame, child);
    case Tag::kReduce:
      if (frame.object != nullptr) return add_part(frame, child);
      [[fallthrough]];
    default:
      (index == 0 ? frame.first : frame.second) = child;
      return frame.tag == Tag::kReduce || frame.have != frame.size || import(frame);
  }
}

bool Decoder::add_item(Frame &frame, PyObject *child) {
  if (frame.tag == Tag::kDict && frame.first == nullptr) {
    frame.first = child;
    return true;
  }
  const PyRef owned = PyRef::steal(child);
  if (frame.tag == Tag::kSet) return PySet_Add(frame.object, child) == 0;
  const PyRef key = PyRef::steal(std::exchange(frame.first, nullptr));
  return PyDict_SetItem(frame.object, key.get(), child) == 0;
}

/// Puts a value in its place, unless code has changed the dict meanwhile.
bool Decoder::add_shaped(Frame &frame, std::size_t index, PyObject *child) {
  PyObject *const key = DictTable::of(frame.second).unicode_entries()[2 * index];
  if (!DictTable::is_split(frame.object)) {
    DictTable &table = DictTable::of(frame.object);
    PyObject **const pair = table.unicode_entries() + 2 * index;
    if (table.kind() == DictTable::kUnicode && table.entries() == frame.size && pair[0] == key &&
        Py_IsNone(pair[1])) {
      pair[1] = child;  // None, which was there, is not counted
      frame.has_objects = frame.has_objects || PyObject_IS_GC(child) != 0;
      return true;
    }
  }
  const PyRef owned = PyRef::steal(child);
  return PyDict_SetItem(frame.object, key, child) == 0;
}

bool Decoder::import(Frame &frame) {
  pause_.resume();
  frame.object = frame.tag == Tag::kModule ? import_module(frame.first)
                                           : import_name(frame.first, frame.second);
  pause_.pause();
  if (frame.object == nullptr) return false;
  numbered_[frame.slot] = Py_NewRef(frame.object);
  return true;
}

/// The children of a late object are there: makes it.
bool Decoder::build(std::uint64_t header) {
  Frame &frame = frames_.back();
  if (frame.tag == Tag::kFrozenSet) {
    frame.object = PyFrozenSet_New(frame.first);
  } else {
    CHECK(frame.tag == Tag::kReduce && PyTuple_Check(frame.second));
    frame.object = frame.slot != 0 ? new_object(frame.first, frame.second)
                                   : PyObject_Call(frame.first, frame.second, nullptr);
    frame.parts = static_cast<std::uint8_t>(operand_of(header));
    Py_CLEAR(frame.second);
    frame.have = 0;
    frame.size = static_cast<std::size_t>(std::popcount(frame.parts));
  }
  if (frame.object == nullptr) return false;
  number(frame.object);
  return true;
}

bool Decoder::use(std::uint64_t header) {
  Frame &frame = frames_.back();
  frame.object = Py_NewRef(numbered(static_cast<std::size_t>(operand_of(header))));
  frame.have = frame.size;
  return true;
}

/// The parts come in the order of their bits; each is applied as it comes.
bool Decoder::add_part(Frame &frame, PyObject *child) {
  PyRef part = PyRef::steal(child);
  const std::uint8_t which = frame.parts & -frame.parts;
  frame.parts &= static_cast<std::uint8_t>(~which);
  switch (which) {
    case kListItems:
      return append_all(frame.object, child);
    case kDictItems:
      return set_all(frame.object, child);
    case kStateSetter:
      frame.second = part.release();
      return true;
    default:
      return set_state(frame.object, frame.second, child);
  }
}

}  // namespace interlock
