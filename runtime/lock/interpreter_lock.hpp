// SPDX-License-Identifier: MIT
// The interpreter lock, the lower of the two tiers: CPython's own per-interpreter lock (PEP 684).
// It protects the evaluation of Python code in one interpreter and nothing else. The runtime takes
// it and gives it up through these guards; for other people's threads, in GilState.
#pragma once

#include "base/python_compat.hpp"
#include "lock/lock_rank.hpp"
#include "platform/thread.hpp"

namespace interlock {

/// Leaves the current interpreter for the life of the guard: its lock is free meanwhile.
/// Thread: attached.  Blocks: at its end, until the interpreter's lock is free.
class LeaveInterpreter {
 public:
  [[nodiscard]] LeaveInterpreter() noexcept : state_(PyEval_SaveThread()) {}
  ~LeaveInterpreter() {
    lock_rank_check_entering();
    const StayInThread stay;
    PyEval_RestoreThread(state_);
  }
  LeaveInterpreter(const LeaveInterpreter &) = delete;
  LeaveInterpreter &operator=(const LeaveInterpreter &) = delete;

 private:
  PyThreadState *const state_;
};

/// Is in an interpreter for the life of the guard, through `state`: a thread state made for the
/// calling thread and not in use.
/// Thread: unattached.  Locks: none but the global one.  Blocks: until the interpreter's lock is
/// free.
class EnterInterpreter {
 public:
  [[nodiscard]] explicit EnterInterpreter(PyThreadState *state) noexcept {
    lock_rank_check_entering();
    const StayInThread stay;
    PyEval_RestoreThread(state);
  }
  ~EnterInterpreter() { PyEval_SaveThread(); }
  EnterInterpreter(const EnterInterpreter &) = delete;
  EnterInterpreter &operator=(const EnterInterpreter &) = delete;
};

}  // namespace interlock
