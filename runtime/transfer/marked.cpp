// SPDX-License-Identifier: MIT
// What interlock.moved() marks, in a message that is copied otherwise. It is handed over when all
// else has been written, so that a refusal changes nothing, in one graph, so that what two of them
// share arrives as one object; only where it cannot leave as it is, it is copied in its place and
// its containers are emptied afterwards.
#include <algorithm>

#include "transfer/common_objects.hpp"
#include "transfer/encoder.hpp"
#include "transfer/holes.hpp"
#include "transfer/plain.hpp"

namespace interlock {
namespace {

constexpr const char *kSpent = "what it marked has moved before";

[[nodiscard]] MarkedObject *marker_of(const PyRef &marker) noexcept {
  return reinterpret_cast<MarkedObject *>(marker.get());
}
[[nodiscard]] PyObject *&object_of(const PyRef &marker) noexcept {
  return marker_of(marker)->object;
}

/// Whether moving it saves anything.
[[nodiscard]] bool is_large(PyObject *object, PyTypeObject *type) noexcept {
  return is_large_leaf(object) || (is_plain_container(type) && !is_of_all(object, type));
}

/// What the markers held is in the message.
class HandOverMarked final : public MoveStep {
 public:
  explicit HandOverMarked(std::vector<PyRef> markers) : markers_(std::move(markers)) {}

  /// Takes the objects out of their markers, unless `may_leave(list of them)` is false.
  template <typename MayLeave>
  [[nodiscard]] HandOver run(const char *name, Move &move, const Survey *around,
                             MayLeave may_leave) {
    const auto is_spared = [](const PyRef &each) { return marker_of(each)->is_spared; };
    const auto held = std::ranges::any_of(markers_, is_spared) ? Detachment::Held::kCopied
                                                               : Detachment::Held::kEmptied;
    PyRef list = PyRef::steal(PyList_New(static_cast<Py_ssize_t>(markers_.size())));
    if (!list) return HandOver::kRaised;
    PyObject_GC_UnTrack(list.get());  // nobody is to find it in a receiver
    for (std::size_t i = 0; i < markers_.size(); ++i)
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                      std::exchange(object_of(markers_[i]), nullptr));
    const HandOver result = may_leave(list.get()) ? hand_over(list, held, name, move, left_, around)
                                                  : HandOver::kForeign;
    if (result != HandOver::kDone) put_back(list);
    return result;
  }
  [[nodiscard]] const Ref<MovedGraph> &graph() const noexcept { return left_->graph(); }
  void undo() override { put_back(left_->undo()); }

 private:
  void put_back(const PyRef &list) {
    for (std::size_t i = 0; list && i < markers_.size(); ++i)
      object_of(markers_[i]) = Py_NewRef(PyList_GET_ITEM(list.get(), static_cast<Py_ssize_t>(i)));
  }

  std::unique_ptr<Detachment> left_;
  const std::vector<PyRef> markers_;
};

/// What a deque held is with a marker.
class EmptyDeque final : public MoveStep {
 public:
  EmptyDeque(PyObject *deque, PyObject *marker)
      : deque_(PyRef::borrow(deque)), marker_(PyRef::borrow(marker)) {}

  [[nodiscard]] bool run() {
    return static_cast<bool>(PyRef::steal(PyObject_CallMethod(deque_.get(), "clear", nullptr)));
  }
  void undo() override {
    const PyRef list = PyRef::steal(PySequence_List(object_of(marker_)));
    const bool is_done =
        list && PyList_Reverse(list.get()) == 0 &&
        PyRef::steal(PyObject_CallMethod(deque_.get(), "extendleft", "(O)", list.get()));
    if (!is_done) PyErr_WriteUnraisable(deque_.get());
  }

 private:
  const PyRef deque_;
  const PyRef marker_;
};

/// What the marker holds was copied.
class SpendMarker final : public MoveStep {
 public:
  explicit SpendMarker(PyObject *marker) : marker_(PyRef::borrow(marker)) {}
  void commit() override { Py_CLEAR(object_of(marker_)); }

 private:
  const PyRef marker_;
};

}  // namespace

bool Encoder::write_marked(PyObject *marker) {
  if (move_ == nullptr) return refuse(marker, "what is kept, or read more than once, is not moved");
  if (reinterpret_cast<MarkedObject *>(marker)->object == nullptr) return refuse(marker, kSpent);
  if (!copies_marked_) {
    put(Tag::kMarked, marked_.size(), number_if(true, marker));
    marked_.push_back(PyRef::borrow(marker));
    return true;
  }
  if (!push_items(Tag::kMoved, marker, {}, 1)) return false;
  frames_.back().is_moving = !reinterpret_cast<MarkedObject *>(marker)->is_spared;
  frames_.back().is_inside = false;
  move_->steps.emplace_back().step = std::make_unique<SpendMarker>(marker);
  return true;
}

/// It leaves no record, only what it holds.
bool Encoder::step_marked(Frame &frame) {
  PyObject *const object = reinterpret_cast<MarkedObject *>(frame.object)->object;
  if (frame.next == frame.size) return pop(frame);
  ++frame.next;
  // Code that ran meanwhile may have used it.
  return object != nullptr ? write(object) : refuse(frame.object, kSpent);
}

/// False without an exception if something in it cannot leave as it is; nothing has changed then.
bool Encoder::hand_over_marked() {
  numbered_.clear();  // what only a marker holds moves as it is
  for (const PyRef &marker : marked_) {
    if (object_of(marker) == nullptr) return refuse(marker.get(), kSpent);
  }
  if (shares_given() || !empty_deques()) return false;
  auto step = std::make_unique<HandOverMarked>(std::move(marked_));
  const auto may_leave = [this](PyObject *list) { return !shares_parts(list); };
  if (step->run(root_, *move_, survey_, may_leave) != HandOver::kDone) return false;
  records_.shared.emplace_back(step->graph());
  records_.plain_containers = 0;  // to receive it may run code
  move_->steps.emplace_back().step = std::move(step);
  return true;
}

/// Whether what is marked has a container in common with the graph in whose hole it stands: that
/// leaves with the graph.
bool Encoder::shares_parts(PyObject *marked) const {
  if (survey_ == nullptr) return false;
  return Survey(marked, false).has_held([this](const PyObject *object) {
    return survey_->is_part_of_any(object);
  });
}

/// A marker of it; `is_spared`: what something else holds is not emptied. Null for want of memory.
PyRef Encoder::mark(PyObject *object, bool is_spared) {
  PyRef marker = PyRef::steal(state_.moved->tp_alloc(state_.moved, 0));
  if (!marker) return {};
  object_of(marker) = Py_NewRef(object);
  marker_of(marker)->is_spared = is_spared;
  return marker;
}

/// The object, or a marker of it. Null for want of memory.
PyRef Encoder::give(PyObject *object) {
  return is_large(object, Py_TYPE(object)) ? mark(object, true) : PyRef::borrow(object);
}

/// What a deque contains, or a marker of it if it can move and that is worth it: the deque has it
/// no longer when the marked objects are handed over. Null with a Python exception set.
PyRef Encoder::give_contents(PyObject *deque, PyRef contents) {
  if (!moves() || is_inside() || copies_marked_ || !can_move() || !is_deque(deque)) return contents;
  const std::vector<CopiedContainer> &steps = move_->steps;
  // Not if what is registered for it says how it crosses.
  if (steps.empty() || steps.back().object.get() != deque) return contents;
  auto survey = std::make_unique<Survey>(contents.get(), false);
  if (!survey->foreign().empty() || !survey->is_worth_it()) return contents;
  PyRef marker = mark(contents.get(), false);
  if (!marker) return {};
  given_contents_.push_back({steps.size() - 1, PyRef::borrow(marker.get()), std::move(survey)});
  return marker;
}

/// Empties the deques that gave what they contain. False, perhaps with an exception set, if code
/// has changed one meanwhile.
bool Encoder::empty_deques() {
  for (const GivenContents &each : given_contents_) {
    CopiedContainer &noted = move_->steps[each.step];
    const PyRef now = PyRef::steal(PySequence_List(noted.object.get()));
    PyObject *const given = object_of(each.marker);
    if (!now || PyList_GET_SIZE(now.get()) != PyList_GET_SIZE(given)) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(given); ++i) {
      if (PyList_GET_ITEM(now.get(), i) != PyList_GET_ITEM(given, i)) return false;
    }
    auto step = std::make_unique<EmptyDeque>(noted.object.get(), each.marker.get());
    if (!step->run()) return false;
    noted.object = {};
    noted.step = std::move(step);
  }
  return true;
}

/// Whether what deques gave has a container in common with the rest of the message.
bool Encoder::shares_given() const {
  const auto is_elsewhere = [this](const PyObject *object) {
    return numbers_.find(object) != nullptr;
  };
  return std::ranges::any_of(given_contents_,
                             [&](const auto &each) { return each.survey->has_held(is_elsewhere); });
}

/// The parts of an exception that nothing else holds, to be handed over: it has them no longer.
/// Null with a Python exception set.
PyRef Encoder::give_parts(PyObject *exception, PyRef parts) {
  if (given_parts_) return PyRef::borrow(given_parts_.get());  // the walk has started again
  PyObject *const whole = parts.get();
  const Py_ssize_t count = PyTuple_CheckExact(whole) ? PyTuple_GET_SIZE(whole) : 0;
  if (count < 2 || !PyTuple_CheckExact(PyTuple_GET_ITEM(whole, 1))) return parts;
  PyRef made = PyRef::steal(PyTuple_New(count));
  const PyRef nothing = PyRef::steal(PyTuple_New(0));
  if (!made || !nothing) return {};
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject *const part = PyTuple_GET_ITEM(whole, i);
    PyRef given = i == 1 ? give_items(part) : i == 2 ? give_values(part) : PyRef::borrow(part);
    if (!given) return {};
    PyTuple_SET_ITEM(made.get(), i, given.release());
  }
  PyException_SetArgs(exception, nothing.get());
  const PyRef attributes = PyRef::steal(PyObject_GenericGetDict(exception, nullptr));
  if (!attributes) return {};
  PyDict_Clear(attributes.get());
  given_parts_ = std::move(made);
  return PyRef::borrow(given_parts_.get());
}

/// A tuple of the same items, those worth it marked.
PyRef Encoder::give_items(PyObject *tuple) {
  PyRef given = PyRef::steal(PyTuple_New(PyTuple_GET_SIZE(tuple)));
  for (Py_ssize_t i = 0; given && i < PyTuple_GET_SIZE(tuple); ++i) {
    PyRef item = give(PyTuple_GET_ITEM(tuple, i));
    if (!item) return {};
    PyTuple_SET_ITEM(given.get(), i, item.release());
  }
  return given;
}

/// The same for the values of a dict; anything else as it is.
PyRef Encoder::give_values(PyObject *state) {
  if (!PyDict_CheckExact(state)) return PyRef::borrow(state);
  PyRef given = PyRef::steal(PyDict_New());
  PyObject *key = nullptr;
  PyObject *value = nullptr;
  for (Py_ssize_t place = 0; given && PyDict_Next(state, &place, &key, &value) != 0;) {
    const PyRef item = give(value);
    if (!item || PyDict_SetItem(given.get(), key, item.get()) != 0) return {};
  }
  return given;
}

}  // namespace interlock
