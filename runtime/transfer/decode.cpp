// SPDX-License-Identifier: MIT
// Rebuilds objects from records. Like the encoder without recursion: a frame for each object whose
// children are still to come. A message is made by this process, so its layout is not doubted.
#include <bit>
#include <cstring>
#include <vector>

#include "base/check.hpp"
#include "memory/message_format.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/moved_graph.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

class Decoder {
 public:
  /// `limit`: how many children of the top-level object to build.
  Decoder(const Message &message, std::size_t limit)
      : message_(message),
        inline_(message.is_inline() ? message.header() : 0),
        next_(message.is_inline() ? &inline_ : message.body()->words.data()),
        end_(next_ + (message.is_inline() ? 1 : message.body()->words.size())),
        limit_(limit) {}

  /// The object (new reference), or null with a Python exception set.
  [[nodiscard]] PyObject *run();

 private:
  struct Frame {
    Tag tag;
    std::uint8_t parts = 0;  // kReduce: of BuildPart, those not yet applied
    std::size_t size = 0;    // children that this stage takes
    std::size_t have = 0;
    PyRef object;          // null for what is made after its children
    PyRef first;           // kDict: the key; kReduce: the callable; kFrozenSet: a list of elements
    PyRef second;          // kReduce: the arguments, later the state setter
    std::size_t slot = 0;  // kGlobal, kModule: its number, taken before those of its children
                           // kTuple: whether it gets one
  };

  /// Reads one record. It gives an object, or opens a frame, or completes a late one.
  [[nodiscard]] bool read(PyRef &object);
  [[nodiscard]] PyRef read_leaf(std::uint64_t header);
  [[nodiscard]] PyRef read_moved(MovedGraph &graph);
  [[nodiscard]] PyRef read_int(std::uint64_t header);
  [[nodiscard]] PyRef read_text(std::uint64_t header);
  [[nodiscard]] const char *read_data(std::size_t size) noexcept;
  [[nodiscard]] bool open(std::uint64_t header);
  [[nodiscard]] bool open_container(Frame &frame, std::uint64_t header);
  [[nodiscard]] bool build(std::uint64_t header);
  [[nodiscard]] bool use(std::uint64_t header);

  /// Gives `child` to the top frame.
  [[nodiscard]] bool add(Frame &frame, PyRef child);
  [[nodiscard]] bool add_part(Frame &frame, PyRef child);
  [[nodiscard]] bool import(Frame &frame);
  void close_tuple(Frame &frame);
  [[nodiscard]] static bool is_complete(const Frame &frame) noexcept {
    const bool late = frame.tag == Tag::kReduce || frame.tag == Tag::kFrozenSet;
    return frame.have == frame.size && (!late || frame.object);
  }
  void number(PyObject *object) { numbered_.push_back(PyRef::borrow(object)); }

  const Message &message_;
  const std::uint64_t inline_;  // the record of a message that has no body
  const std::uint64_t *next_;
  const std::uint64_t *const end_;
  const std::size_t limit_;
  std::vector<Frame> frames_;
  std::vector<PyRef> numbered_;
};

namespace {

/// The class, function or attribute that a dotted name means in a module.
PyRef import_name(PyObject *module_name, PyObject *qualified_name) {
  PyRef found = PyRef::steal(PyImport_Import(module_name));
  const PyRef dot = PyRef::steal(PyUnicode_FromString("."));
  const PyRef names =
      found && dot ? PyRef::steal(PyUnicode_Split(qualified_name, dot.get(), -1)) : PyRef();
  if (!names) return {};
  // PyImport_Import gives the module of a dotted name itself, not its top package.
  for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(names.get()); ++i)
    found = PyRef::steal(PyObject_GetAttr(found.get(), PyList_GET_ITEM(names.get(), i)));
  return found;
}

bool append_all(PyObject *object, PyObject *items) {
  if (PyList_Check(object))
    return PyList_SetSlice(object, PyList_GET_SIZE(object), PyList_GET_SIZE(object), items) == 0;
  PyObject *extend = nullptr;
  if (PyObject_GetOptionalAttrString(object, "extend", &extend) < 0) return false;
  if (const PyRef method = PyRef::steal(extend))
    return static_cast<bool>(PyRef::steal(PyObject_CallOneArg(method.get(), items)));
  const PyRef append = PyRef::steal(PyObject_GetAttrString(object, "append"));
  for (Py_ssize_t i = 0; append && i < PyList_GET_SIZE(items); ++i) {
    if (!PyRef::steal(PyObject_CallOneArg(append.get(), PyList_GET_ITEM(items, i)))) return false;
  }
  return static_cast<bool>(append);
}

bool set_all(PyObject *object, PyObject *flat) {
  for (Py_ssize_t i = 0; i + 1 < PyList_GET_SIZE(flat); i += 2) {
    if (PyObject_SetItem(object, PyList_GET_ITEM(flat, i), PyList_GET_ITEM(flat, i + 1)) != 0)
      return false;
  }
  return true;
}

bool set_attributes(PyObject *object, PyObject *values) {
  PyObject *key = nullptr;
  PyObject *value = nullptr;
  for (Py_ssize_t position = 0; PyDict_Next(values, &position, &key, &value);) {
    if (PyObject_SetAttr(object, key, value) != 0) return false;
  }
  return true;
}

/// As pickle's BUILD does without __setstate__: a dict for __dict__, or a pair of it and one for
/// slots.
bool set_plain_state(PyObject *object, PyObject *state) {
  PyObject *slots = nullptr;
  if (PyTuple_Check(state) && PyTuple_GET_SIZE(state) == 2) {
    slots = PyTuple_GET_ITEM(state, 1);
    state = PyTuple_GET_ITEM(state, 0);
  }
  if (!Py_IsNone(state)) {
    if (!PyDict_Check(state)) {
      PyErr_Format(PyExc_TypeError, "the state of a %s is not a dict but a %s",
                   Py_TYPE(object)->tp_name, Py_TYPE(state)->tp_name);
      return false;
    }
    PyObject *own = PyObject_GenericGetDict(object, nullptr);
    if (own == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return false;
      PyErr_Clear();
      if (!set_attributes(object, state)) return false;
    } else {
      const PyRef attributes = PyRef::steal(own);
      if (PyDict_Update(attributes.get(), state) != 0) return false;
    }
  }
  return slots == nullptr || Py_IsNone(slots) || set_attributes(object, slots);
}

bool set_state(PyObject *object, PyObject *setter, PyObject *state) {
  if (setter != nullptr)
    return static_cast<bool>(
        PyRef::steal(PyObject_CallFunctionObjArgs(setter, object, state, nullptr)));
  PyObject *found = nullptr;
  if (PyObject_GetOptionalAttrString(object, "__setstate__", &found) < 0) return false;
  const PyRef method = PyRef::steal(found);
  if (!method) return set_plain_state(object, state);
  return static_cast<bool>(PyRef::steal(PyObject_CallOneArg(method.get(), state)));
}

}  // namespace

PyObject *decode(const Message &message) {
  if (is_inline_int(message)) {
    TransferState *const state = transfer_state();
    return state != nullptr ? state->ints.make(inline_int(message)) : nullptr;
  }
  return decode_first(message, SIZE_MAX);
}

PyObject *decode_first(const Message &message, std::size_t count) {
  return Decoder(message, count).run();
}

PyObject *Decoder::run() {
  PyRef object;
  for (;;) {
    if (!read(object)) return nullptr;
    while (object || is_complete(frames_.back())) {
      if (object) {
        if (frames_.empty()) return object.release();
        if (!add(frames_.back(), std::exchange(object, {}))) return nullptr;
        continue;
      }
      if (frames_.back().tag == Tag::kTuple) close_tuple(frames_.back());
      object = std::move(frames_.back().object);
      frames_.pop_back();
    }
  }
}

bool Decoder::read(PyRef &object) {
  const std::uint64_t header = *next_++;
  switch (tag_of(header)) {
    case Tag::kTuple:
    case Tag::kList:
    case Tag::kSet:
    case Tag::kFrozenSet:
    case Tag::kDict:
    case Tag::kGlobal:
    case Tag::kModule:
    case Tag::kReduce:
      return open(header);
    case Tag::kBuild:
      return build(header);
    case Tag::kUse:
      return use(header);
    default:
      object = read_leaf(header);
      if (!object) return false;
      if ((header & kNumbered) != 0) number(object.get());
      return true;
  }
}

const char *Decoder::read_data(std::size_t size) noexcept {
  const auto *const data = reinterpret_cast<const char *>(next_);
  next_ += words_for(size);
  return data;
}

PyRef Decoder::read_leaf(std::uint64_t header) {
  const auto operand = static_cast<std::size_t>(operand_of(header));
  switch (tag_of(header)) {
    case Tag::kNone:
      return PyRef::borrow(Py_None);
    case Tag::kTrue:
      return PyRef::borrow(Py_True);
    case Tag::kFalse:
      return PyRef::borrow(Py_False);
    case Tag::kEllipsis:
      return PyRef::borrow(Py_Ellipsis);
    case Tag::kNotImplemented:
      return PyRef::borrow(Py_NotImplemented);
    case Tag::kInt:
    case Tag::kBigInt:
      return read_int(header);
    case Tag::kFloat:
      return PyRef::steal(PyFloat_FromDouble(std::bit_cast<double>(*next_++)));
    case Tag::kComplex: {
      const auto real = std::bit_cast<double>(*next_++);
      return PyRef::steal(PyComplex_FromDoubles(real, std::bit_cast<double>(*next_++)));
    }
    case Tag::kBytes:
      return PyRef::steal(
          PyBytes_FromStringAndSize(read_data(operand), static_cast<Py_ssize_t>(operand)));
    case Tag::kByteArray:
      return PyRef::steal(
          PyByteArray_FromStringAndSize(read_data(operand), static_cast<Py_ssize_t>(operand)));
    case Tag::kAgain:
      return PyRef::borrow(numbered_[operand].get());
    case Tag::kMoved:
      return read_moved(static_cast<MovedGraph &>(*message_.body()->shared[operand]));
    case Tag::kShared:
      return PyRef::steal(wrap_shared(Ref<Shared>(message_.body()->shared[operand])));
    default:
      return read_text(header);
  }
}

PyRef Decoder::read_moved(MovedGraph &graph) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return {};
  state->pace.before_attaching(graph.containers.size());
  return PyRef::steal(graph.attach());
}

PyRef Decoder::read_int(std::uint64_t header) {
  if (tag_of(header) == Tag::kInt)
    return PyRef::steal(PyLong_FromLongLong(signed_operand_of(header)));
  const auto size = static_cast<std::size_t>(operand_of(header));
  return PyRef::steal(
      PyLong_FromNativeBytes(read_data(size), size, Py_ASNATIVEBYTES_LITTLE_ENDIAN));
}

PyRef Decoder::read_text(std::uint64_t header) {
  const auto length = static_cast<Py_ssize_t>(operand_of(header));
  const auto count = static_cast<std::size_t>(length);
  PyObject *text = nullptr;
  switch (tag_of(header)) {
    case Tag::kAscii:
      if (length > 1) {  // shorter ones are singletons
        text = PyUnicode_New(length, 127);
        if (text != nullptr) std::memcpy(PyUnicode_DATA(text), read_data(count), count);
        break;
      }
      [[fallthrough]];
    case Tag::kLatin1:
      text = PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, read_data(count), length);
      break;
    case Tag::kUcs2:
      text = PyUnicode_FromKindAndData(PyUnicode_2BYTE_KIND, read_data(2 * count), length);
      break;
    default:
      CHECK(tag_of(header) == Tag::kUcs4);
      text = PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, read_data(4 * count), length);
  }
  if (text != nullptr && (header & kInterned) != 0) PyUnicode_InternInPlace(&text);
  return PyRef::steal(text);
}

bool Decoder::open(std::uint64_t header) {
  Frame frame;
  frame.tag = tag_of(header);
  switch (frame.tag) {
    case Tag::kGlobal:
    case Tag::kModule:
      frame.size = frame.tag == Tag::kGlobal ? 2 : 1;
      frame.slot = numbered_.size();
      numbered_.emplace_back();
      break;
    case Tag::kReduce:
      frame.size = 2;
      break;
    case Tag::kFrozenSet:
      frame.size = static_cast<std::size_t>(operand_of(header));
      frame.first = PyRef::steal(PyList_New(0));
      if (!frame.first) return false;
      break;
    default:
      if (!open_container(frame, header)) return false;
  }
  frames_.push_back(std::move(frame));
  return true;
}

bool Decoder::open_container(Frame &frame, std::uint64_t header) {
  frame.size = static_cast<std::size_t>(operand_of(header));
  if (frame.tag == Tag::kTuple) {
    if (frames_.empty() && limit_ < frame.size) frame.size = limit_;
    frame.object = PyRef::steal(PyTuple_New(static_cast<Py_ssize_t>(frame.size)));
    frame.slot = (header & kNumbered) != 0;
  } else if (frame.tag == Tag::kList) {
    frame.object = PyRef::steal(PyList_New(0));
  } else if (frame.tag == Tag::kSet) {
    frame.object = PyRef::steal(PySet_New(nullptr));
  } else {
    frame.object = PyRef::steal(PyDict_New());
    frame.size *= 2;
  }
  if (!frame.object) return false;
  if ((header & kNumbered) != 0 && frame.tag != Tag::kTuple) number(frame.object.get());
  return true;
}

/// A tuple is full: it gets its number, or gives way to its twin that was made deeper down.
void Decoder::close_tuple(Frame &frame) {
  if (frame.slot == 0) return;
  // Several tuples may end here; the one that is meant ends when this many numbers are taken.
  if (next_ != end_ && tag_of(*next_) == Tag::kUseTuple && next_[1] == numbered_.size()) {
    frame.object = PyRef::borrow(numbered_[static_cast<std::size_t>(operand_of(*next_))].get());
    next_ += 2;
  } else {
    number(frame.object.get());
  }
}

bool Decoder::add(Frame &frame, PyRef child) {
  const std::size_t index = frame.have++;
  switch (frame.tag) {
    case Tag::kTuple:
      PyTuple_SET_ITEM(frame.object.get(), static_cast<Py_ssize_t>(index), child.release());
      return true;
    case Tag::kList:
      return PyList_Append(frame.object.get(), child.get()) == 0;
    case Tag::kSet:
      return PySet_Add(frame.object.get(), child.get()) == 0;
    case Tag::kFrozenSet:
      return PyList_Append(frame.first.get(), child.get()) == 0;
    case Tag::kDict:
      if (index % 2 == 0) {
        frame.first = std::move(child);
        return true;
      }
      return PyDict_SetItem(frame.object.get(), frame.first.get(), child.get()) == 0;
    case Tag::kReduce:
      if (frame.object) return add_part(frame, std::move(child));
      [[fallthrough]];
    default:
      (index == 0 ? frame.first : frame.second) = std::move(child);
      return frame.tag == Tag::kReduce || frame.have != frame.size || import(frame);
  }
}

bool Decoder::import(Frame &frame) {
  if (frame.tag == Tag::kModule) {
    frame.object = PyRef::steal(PyImport_Import(frame.first.get()));
  } else {
    frame.object = import_name(frame.first.get(), frame.second.get());
  }
  if (!frame.object) return false;
  numbered_[frame.slot] = PyRef::borrow(frame.object.get());
  return true;
}

/// The children of a late object are there: makes it.
bool Decoder::build(std::uint64_t header) {
  Frame &frame = frames_.back();
  if (frame.tag == Tag::kFrozenSet) {
    frame.object = PyRef::steal(PyFrozenSet_New(frame.first.get()));
  } else {
    CHECK(frame.tag == Tag::kReduce && PyTuple_Check(frame.second.get()));
    frame.object = PyRef::steal(PyObject_Call(frame.first.get(), frame.second.get(), nullptr));
    frame.parts = static_cast<std::uint8_t>(operand_of(header));
    frame.second = {};
    frame.have = 0;
    frame.size = static_cast<std::size_t>(std::popcount(frame.parts));
  }
  if (!frame.object) return false;
  number(frame.object.get());
  return true;
}

bool Decoder::use(std::uint64_t header) {
  Frame &frame = frames_.back();
  frame.object = PyRef::borrow(numbered_[static_cast<std::size_t>(operand_of(header))].get());
  frame.have = frame.size;
  return true;
}

/// The parts come in the order of their bits; each is applied as it comes.
bool Decoder::add_part(Frame &frame, PyRef child) {
  const std::uint8_t part = frame.parts & -frame.parts;
  frame.parts &= static_cast<std::uint8_t>(~part);
  switch (part) {
    case kListItems:
      return append_all(frame.object.get(), child.get());
    case kDictItems:
      return set_all(frame.object.get(), child.get());
    case kStateSetter:
      frame.second = std::move(child);
      return true;
    default:
      return set_state(frame.object.get(), frame.second.get(), child.get());
  }
}

}  // namespace interlock
