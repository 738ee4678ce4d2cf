// SPDX-License-Identifier: MIT
// The way into an interpreter for threads that it has not started. GIL_STATE.md has the rules.
#pragma once

#include <cstdint>
#include <vector>

#include "base/atomic.hpp"
#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "lock/mutex.hpp"
#include "platform/clock.hpp"

namespace interlock {

/// A state that a thread keeps in an interpreter, for when it comes in again.
struct KeptState final : RefCounted {
  explicit KeptState(PyThreadState *made) noexcept : state(made) {}
  PyThreadState *state;                   // null once deleted; only its thread, inside, may look
  Atomic<bool> is_without_thread{false};  // which has ended, or has no use for it any more
};

/// It outlives the interpreter, and nobody comes in once that ends. Thread: any.
/// Lock: mutex_ (kLeaf) guards kept_.
class Entrance final : public RefCounted {
 public:
  /// The calling interpreter's, made if need be; null for the main interpreter, into which CPython
  /// has a way, and for want of memory, without a Python exception.  Thread: attached.
  [[nodiscard]] static Ref<Entrance> of_current() noexcept;
  /// Of an interpreter that lives, if it has one; or null.
  [[nodiscard]] static Ref<Entrance> find(PyInterpreterState *interpreter);
  /// The main interpreter's.
  [[nodiscard]] static const Ref<Entrance> &main() noexcept;
  /// The calling interpreter is about to end: nobody comes in any more. Waits for guards without
  /// end, then a second for those inside; false if some are left.  Thread: attached.
  static bool close_current() noexcept;
  /// Closes it with the last of the exit functions of the calling interpreter, which it is of; not
  /// if the runtime ends that. False with a Python exception set.  Thread: attached.
  [[nodiscard]] bool wait_at_exit() noexcept;
  /// The runtime ends it. Only then may threads keep states: CPython ends no interpreter that has
  /// states of others.
  void let_runtime_end() noexcept { waits_at_exit_ = is_ended_by_runtime_ = true; }
  [[nodiscard]] bool keeps_states() const noexcept { return is_ended_by_runtime_; }
  /// Child of a fork: only the main interpreter is left.
  static void reset_after_fork() noexcept;

  [[nodiscard]] PyInterpreterState *interpreter() const noexcept { return interpreter_; }
  [[nodiscard]] bool is_closed() const noexcept { return (inside_ & kClosed) != 0; }
  /// From true to leave() the interpreter is not deleted. False once it ends.
  [[nodiscard]] bool enter() noexcept;
  void leave() noexcept;
  /// From true to unguard() the interpreter waits with its end, and enter() is true. False once it
  /// has begun.
  [[nodiscard]] bool guard() noexcept;
  void unguard() noexcept;

  /// Has the end of the interpreter delete the state. Thread: inside.
  [[nodiscard]] Ref<KeptState> keep(PyThreadState *state);
  /// Its thread does not come in by it any more: whoever comes in next deletes it.  Thread: its
  /// own, attached or not.  Blocks: never for long.
  void give_up(KeptState &kept) noexcept;
  /// Deletes those that are given up, which may run Python code.  Thread: attached.
  void delete_given_up() noexcept {
    if (has_given_up_.exchange(false)) delete_states(false);
  }

 private:
  explicit Entrance(PyInterpreterState *interpreter) noexcept : interpreter_(interpreter) {}
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);
  void close() noexcept;
  void close_to_guards() noexcept;
  [[nodiscard]] bool wait_until_empty(Deadline deadline) noexcept;
  void delete_states(bool all) noexcept;

  static constexpr std::uint32_t kClosed = 1u << 31;
  PyInterpreterState *const interpreter_;
  Atomic<std::uint32_t> guards_{0};  // how many there are, and kClosed
  Atomic<std::uint32_t> inside_{0};  // how many threads are; and kClosed, but not before guards_
  Atomic<bool> has_given_up_{false};
  bool waits_at_exit_ = false;  // guarded by the interpreter lock
  bool is_ended_by_runtime_ = false;
  Mutex mutex_{LockRank::kLeaf};
  std::vector<Ref<KeptState>> kept_;
};

}  // namespace interlock
