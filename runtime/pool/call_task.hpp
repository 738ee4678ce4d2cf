// SPDX-License-Identifier: MIT
// One call of a function in another interpreter: the call as a message, then its outcome as one.
// Lock: mutex_ (kCompletion) guards the outcome, waiter_ and completions_; state_ is atomic.
#pragma once

#include <atomic>
#include <vector>

#include "base/python_compat.hpp"
#include "channel/channel.hpp"
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

class CallTask : public Work {
 public:
  // kQueued -> kRunning | kCancelled | kFailed;  kRunning -> kDone | kRaised | kFailed
  enum class State : std::uint8_t { kQueued, kRunning, kDone, kRaised, kCancelled, kFailed };

  /// `call` carries a tuple (function, arguments, keyword arguments). Its end is reported to
  /// `completions`, and by a None that is sent to `bell`; both may be null.
  CallTask(Message call, Ref<Completions> completions, Ref<Channel> bell = {})
      : call_(std::move(call)), completions_(std::move(completions)), bell_(std::move(bell)) {}

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
  /// Lets wait_begun() be told. Before it is queued.
  void announce_begin() noexcept { announces_begin_ = true; }
  /// Waits until it has begun, or ended without. Thread: one at a time.  Locks: none, no
  /// interpreter lock.  Errors: kEINTERRUPTED.
  [[nodiscard]] Status wait_begun();
  /// Whether anybody has taken what it carries. Once it has begun or ended that no longer changes.
  [[nodiscard]] bool was_begun() const noexcept {
    const State now = state_;
    if (now == State::kFailed) return failed_running_;
    return now != State::kQueued && now != State::kCancelled;
  }
  /// The result (kDone) or the exception (kRaised). Once ended() it no longer changes.
  [[nodiscard]] const Message &outcome() const noexcept { return outcome_; }
  /// Why it was never run, or never finished (kFailed).
  [[nodiscard]] const Status &failure() const noexcept { return failure_; }

 protected:
  /// What it is to do; nothing if it was cancelled, or has ended. Thread: home.
  [[nodiscard]] Message begin();
  /// `outcome`: the result if it `succeeded`, else the exception.
  void finish(bool succeeded, Message outcome) {
    finish(State::kRunning, succeeded ? State::kDone : State::kRaised, std::move(outcome), {});
  }

 private:
  void finish(State from, State to, Message outcome, Status failure);
  void report();
  /// Waits until `is_over`().
  template <typename Condition>
  [[nodiscard]] Status wait_for(Condition is_over, Deadline deadline);

  Message call_;
  const Ref<Completions> completions_;
  const Ref<Channel> bell_;
  std::atomic<State> state_{State::kQueued};
  std::atomic<bool> failed_running_{false};  // kRunning -> kFailed; set before state_ is
  bool announces_begin_ = false;
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
/// Thread: attached; a home thread within work.
[[nodiscard]] Message encode_raised();

}  // namespace interlock
