// SPDX-License-Identifier: MIT
// One call of a function in another interpreter: the call as a message, then its outcome as one.
// Lock: mutex_ (kCompletion) guards the outcome, waiter_ and completions_; state_ is atomic.
#pragma once

#include <atomic>
#include <vector>

#include "base/python_compat.hpp"
#include "memory/message.hpp"
#include "pool/task_queue.hpp"

namespace interlock {

class CallTask;

/// Where ended tasks wait for the interpreter that submitted them.
/// Lock: mutex_ (kCompletion) guards the fields.
class Completions final : public RefCounted {
 public:
  /// Thread: any.
  void add(Ref<CallTask> task);
  /// Takes all there are, waiting for at least one. `tasks` stays empty after wake().
  /// Thread: one at a time.  Locks: none, no interpreter lock.  Errors: kETIMEDOUT, kEINTERRUPTED.
  [[nodiscard]] Status wait_until(Deadline deadline, std::vector<Ref<CallTask>> &tasks);
  /// Lets the current or next wait_until() return with nothing. Thread: any.
  void wake();

 private:
  [[nodiscard]] bool take_locked(std::vector<Ref<CallTask>> &tasks);

  Mutex mutex_{LockRank::kCompletion};
  std::vector<Ref<CallTask>> tasks_;
  Parker *waiter_ = nullptr;
  bool woken_ = false;
};

class CallTask final : public Work {
 public:
  // kQueued -> kRunning | kCancelled | kFailed;  kRunning -> kDone | kRaised | kFailed
  enum class State : std::uint8_t { kQueued, kRunning, kDone, kRaised, kCancelled, kFailed };

  /// `call` carries a tuple (function, arguments, keyword arguments). `completions` may be null.
  CallTask(Message call, Ref<Completions> completions)
      : call_(std::move(call)), completions_(std::move(completions)) {}

  void run() override;
  void fail(const Status &why) override;
  bool cancel() override;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] bool ended() const noexcept {
    return state_ != State::kQueued && state_ != State::kRunning;
  }
  /// Waits until it has ended. Thread: one at a time.  Locks: none, no interpreter lock.
  /// Errors: kETIMEDOUT, kEINTERRUPTED.
  [[nodiscard]] Status wait_until(Deadline deadline);
  /// The result (kDone) or the exception (kRaised). Once ended() it no longer changes.
  [[nodiscard]] const Message &outcome() const noexcept { return outcome_; }
  /// Why it was never run, or never finished (kFailed).
  [[nodiscard]] const Status &failure() const noexcept { return failure_; }

 private:
  void finish(State from, State to, Message outcome, Status failure);

  Message call_;
  const Ref<Completions> completions_;
  std::atomic<State> state_{State::kQueued};
  Mutex mutex_{LockRank::kCompletion};
  Message outcome_;
  Status failure_;
  Parker *waiter_ = nullptr;
};

/// Calls what `call` carries and encodes the result, or the exception that was raised, into
/// `outcome`; true for a result. `keywords`: a dict or None. Leaves no Python exception set.
/// Thread: home, attached; within work.
[[nodiscard]] bool run_call(PyObject *function, PyObject *arguments, PyObject *keywords,
                            Message &outcome);
/// The Python exception that is set, encoded as an outcome, and no longer set.
/// Thread: home, attached; within work.
[[nodiscard]] Message encode_raised();

}  // namespace interlock
