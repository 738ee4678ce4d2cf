// SPDX-License-Identifier: MIT
#include "transfer/holes.hpp"

#include "transfer/decoder.hpp"
#include "transfer/encoder.hpp"
#include "transfer/survey.hpp"

namespace interlock {
namespace {

[[nodiscard]] PyObject *pointer(PyObject *object) noexcept { return object; }
[[nodiscard]] PyObject *pointer(const PyRef &object) noexcept { return object.get(); }

// How often it is tried again after code has changed the graph.
constexpr int kMostTries = 3;

/// A graph in a hole of a graph, and so on: marked objects may be nested. Both sides work on each
/// within the work on the outer one; what is nested deeper is copied, which needs no recursion.
class Nesting {
 public:
  Nesting() noexcept { ++depth(); }
  ~Nesting() { --depth(); }
  Nesting(const Nesting &) = delete;
  Nesting &operator=(const Nesting &) = delete;
  [[nodiscard]] static bool is_too_deep() noexcept { return depth() >= kMost; }

 private:
  static constexpr int kMost = 50;
  [[nodiscard]] static int &depth() noexcept {
    thread_local int depth_ = 0;
    return depth_;
  }
};

/// What stands in the holes of a graph, as a message.
struct Contents {
  Message message;
  Move move;
  std::vector<PyRef> parts;  // of the graph, to which it refers
};

/// A tuple of objects, each a PyRef or a pointer; null with a Python exception set.
template <typename Objects>
PyRef tuple_of(const Objects &objects) {
  PyRef tuple = PyRef::steal(PyTuple_New(static_cast<Py_ssize_t>(objects.size())));
  for (std::size_t i = 0; tuple && i < objects.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i),
                     PyRef::borrow(pointer(objects[i])).release());
  return tuple;
}

/// False with a Python exception set.
bool encode_contents(Survey &survey, Detachment::Held held, const char *name, Contents &contents) {
  TransferState *const state = transfer_state();
  const PyRef tuple = state != nullptr ? tuple_of(survey.foreign()) : PyRef();
  if (!tuple) return false;
  Encoder encoder(*state, name, &contents.move);
  encoder.set_graph(survey, contents.parts);
  if (held == Detachment::Held::kEmptied) encoder.set_moving();
  if (encoder.run(tuple.get(), contents.message)) return true;
  contents.move.undo();
  return false;
}

/// Lets the graph that was detached have `contents`. False if the graph has changed since.
bool give(Detachment &detachment, Contents &contents) {
  MovedGraph &graph = *detachment.graph();
  for (const PyRef &part : contents.parts) {
    PyObject *const stand_in = detachment.stand_in(part.get());
    if (stand_in == nullptr) return false;
    graph.parts.push_back(Py_NewRef(stand_in));
  }
  graph.in_holes = std::move(contents.message);
  return true;
}

/// False if one of them cannot cross.
bool encode_handles(const Detachment &detachment, const char *name) {
  const PyRef tuple = tuple_of(detachment.handles());
  const bool is_done = tuple && encode(tuple.get(), name, detachment.graph()->in_holes).ok();
  PyErr_Clear();
  return is_done;
}

/// One try. kForeign: `has_changed` says whether another may succeed.
HandOver try_with_holes(PyRef &root, Detachment::Held held, const char *name, Move &move,
                        std::unique_ptr<Detachment> &left, const Survey *around,
                        bool &has_changed) {
  has_changed = false;
  if (Nesting::is_too_deep()) return HandOver::kForeign;
  const Nesting nesting;
  Survey survey(root.get(), held == Detachment::Held::kCopied, around);
  if (survey.is_foreign(root.get()) || !survey.is_worth_it()) return HandOver::kForeign;
  Contents contents;
  if (!encode_contents(survey, held, name, contents)) {
    // Copying all of it says where the culprit is, or succeeds.
    if (PyErr_ExceptionMatches(PyExc_Exception) == 0) return HandOver::kRaised;
    PyErr_Clear();
    return HandOver::kForeign;
  }
  left = std::make_unique<Detachment>();
  const Detachment::Result result = left->run(root, held, &survey);
  if (result == Detachment::Result::kDone) {
    if (give(*left, contents)) {
      for (CopiedContainer &each : contents.move.steps) move.steps.push_back(std::move(each));
      return HandOver::kDone;
    }
    root = left->undo();
  }
  contents.move.undo();
  has_changed = result != Detachment::Result::kNoMemory;
  if (has_changed) return HandOver::kForeign;
  PyErr_NoMemory();
  return HandOver::kRaised;
}

/// Where a hole is, and how large its owner is: what changes when code changes the owner.
struct Place {
  PyRef owner;
  PyObject **slot;
  Py_ssize_t size;

  explicit Place(const MovedGraph::Hole &hole)
      : owner(PyRef::borrow(hole.owner)), slot(&hole.slot()), size(PyObject_Size(hole.owner)) {}
  [[nodiscard]] bool is_as_before(const MovedGraph::Hole &hole) const {
    return slot_at(hole.owner, hole.place) == slot && PyObject_Size(hole.owner) == size &&
           Py_IsNone(*slot);
  }
};

PyRef decode_contents(const MovedGraph &graph) {
  return PyRef::steal(Decoder(graph.in_holes, SIZE_MAX, &graph).run());
}

void fill(const MovedGraph::Hole &hole, PyObject *contents) {
  PyObject *const object = PyTuple_GET_ITEM(contents, static_cast<Py_ssize_t>(hole.index));
  hole.slot() = Py_NewRef(object);  // None, which was there, is not counted
}

/// CPython 3.13 tracks a dict or a tuple only if something in it may be part of a cycle.
void track(const MovedGraph::Hole &hole) {
  if (PyObject_IS_GC(hole.slot()) != 0 && PyObject_GC_IsTracked(hole.owner) == 0)
    PyObject_GC_Track(hole.owner);
}

/// What is in the holes refers to the graph, so that code may see the holes, and change what has
/// them.
PyObject *receive_with_parts(MovedGraph &graph) {
  PyRef root = PyRef::steal(graph.attach());
  const std::vector<MovedGraph::Hole> holes = std::exchange(graph.holes, {});
  std::vector<Place> places;
  for (const MovedGraph::Hole &hole : holes) places.emplace_back(hole);
  const PyRef contents = decode_contents(graph);
  for (PyObject *part : std::exchange(graph.parts, {})) Py_DECREF(part);
  for (std::size_t i = 0; contents && i < holes.size(); ++i) {
    if (!places[i].is_as_before(holes[i])) {
      PyErr_Format(PyExc_RuntimeError, "a %s was changed before all that is in it was rebuilt",
                   Py_TYPE(holes[i].owner)->tp_name);
      return nullptr;
    }
    fill(holes[i], contents.get());
    track(holes[i]);
  }
  return contents ? root.release() : nullptr;
}

}  // namespace

HandOver hand_over(PyRef &root, Detachment::Held held, const char *name, Move &move,
                   std::unique_ptr<Detachment> &left, const Survey *around) {
  left = std::make_unique<Detachment>();
  switch (left->run(root, held)) {
    case Detachment::Result::kDone:
      if (left->handles().empty() || encode_handles(*left, name)) return HandOver::kDone;
      root = left->undo();
      return HandOver::kForeign;
    case Detachment::Result::kNoMemory:
      PyErr_NoMemory();
      return HandOver::kRaised;
    default:
      break;
  }
  bool may_succeed = can_move();
  HandOver result = HandOver::kForeign;
  for (int i = 0; i < kMostTries && may_succeed && result == HandOver::kForeign; ++i)
    result = try_with_holes(root, held, name, move, left, around, may_succeed);
  return result;
}

PyObject *receive(MovedGraph &graph) {
  if (graph.root == nullptr || graph.holes.empty()) return graph.attach();
  if (!graph.parts.empty()) return receive_with_parts(graph);
  // While code runs, nothing leads to the graph.
  const PyRef contents = decode_contents(graph);
  if (!contents) return nullptr;
  const std::vector<MovedGraph::Hole> holes = std::exchange(graph.holes, {});
  for (const MovedGraph::Hole &hole : holes) fill(hole, contents.get());
  PyObject *const root = graph.attach();
  for (const MovedGraph::Hole &hole : holes) track(hole);
  return root;
}

}  // namespace interlock
