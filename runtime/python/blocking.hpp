// SPDX-License-Identifier: MIT
// How Python code waits: outside its interpreter, and back inside for signals and interrupts.
#pragma once

#include <optional>

#include "base/python_compat.hpp"
#include "base/status.hpp"
#include "interpreter/detached.hpp"
#include "interpreter/interpreter.hpp"
#include "interpreter/interrupt_handler.hpp"
#include "interpreter/returns.hpp"
#include "lock/interpreter_lock.hpp"
#include "lock/wait_ladder.hpp"
#include "platform/clock.hpp"

namespace interlock {

/// Whether the calling thread is the one that runs Python's signal handlers. Only that one may look
/// at its thread state while it is outside: CPython frees those of other threads when it finalises.
[[nodiscard]] bool handles_signals() noexcept;
/// The calling thread is: the first that imports the module, the only one in the child of a fork.
void set_handles_signals() noexcept;

/// Runs `operation()` outside the interpreter, again after each signal that raises nothing. When a
/// signal handler raised, or Interpreter::interrupt() asked for it: kEPYTHON with the exception
/// set. Thread: attached.  Locks: gives up the interpreter lock.  Blocks: as `operation` does.
template <typename Operation>
[[nodiscard]] Status run_detached(Operation operation) {
  PyThreadState *const state = PyThreadState_Get();
  for (;;) {
    Status status;
    // Registered before the interpreter's lock is given up: whoever takes it for good then sees it.
    std::optional<DetachedWait> wait(std::in_place, PyThreadState_GetInterpreter(state));
    // What is given back from here on interrupts the wait; what came before is seen now.
    Returns::drain_current();
    {
      const LeaveInterpreter leave;
      Parker &parker = Parker::current();
      if (handles_signals()) {
        parker.set_signal_probe(
            [](const void *thread) noexcept {
              return EvalBreaker::has_signal(static_cast<const PyThreadState *>(thread));
            },
            state);
      }
      status = operation();
      parker.set_signal_probe(nullptr, nullptr);
      wait.reset();
    }
    if (status.code() != Code::kEINTERRUPTED) return status;
    EvalBreaker::clear_signal(state);
    if (PyErr_CheckSignals() != 0) return Code::kEPYTHON;
    Interpreter *const home = Interpreter::current();
    if (home != nullptr && home->take_interrupt() && !handle_interrupt()) return Code::kEPYTHON;
  }
}

/// Spins inside the interpreter until `ready()`, for no longer than leaving it and coming back may
/// cost, and only while whoever is waited for runs on another processor (`peer`; -1 if unknown) and
/// nothing else wants this one: another thread of the interpreter, a signal, a pending call.
/// Thread: attached.  Blocks: never.
template <typename Ready>
void spin_attached(int peer, Ready ready) noexcept {
  constexpr std::int64_t kAttachedSpinNs = 2'000;
  if (peer < 0 || peer == current_processor() || !Parker::current().spins() || ready()) return;
  const PyThreadState *const state = PyThreadState_GetUnchecked();
  (void)WaitLadder::spin([&]() noexcept { return ready() || EvalBreaker::anything(state); },
                         kAttachedSpinNs);
}

/// Takes the global lock for an attached thread: if it is not free, the thread waits outside its
/// interpreter. Who takes it releases it.  Thread: attached.  Blocks: until `deadline`.
/// Errors: kETIMEDOUT, kEPYTHON.
[[nodiscard]] Status acquire_global_lock(Deadline deadline);

// What follows is false with a TypeError or ValueError: "`expected`, not ...".

struct SecondsRange {
  double least;
  double most;
};
/// Reads a number of seconds within `range`.
[[nodiscard]] bool parse_seconds(PyObject *object, const char *expected, SecondsRange range,
                                 double &seconds);
/// Reads a number of seconds from now on, 0 or more.
[[nodiscard]] bool parse_delay(PyObject *delay, const char *expected, Deadline &deadline);
/// Reads a timeout in seconds: null or None is never.
[[nodiscard]] bool parse_timeout(PyObject *timeout, Deadline &deadline);

}  // namespace interlock
