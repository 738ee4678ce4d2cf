// SPDX-License-Identifier: MIT
// How an interpreter ends, on its home thread. Py_EndInterpreter() aborts the process if any other
// thread state is left, joins threads and runs exit functions; it must run under the global lock,
// under which nothing may take long. So the long parts run first, without it.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"

namespace interlock {

enum class Ending {
  kDeleted,  // the interpreter is gone
  kFrozen,   // threads of it are left (daemon threads): they must never run again
};

/// Joins the non-daemon threads of the current interpreter, runs its atexit functions and flushes
/// its streams; what these raise goes to sys.unraisablehook.
/// Thread: home, attached.  Blocks: as long as those threads run.
void run_exit_functions();

/// The last Python code: gives up what others may wait for, even if an interrupt kept exit
/// functions from it. Then nobody comes in any more. Thread: home, attached, outside of
/// interruptible work.  Blocks: a second at most, for threads that are inside.
void tear_down();

/// Flushes sys.stdout and sys.stderr, so that what a task printed is seen before its result; errors
/// are left to the next write. Thread: attached.
void flush_standard_streams();

/// Ends the interpreter of `state`. `rest` is to be dropped when the home thread has ended.
/// Thread: home, attached through `state`; unattached afterwards.  Locks: takes the global lock.
[[nodiscard]] Ending end_interpreter(PyThreadState *state, Ref<RefCounted> &rest);

/// Takes the lock of an interpreter that could not be deleted, for as long as the process runs, as
/// CPython stops daemon threads when it finalises. Those that wait outside give that up, so that
/// they take nothing with them. Known limit: a daemon thread that CPython has in the middle of an
/// initialisation of the process (3.13: the first use of a static argument parser, which visits the
/// main interpreter and comes back) keeps that, and whoever needs it waits for ever.
/// Thread: home, unattached through `state`.
void take_lock_for_good(PyThreadState *state);
/// What is left to do for a thread that has. Never returns.
[[noreturn]] void stay_frozen();

/// The same for an abandoned interpreter, from a thread of its own, so that nothing in it runs
/// while the process finalises. Thread: any.
void freeze_from_outside(PyInterpreterState *interpreter);

}  // namespace interlock
