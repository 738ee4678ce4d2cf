// SPDX-License-Identifier: MIT
// The collector counts the containers that its interpreter makes less those that it frees, and runs
// when there are enough. Received ones were made elsewhere: freeing them would hide garbage of the
// receiver's own for ever. So before they are attached, their number lets the collector run as if
// they had been made here, without having to look at them.
#pragma once

#include <cstddef>

#include "base/python_compat_collector.hpp"

namespace interlock {

/// One for each interpreter, whose lock guards it; all zero at first.
class CollectorPace {
 public:
  /// Collects garbage if `count` containers to be received make that due, and the program has not
  /// turned the collector off.  Thread: attached.  May run Python code; leaves no exception set.
  void before_attaching(std::size_t count) {
    since_last_ += count;
    if (since_last_ >= kOften) collect();
  }

 private:
  static constexpr std::size_t kOften = 1024;  // of calls worth asking for the real threshold
  void collect();

  std::size_t since_last_;  // received since the last collection
  std::size_t since_full_;
  std::size_t rounds_;
  std::size_t survivors_;  // of the last full one
};

/// While a message with many containers is rebuilt: the collector does not run, so that it need not
/// look at what is still being made. It runs when they are all there and set aside, so that it
/// looks at what was made before, and at these only next time, when the program has dropped many;
/// where CollectorList is not verified, at all of them. Thread: attached, for the whole lifetime.
class CollectorPause {
 public:
  CollectorPause() = default;
  CollectorPause(const CollectorPause &) = delete;
  CollectorPause &operator=(const CollectorPause &) = delete;
  ~CollectorPause() { resume(); }

  void begin() {
    is_on_ = true;
    knows_list_ = CollectorList::verified();
    pause();
  }
  [[nodiscard]] bool is_on() const noexcept { return is_on_; }
  /// A tracked container that has just been made, and is complete.
  void add(PyObject *container) noexcept {
    ++count_;
    if (knows_list_) made_.add(container);
  }
  /// All are complete.
  void end(CollectorPace &pace);
  /// Around what may run code for long.
  void resume() noexcept {
    if (std::exchange(was_enabled_, false)) PyGC_Enable();
  }
  void pause() noexcept {
    if (is_on_) was_enabled_ = PyGC_Disable() != 0;
  }

 private:
  bool knows_list_ = false;
  bool is_on_ = false;
  bool was_enabled_ = false;
  std::size_t count_ = 0;
  CollectorList::Aside made_;
};

}  // namespace interlock
