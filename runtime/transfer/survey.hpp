// SPDX-License-Identifier: MIT
// What a graph of plain objects has in it that cannot move as it is: instances, handles, containers
// whose keys need another hash elsewhere. Each is a hole in the graph that moves. TRANSFER.md has
// the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/python_compat.hpp"
#include "transfer/object_table.hpp"
#include "transfer/slots.hpp"

namespace interlock {

/// Runs no Python code. Thread: attached, for the whole lifetime.
class Survey {
 public:
  /// `copies`: what the containers will be that something outside holds, rather than emptied.
  /// `around`: of the graph in whose hole this one stands, or null.
  Survey(PyObject *root, bool copies, const Survey *around = nullptr);
  Survey(const Survey &) = delete;
  Survey &operator=(const Survey &) = delete;

  /// What stands in the holes, each object once.
  [[nodiscard]] const std::vector<PyRef> &foreign() const noexcept { return foreign_; }
  [[nodiscard]] bool is_foreign(PyObject *object) noexcept {
    if (next_foreign_ < foreign_.size() && foreign_[next_foreign_].get() == object) return true;
    const std::uint64_t *const found = met_.find(object);
    return found != nullptr && *found != kPart;
  }
  /// The index in foreign() of what is met in a place of the graph, if it is there. Fast if asked
  /// in the order of the walk.
  [[nodiscard]] std::optional<std::size_t> find_foreign(PyObject *object) noexcept;
  /// Whether the graph can move around its holes, and that saves more than they cost. It cannot if
  /// what fills one might look up a part by its hash that has a hole itself, still unfilled.
  [[nodiscard]] bool is_worth_it() const noexcept {
    return !has_hashed_hole_ && weight_ >= kLeast + kWorth * foreign_.size();
  }
  /// Whether a container of the graph that something else holds, too.
  [[nodiscard]] bool is_part(const PyObject *object) const noexcept;
  /// The same of this graph and those around it.
  [[nodiscard]] bool is_part_of_any(const PyObject *object) const noexcept;
  /// Whether `condition(object)` holds for anything but leaves that something else holds, too.
  template <typename Condition>
  [[nodiscard]] bool has_held(Condition condition) const {
    return met_.any(condition);
  }

 private:
  void look_at(PyObject *object);
  void open(PyObject *container, bool is_held);
  [[nodiscard]] bool can_move(PyObject *container, PyTypeObject *type);
  [[nodiscard]] bool has_foreign_keys(PyObject *container, PyTypeObject *type);
  [[nodiscard]] bool is_plain_key(PyObject *key);

  /// Places still to visit.
  struct Visit {
    Slots slots;
    bool is_hashed;  // with what something else holds, too: they are parts of its hash
  };

  static constexpr std::uint64_t kPart = UINT64_MAX;
  // Measured: a hole costs what is saved by not copying three or four plain objects, and the first
  // one what is saved by not copying some more.
  static constexpr std::size_t kWorth = 5;
  static constexpr std::size_t kLeast = 32;

  const bool copies_;
  const Survey *const around_;
  std::vector<PyRef> foreign_;
  std::size_t next_foreign_ = 0;  // where find_foreign() looks first
  std::size_t weight_ = 0;        // plain places, and for each 64 bytes in one, another
  ObjectTable met_;               // what may be met again: its index in foreign_, or kPart
  std::vector<Visit> visits_;     // begun, and not yet done
  bool is_hashed_ = false;        // Visit::is_hashed of the place that is being visited
  bool has_hashed_hole_ = false;
};

}  // namespace interlock
