// SPDX-License-Identifier: MIT
// Finalisers of private copies, which may be left before they return.
#pragma once

#include <setjmp.h>

#include <utility>

namespace interlock {

class Finaliser {
 public:
  /// Calls `function`. False if it was left: then nothing that it has begun is undone, no object is
  /// destroyed, and locks that it holds stay held.
  template <typename Function>
  static bool run(Function function) {
    sigjmp_buf here;
    sigjmp_buf *const outer = std::exchange(after(), &here);
    const bool is_first = sigsetjmp(here, 0) == 0;
    if (is_first) function();
    after() = outer;
    return is_first;
  }
  /// Leaves the innermost one that the calling thread is in; returns if there is none.
  static void leave() noexcept {
    if (after() != nullptr) siglongjmp(*after(), 1);
  }

 private:
  /// Where to go on.
  [[nodiscard]] static sigjmp_buf *&after() noexcept {
    thread_local sigjmp_buf *place = nullptr;
    return place;
  }
};

}  // namespace interlock
