// SPDX-License-Identifier: MIT
#include "transfer/explain.hpp"

#include "interpreter/returns.hpp"
#include "transfer/common_objects.hpp"
#include "transfer/holes.hpp"
#include "transfer/plain.hpp"

namespace interlock {
namespace {

// What is beyond is only counted.
constexpr Py_ssize_t kMostChildren = 10;  // of one part
constexpr std::size_t kMostDeep = 24;
constexpr std::size_t kMostParts = 10'000;

/// What is remembered of an object: its tier, whether it crosses by its name, whether it was only
/// part of a description, and its part.
constexpr std::uint64_t kTierBits = 7;
constexpr std::uint64_t kByName = 8;
constexpr std::uint64_t kInner = 16;
constexpr int kPartShift = 5;
constexpr std::uint64_t kNotShown = Part::kNone >> kPartShift;

/// What moved() marks, where `object` is that.
PyObject *marked_by(PyObject *object, const TransferState &state) {
  PyObject *const marked =
      Py_TYPE(object) == state.moved ? reinterpret_cast<MarkedObject *>(object)->object : nullptr;
  return marked != nullptr ? marked : object;
}

bool is_plain(PyTypeObject *type) { return is_plain_leaf(type) || is_plain_container(type); }

std::string type_name(PyObject *object) {
  const std::string name = Py_TYPE(object)->tp_name;
  return name.substr(name.rfind('.') + 1);
}

/// "module.name" of what has such a name, or "".
std::string text_of(PyObject *object, const char *attribute) {
  PyObject *found = nullptr;
  if (PyObject_GetOptionalAttrString(object, attribute, &found) < 0) PyErr_Clear();
  const PyRef text = PyRef::steal(found);
  const char *const bytes =
      text && PyUnicode_Check(text.get()) ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (bytes == nullptr) PyErr_Clear();
  return bytes != nullptr ? bytes : "";
}

bool is_builtin(PyTypeObject *type) { return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0; }

/// What the object itself takes. Asks only types of CPython, whose answers run no other code.
std::uint64_t size_of(PyObject *object) {
  PyTypeObject *const type = Py_TYPE(object);
  if (PyMemoryView_Check(object))
    return static_cast<std::uint64_t>(PyMemoryView_GET_BUFFER(object)->len);
  PyObject *const get_size = is_builtin(type) ? PySys_GetObject("getsizeof") : nullptr;
  const PyRef size =
      get_size != nullptr ? PyRef::steal(PyObject_CallOneArg(get_size, object)) : PyRef();
  const std::uint64_t bytes = size ? PyLong_AsUnsignedLongLongMask(size.get()) : 0;
  PyErr_Clear();
  return size ? bytes : static_cast<std::uint64_t>(type->tp_basicsize);
}

/// The text of the exception that is set, which is then cleared.
std::string take_exception() {
  const PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  const PyRef text = PyRef::steal(PyObject_Str(raised.get()));
  const char *const bytes = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  const std::string result = std::string("it raised ") + Py_TYPE(raised.get())->tp_name +
                             (bytes != nullptr ? std::string(": ") + bytes : "");
  PyErr_Clear();
  return result;
}

}  // namespace

/// Whether what is written now is no part of the object: names, and the callable that rebuilds it.
bool Explainer::is_description(const Encoder &encoder, PyObject *object) {
  if (encoder.frames_.empty()) return false;
  const auto &frame = encoder.frames_.back();
  if (frame.tag == Tag::kGlobal || frame.tag == Tag::kModule || frame.tag == Tag::kLayout)
    return true;
  if (frame.tag == Tag::kReduce) return frame.next == 1;
  if (encoder.frames_.size() < 2 || frame.tag != Tag::kTuple || frame.next != 1) return false;
  const auto &around = encoder.frames_[encoder.frames_.size() - 2];
  if (around.tag != Tag::kReduce) return false;
  // No state of __dict__, or the class for copyreg.__newobj__.
  return around.next != 2 ? Py_IsNone(object) != 0
                          : PyType_Check(object) &&
                                PyTuple_GET_ITEM(around.items, 0) == encoder.state_.new_object;
}

/// Tuples, lists and dicts that the parts of an instance come in.
bool Explainer::is_seen_through(const Encoder &encoder, PyObject *object) {
  // It is copied in its place.
  if (Py_TYPE(object) == encoder.state_.moved && encoder.copies_marked_) return true;
  if (encoder.frames_.empty()) return false;
  const auto &frame = encoder.frames_.back();
  const bool is_plain =
      PyTuple_CheckExact(object) || PyList_CheckExact(object) || PyDict_CheckExact(object);
  if (!is_plain) return false;
  if (frame.tag == Tag::kReduce) {
    const bool is_state = frame.next == frame.size && (frame.parts & kState) != 0;
    return !is_state || PyDict_CheckExact(object) ||
           (PyTuple_CheckExact(object) && PyTuple_GET_SIZE(object) == 2);
  }
  // (state of __dict__, state of __slots__)
  if (frame.tag != Tag::kTuple || encoder.frames_.size() < 2) return false;
  const auto &around = encoder.frames_[encoder.frames_.size() - 2];
  return around.tag == Tag::kReduce && around.next == around.size && around.next > 2 &&
         (around.parts & kState) != 0 && PyDict_CheckExact(object);
}

Explainer::Place Explainer::place_of(Encoder &encoder, PyObject *object) {
  if (!is_beginning()) open_.resize(encoder.frames_.size());  // what has ended
  Place place;
  place.depth = encoder.frames_.size();
  place.is_moving = encoder.moves() && !encoder.is_inside();
  if (open_.empty()) {
    place.step = encoder.root_;
    place.is_through = is_seen_through(encoder, object);
    place.is_shown = !place.is_through;
    if (place.is_through) place.open.prefix = place.step;
    return place;
  }
  Open &around = open_.back();
  place.open.part = around.part;
  // What is written with an object at once are the elements of a set, or the keys of a shape.
  place.open.is_inner = around.is_inner || (is_beginning() ? !PyAnySet_Check(beginning_)
                                                           : is_description(encoder, object));
  place.open.is_hidden = around.is_hidden || place.open.is_inner;
  place.is_through = !is_beginning() && !place.open.is_inner && is_seen_through(encoder, object);
  Py_ssize_t index = around.children;
  if (is_beginning()) {
    ++around.children;
  } else {
    const auto &frame = encoder.frames_.back();
    index = frame.next - 1;
  }
  if (place.open.is_hidden) return place;
  const bool is_far = open_.size() >= kMostDeep || result_.parts.size() >= kMostParts;
  place.is_shown = !place.is_through && index < kMostChildren && !is_far;
  place.is_rest = !place.is_shown && !place.is_through;
  place.open.is_hidden = place.is_rest;
  if (place.is_rest) return place;
  place.step = around.prefix + (is_beginning() ? ".elements()[" + std::to_string(index) + "]"
                                               : encoder.last_step());
  if (place.is_through) place.open.prefix = place.step;
  return place;
}

bool Explainer::write_leaf(Encoder &encoder, PyObject *object) {
  const std::size_t position = encoder.records_.size();
  if (!encoder.put_leaf(object)) return false;
  Place place = place_of(encoder, object);
  if (place.is_shown) add_part(place);
  note(encoder, object, place, position);
  return true;
}

bool Explainer::write_other(Encoder &encoder, PyObject *object) {
  const std::size_t position = encoder.records_.size();
  const std::size_t shared = encoder.records_.shared.size();
  const std::size_t depth = encoder.frames_.size();
  Place place = place_of(encoder, object);
  if (place.is_shown) add_part(place);
  open_.push_back(place.open);
  beginning_ = object;
  reason_.clear();
  const bool is_written = encoder.put_other(object);
  beginning_ = nullptr;
  if (is_written) {
    note(encoder, object, place, position);
    return true;
  }
  if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError))
    return false;
  while (encoder.frames_.size() > depth) (void)encoder.pop(encoder.frames_.back());
  encoder.records_.truncate(position, shared);
  encoder.put(Tag::kNone);
  note_refusal(encoder, object, place);
  return true;
}

/// Gives a place that is shown its part, which stands before those of its children.
void Explainer::add_part(Place &place) {
  Part &part = result_.parts.emplace_back();
  part.parent = place.open.part;
  part.step = std::move(place.step);
  place.open.part = result_.parts.size() - 1;
}

void Explainer::note(Encoder &encoder, PyObject *object, const Place &place, std::size_t position) {
  if (place.is_through) return;
  const bool is_open = encoder.frames_.size() > place.depth;  // records of no object may come first
  const Tag tag = is_open ? encoder.frames_.back().tag : tag_of(encoder.records_.word(position));
  const std::uint64_t *const seen = tag == Tag::kAgain ? seen_.find(object) : nullptr;
  const bool is_again = seen != nullptr && (*seen & kInner) == 0;
  std::uint64_t what = seen != nullptr ? *seen & (kTierBits | kByName) : 0;
  if (seen == nullptr) {
    what = static_cast<std::uint64_t>(tier_of_record(encoder, object, place, tag, position));
    if (tag == Tag::kGlobal || tag == Tag::kModule) what |= kByName;
  }
  const std::uint64_t known = is_again ? *seen : 0;
  if (!is_again) {
    const std::uint64_t index = place.is_shown ? place.open.part : kNotShown;
    remember(object, index << kPartShift | (place.open.is_inner ? kInner : 0) | what);
  }
  if (place.open.is_inner) return;
  object = marked_by(object, encoder.state_);
  const Tier tier = static_cast<Tier>(what & kTierBits);
  const std::uint64_t size = size_of(object);
  if (!is_again) count(tier, size);
  if (place.is_rest) note_rest(place.open.part, object, tier);
  if (!place.is_shown) return;
  Part &part = result_.parts[place.open.part];
  part.type = type_name(object);
  part.size = size;
  part.tier = tier;
  if (is_again) {
    part.same_as = static_cast<std::size_t>(known >> kPartShift);
  } else if (tier == Tier::kRebuilt) {
    part.reason = name_of_definition(object, (what & kByName) != 0);
  } else if (place.is_moving && Encoder::is_container(object) && tier == Tier::kCopied) {
    part.reason = "and emptied";
  }
}

void Explainer::note_refusal(Encoder &encoder, PyObject *object, const Place &place) {
  const bool is_ours = PyErr_ExceptionMatches(encoder.state_.transfer_error) != 0;
  std::string reason = is_ours ? reason_ : take_exception();
  PyErr_Clear();
  Part *part = place.is_shown ? &result_.parts[place.open.part] : nullptr;
  if (part == nullptr) {
    part = &result_.parts.emplace_back();
    part->step = encoder.path();
  }
  part->type = type_name(object);
  part->reason = std::move(reason);
  part->tier = Tier::kRefused;
  part->size = size_of(object);
  count(part->tier, part->size);
}

void Explainer::count(Tier tier, std::uint64_t size) {
  Explanation::Total &total = result_.totals[static_cast<std::size_t>(tier)];
  ++total.objects;
  total.bytes += size;
}

void Explainer::remember(PyObject *object, std::uint64_t what) {
  if (std::uint64_t *const seen = seen_.find(object)) {
    *seen = what;  // of another, which has ended
  } else {
    seen_.insert(object, what);
  }
}

void Explainer::note_rest(std::size_t parent, PyObject *object, Tier tier) {
  const std::string type = type_name(object);
  for (auto each = result_.rests.rbegin(); each != result_.rests.rend() && each->parent == parent;
       ++each) {
    if (each->tier != tier || each->type != type) continue;
    ++each->count;
    return;
  }
  result_.rests.push_back({parent, type, tier, 1});
}

Tier Explainer::tier_of_record(Encoder &encoder, PyObject *object, const Place &place, Tag tag,
                               std::size_t position) {
  if (detachment_ != nullptr && place.is_moving && is_plain(Py_TYPE(object)))
    return detachment_->tier_of(object);
  if (is_of_all(object, Py_TYPE(object))) return Tier::kShared;
  if (tag == Tag::kAgain) return Tier::kCopied;  // the key of a shape
  if (tag != Tag::kShared) return tier_of(tag);
  const std::uint64_t header = encoder.records_.word(position);
  return encoder.records_.shared[static_cast<std::size_t>(operand_of(header))]->weight().tier;
}

/// The name of what crosses by its name, or as a definition; "" for anything else.
std::string Explainer::name_of_definition(PyObject *object, bool is_by_name) {
  if (PyModule_Check(object)) return text_of(object, "__name__") + ", by name";
  if (is_by_name)
    return text_of(object, "__module__") + "." + text_of(object, "__qualname__") + ", by name";
  const bool is_definition = PyType_Check(object) || PyFunction_Check(object);
  return is_definition ? text_of(object, "__qualname__") + ", by value" : "";
}

bool Encoder::write_other(PyObject *object) {
  return explainer_ != nullptr ? explainer_->write_other(*this, object) : put_other(object);
}

bool Encoder::put_leaf(PyObject *object) {
  Explainer *const explainer = std::exchange(explainer_, nullptr);
  const bool is_leaf = write_leaf(object);
  explainer_ = explainer;
  return is_leaf;
}

void Explainer::forget() {
  result_ = {};
  open_.clear();
  seen_.clear();
  beginning_ = nullptr;
}

Status explain(PyObject *object, const char *root, bool moves, Explanation &result) {
  TransferState *const state = transfer_state();
  if (state == nullptr) return Code::kEPYTHON;
  Explainer explainer(result);
  std::unique_ptr<Detachment> left;
  if (moves) {
    Move tried;
    PyRef held = PyRef::borrow(object);
    const HandOver outcome = hand_over(held, Detachment::Held::kEmptied, root, tried, left);
    if (outcome == HandOver::kDone) {
      held = left->undo();
      explainer.set_detachment(*left);
    }
    tried.undo();
    // What is refused will be found again.
    const bool is_refused = PyErr_Occurred() != nullptr &&
                            PyErr_ExceptionMatches(PyExc_Exception) != 0 &&
                            PyErr_ExceptionMatches(PyExc_MemoryError) == 0;
    if (is_refused) PyErr_Clear();
    if (PyErr_Occurred() != nullptr) return Code::kEPYTHON;
  }
  Status status;
  {
    Message message;
    Move move;
    Encoder encoder(*state, root, &move);
    if (moves) encoder.set_moving();
    encoder.set_explainer(explainer);
    if (!encoder.run(object, message)) status = Code::kEPYTHON;
    move.undo();
  }
  Returns::drain_current();  // what the message had lent
  return status;
}

}  // namespace interlock
