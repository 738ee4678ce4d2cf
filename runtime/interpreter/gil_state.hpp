// SPDX-License-Identifier: MIT
// Which interpreter PyGILState_Ensure() and its like come into, on any thread. GIL_STATE.md has the
// rule and its reasons.
#pragma once

#include "interpreter/entrance.hpp"
#include "lock/interpreter_lock.hpp"

namespace interlock {

/// What the functions of the C API of these names do. `entrance`: of the interpreter whose code
/// calls; null if that is nobody's own. Thread: any, attached to any interpreter or to none.
class GilState {
 public:
  /// A thread that comes too late stops for good, as CPython has it when it finalises.
  [[nodiscard]] static PyGILState_STATE ensure(Entrance *entrance) noexcept;
  /// Goes back to where the thread was before the ensure() that it belongs to.
  static void release(PyGILState_STATE state) noexcept;
  [[nodiscard]] static bool check(const Entrance *entrance) noexcept;
  [[nodiscard]] static PyThreadState *this_thread_state(const Entrance *entrance) noexcept;

  static void reset_after_fork() noexcept;
  /// Threads belong to the interpreter whose thread has created them. Once in a process.
  static void let_threads_inherit() noexcept;
};

/// Is in the main interpreter for the life of the guard, on a thread that Python may never have
/// seen. Thread: any; the main interpreter must live.  Locks: none but the global one.
class EnterMainInterpreter {
 public:
  [[nodiscard]] EnterMainInterpreter() noexcept {
    lock_rank_check_entering();
    state_ = GilState::ensure(Entrance::main().get());
  }
  ~EnterMainInterpreter() { GilState::release(state_); }
  EnterMainInterpreter(const EnterMainInterpreter &) = delete;
  EnterMainInterpreter &operator=(const EnterMainInterpreter &) = delete;

 private:
  PyGILState_STATE state_;
};

}  // namespace interlock
