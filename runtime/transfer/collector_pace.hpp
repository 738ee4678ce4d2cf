// SPDX-License-Identifier: MIT
// The collector counts the containers that its interpreter makes less those that it frees, and runs
// when there are enough. Received ones were made elsewhere: freeing them would hide garbage of the
// receiver's own for ever. So before they are attached, their number lets the collector run as if
// they had been made here, without having to look at them.
#pragma once

#include <cstddef>

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

}  // namespace interlock
