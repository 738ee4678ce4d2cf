// SPDX-License-Identifier: MIT
// The sender's side of a move: takes a graph of plain objects out of the calling interpreter. What
// it reaches is a list, tuple, dict, set, frozenset, bytearray, str, bytes, int, float, complex or
// one of the objects of all interpreters; anything else has to be copied or rebuilt. TRANSFER.md
// has the rules.
#pragma once

#include <cstdint>
#include <vector>

#include "base/small_vector.hpp"
#include "base/tier.hpp"
#include "transfer/moved_graph.hpp"
#include "transfer/object_table.hpp"
#include "transfer/slots.hpp"
#include "transfer/survey.hpp"

namespace interlock {

/// Whether objects can be moved in this process. Thread: attached.
[[nodiscard]] bool can_move() noexcept;

/// Everything runs with the interpreter lock held and runs no Python code, so that no other thread
/// sees anything half done. Thread: attached, for the whole lifetime.
class Detachment {
 public:
  enum class Result : std::uint8_t {
    kDone,
    kForeign,  // something in it cannot be moved as it is; nothing has changed
    kNoMemory,
  };

  Detachment() = default;
  ~Detachment();
  Detachment(const Detachment &) = delete;
  Detachment &operator=(const Detachment &) = delete;

  /// What becomes of a list, dict, set or bytearray that something else holds, too.
  enum class Held : std::uint8_t { kEmptied, kCopied };

  /// Detaches `root`, which is then null, and what it contains. graph() then has it. `survey`: what
  /// is left out, as holes; kForeign then means that the graph has changed since. Without one,
  /// handles are: handles() has them.
  [[nodiscard]] Result run(PyRef &root, Held held, Survey *survey = nullptr);
  [[nodiscard]] const std::vector<PyObject *> &handles() const noexcept { return handles_; }
  /// What goes instead of a container that something else held; null if there was none.
  [[nodiscard]] PyObject *stand_in(PyObject *original) noexcept {
    const std::uint64_t *const index = replaced_.find(original);
    return index != nullptr ? replacements_[static_cast<std::size_t>(*index)].stand_in : nullptr;
  }
  [[nodiscard]] const Ref<MovedGraph> &graph() const noexcept { return graph_; }
  /// After run(), if the graph was not received and never will be: everything is as it was before,
  /// but for what was added meanwhile to a container left empty; that now stands after the rest.
  /// Returns the root.
  PyRef undo();
  /// How an object that was taken has gone, or would have.
  [[nodiscard]] Tier tier_of(PyObject *object);

 private:
  /// What stays with the sender, and what goes instead.
  struct Replacement {
    PyObject *original;  // owned
    PyObject *stand_in;  // owned by the places that refer to it
  };
  /// Places still to visit.
  struct Visit {
    Slots slots;
    PyObject *owner = nullptr;
    bool is_held = false;  // somebody else has what they refer to, too
    bool is_key = false;   // they are, or are part of, what a table finds by its hash
  };

  /// Whether other interpreters may have the very object.
  [[nodiscard]] bool is_shared(PyObject *object, PyTypeObject *type);
  [[nodiscard]] bool visit_all();
  [[nodiscard]] bool put_off(const Slots &slots, PyObject *owner, bool is_held) noexcept;
  [[nodiscard]] PyObject *take(PyObject *object);
  [[nodiscard]] PyObject *take_container(PyObject *object, PyTypeObject *type);
  [[nodiscard]] PyObject *take_held(PyObject *object);
  [[nodiscard]] PyObject *replace(PyObject *object);
  [[nodiscard]] PyObject *replace_number(PyObject *object, PyTypeObject *type);
  [[nodiscard]] PyObject *take_foreign(PyObject *object);
  [[nodiscard]] std::optional<std::size_t> find_handle(PyObject *object);
  /// A container of which the survey says that it cannot move as it is.
  [[nodiscard]] bool is_surveyed(PyObject *container) noexcept {
    return survey_ != nullptr && survey_->is_foreign(container);
  }
  [[nodiscard]] PyObject *twin_of(PyObject *object, PyTypeObject *type);
  /// Whether a container of this type that something else holds is emptied rather than copied.
  [[nodiscard]] bool is_emptied(PyTypeObject *type) const noexcept;
  void open(PyObject *container, bool is_held);
  /// Notes why it cannot be done. Returns null.
  PyObject *refuse(Result why) noexcept;
  [[nodiscard]] PyRef take_back();
  void put_back();
  [[nodiscard]] PyObject *original_of(std::uint64_t index) const noexcept {
    return replacements_[static_cast<std::size_t>(index)].original;
  }

  Ref<MovedGraph> graph_ = make_ref<MovedGraph>();
  Held held_ = Held::kEmptied;
  Survey *survey_ = nullptr;
  SmallVector<Visit, 32> visits_;  // begun, and not yet done
  PyObject *opened_ = nullptr;     // a container whose places are to be visited next
  bool opened_is_held_ = false;
  ObjectTable replaced_;  // original -> index
  std::vector<Replacement> replacements_;
  std::size_t known_ = 0;  // of them, to tier_of()
  static constexpr std::size_t kNumbers = 64;
  std::size_t numbers_[kNumbers] = {};  // index of a number that was replaced, perhaps
  bool is_key_ = false;                 // Visit::is_key of the place that is being visited
  std::vector<PyObject *> in_holes_;    // owned; those of graph_->holes
  std::size_t last_index_ = 0;          // MovedGraph::Hole::index of what was taken last
  std::vector<PyObject *>
      handles_;  // what stands in holes, each object once, if there is no survey
  ObjectTable handle_indices_;
  Result why_ = Result::kDone;
};

}  // namespace interlock
