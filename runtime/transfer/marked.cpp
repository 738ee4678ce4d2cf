// SPDX-License-Identifier: MIT
// What interlock.moved() marks, in a message that is copied otherwise. It is handed over when all
// else has been written, so that a refusal changes nothing, in one graph, so that what two of them
// share arrives as one object; only where it cannot leave as it is, it is copied in its place and
// its containers are emptied afterwards.
#include "transfer/detach.hpp"
#include "transfer/encoder.hpp"

namespace interlock {
namespace {

constexpr const char *kSpent = "what it marked has moved before";

[[nodiscard]] PyObject *&object_of(const PyRef &marker) noexcept {
  return reinterpret_cast<MarkedObject *>(marker.get())->object;
}

/// What the markers held is in the message.
class HandOverMarked final : public MoveStep {
 public:
  explicit HandOverMarked(std::vector<PyRef> markers) : markers_(std::move(markers)) {}

  /// Takes the objects out of their markers.
  [[nodiscard]] Detachment::Result run() {
    PyRef list = PyRef::steal(PyList_New(static_cast<Py_ssize_t>(markers_.size())));
    if (!list) return Detachment::Result::kNoMemory;
    PyObject_GC_UnTrack(list.get());  // nobody is to find it in a receiver
    for (std::size_t i = 0; i < markers_.size(); ++i)
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i),
                      std::exchange(object_of(markers_[i]), nullptr));
    const Detachment::Result result = detachment_.run(list, Detachment::Held::kEmptied);
    if (result != Detachment::Result::kDone) put_back(list);
    return result;
  }
  [[nodiscard]] const Ref<MovedGraph> &graph() const noexcept { return detachment_.graph(); }
  void undo() override { put_back(detachment_.undo()); }

 private:
  void put_back(const PyRef &list) {
    for (std::size_t i = 0; list && i < markers_.size(); ++i)
      object_of(markers_[i]) = Py_NewRef(PyList_GET_ITEM(list.get(), static_cast<Py_ssize_t>(i)));
  }

  Detachment detachment_;
  const std::vector<PyRef> markers_;
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
  frames_.back().is_moving = true;
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
  auto step = std::make_unique<HandOverMarked>(std::move(marked_));
  const Detachment::Result result = step->run();
  if (result == Detachment::Result::kNoMemory) PyErr_NoMemory();
  if (result != Detachment::Result::kDone) return false;
  records_.shared.emplace_back(step->graph());
  move_->steps.emplace_back().step = std::move(step);
  return true;
}

}  // namespace interlock
