// SPDX-License-Identifier: MIT
// The containers of a graph that moves, and what the collector of either side has to do with them.
#pragma once

#include <vector>

#include "base/python_compat_collector.hpp"

namespace interlock {

/// Thread: one at a time.
class MovedContainers {
 public:
  /// Takes a container out of the collector's list, if it is there; by leave() at the latest, so
  /// that neighbours go together. Thread: attached.
  void add(PyObject *container) {
    ++count_;
    if (!CollectorList::is_tracked(container)) {
      untracked_.push_back(container);
    } else if (knows_list_ && CollectorList::is_plain(container)) {
      if (going_.count != 0 && CollectorList::join(going_, container)) return;
      take_going();
      going_ = {container, container, 1};
    } else {
      PyObject_GC_UnTrack(container);
      single_.push_back(container);
    }
  }
  /// The same for one that is in no list now, but is to be, if `is_tracked`, where it arrives.
  void add_new(PyObject *container, bool is_tracked) {
    ++count_;
    (is_tracked ? single_ : untracked_).push_back(container);
  }
  /// All are out of the collector's list from now on. Thread: attached.
  void leave() {
    take_going();
    if (run_.count != 0) CollectorList::count_out(run_);
  }
  /// Puts what was there into the collector's list, but for new ones of which `is_left_out`. None
  /// is here afterwards. Thread: attached.
  template <typename Predicate>
  void arrive(Predicate is_left_out) {
    for (PyObject *each : single_) {
      if (!is_left_out(each)) PyObject_GC_Track(each);
    }
    if (run_.count != 0) CollectorList::link(run_);
    *this = {};
  }
  void arrive() {
    arrive([](PyObject *) { return false; });
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  /// Calls `function(container)` for each, which it may free. After leave().
  template <typename Function>
  void for_each(Function function) const {
    for (PyObject *each : untracked_) function(each);
    for (PyObject *each : single_) function(each);
    CollectorList::for_each(run_, function);
  }

 private:
  void take_going() {
    if (going_.count != 0) CollectorList::take_before(std::exchange(going_, {}), run_);
  }

  bool knows_list_ = CollectorList::verified();
  std::size_t count_ = 0;
  std::vector<PyObject *> untracked_;
  std::vector<PyObject *> single_;  // each to be tracked by itself
  TrackedRun run_;                  // out of the list, in an order of no meaning
  TrackedRun going_;                // neighbours, still in the list
};

}  // namespace interlock
