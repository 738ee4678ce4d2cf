// SPDX-License-Identifier: MIT
// Which interpreter PyGILState_Ensure() and its like come into, on any thread. GIL_STATE.md has the
// rule and its reasons.
#pragma once

#include "base/atomic.hpp"
#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "lock/interpreter_lock.hpp"
#include "platform/clock.hpp"

namespace interlock {

/// The way into an interpreter for threads that it has not started. It outlives the interpreter,
/// and nobody comes in once that ends. Thread: any.
class Entrance final : public RefCounted {
 public:
  /// The calling interpreter's, made if need be; null for the main interpreter, into which CPython
  /// has a way, and for want of memory, without a Python exception.  Thread: attached.
  [[nodiscard]] static Ref<Entrance> of_current() noexcept;
  /// The main interpreter's, which nobody closes.
  [[nodiscard]] static Ref<Entrance> main() noexcept;
  /// The calling interpreter is about to end: nobody comes in any more. Waits for those inside
  /// until `deadline`; false if some are left.  Thread: attached.
  static bool close_current(Deadline deadline) noexcept;
  /// Child of a fork: only the main interpreter is left.
  static void reset_after_fork() noexcept;

  [[nodiscard]] PyInterpreterState *interpreter() const noexcept { return interpreter_; }
  [[nodiscard]] bool is_closed() const noexcept { return (inside_ & kClosed) != 0; }
  /// From true to leave() the interpreter does not end. False once it ends.
  [[nodiscard]] bool enter() noexcept;
  void leave() noexcept;
  /// Nobody comes in any more.
  void close() noexcept;

 private:
  explicit Entrance(PyInterpreterState *interpreter) noexcept : interpreter_(interpreter) {}
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);
  [[nodiscard]] bool wait_until_empty(Deadline deadline) noexcept;

  static constexpr std::uint32_t kClosed = 1u << 31;
  PyInterpreterState *const interpreter_;
  Atomic<std::uint32_t> inside_{0};  // how many threads are, and kClosed
};

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

  /// Threads belong to the interpreter whose thread has created them. Once in a process.
  static void let_threads_inherit() noexcept;
};

/// Is in the main interpreter for the life of the guard, on a thread that Python may never have
/// seen. Thread: any; the main interpreter must live.  Locks: none but the global one.
class EnterMainInterpreter {
 public:
  [[nodiscard]] EnterMainInterpreter() noexcept {
    lock_rank_check_entering();
    const StayInThread stay;
    state_ = GilState::ensure(Entrance::main().get());
  }
  ~EnterMainInterpreter() { GilState::release(state_); }
  EnterMainInterpreter(const EnterMainInterpreter &) = delete;
  EnterMainInterpreter &operator=(const EnterMainInterpreter &) = delete;

 private:
  PyGILState_STATE state_;
};

}  // namespace interlock
