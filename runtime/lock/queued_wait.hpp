// SPDX-License-Identifier: MIT
// The sleeper's side of a WaitQueue, for whatever is waited for: try, climb the ladder, register,
// look again, sleep; and what one owes to the others when one leaves. LOCKS.md argues it.
#pragma once

#include <algorithm>
#include <concepts>

#include "base/status.hpp"
#include "lock/parker.hpp"
#include "lock/wait_ladder.hpp"
#include "lock/wait_queue.hpp"

namespace interlock {

/// What came of trying once.
enum class Step : std::uint8_t {
  kDone,     // over: it is had, or never will be
  kBlocked,  // whoever changes that will notify the queue
  kBusy,     // another thread is in the middle of it, and notifies perhaps before it is seen to be
             // done
};

/// What a wait is for.  Step attempt(): tries once, publishing what follows from it.
/// bool may(): false only if an attempt would be kBlocked; its loads are seq_cst.
/// bool looks_ready(): a hint, for spinning: reads only what changes when an attempt becomes
/// possible.
/// int lead() (0 if missing): pauses to leave to the other side once one has caught up with it.
/// constexpr bool kIsForAll (false if missing): who gets it takes it from nobody, and every change
/// notifies all: nobody owes another a wake-up, nobody is overtaken.
template <typename T>
concept WaitSource = requires(T source) {
  { source.attempt() } -> std::same_as<Step>;
  { source.may() } -> std::convertible_to<bool>;
  { source.looks_ready() } -> std::convertible_to<bool>;
};

/// One operation that has to wait: its place in the queue, and what it owes.
/// Newcomers may overtake sleepers, which keeps the processors busy; but somebody who has been
/// overtaken for kPatienceNs makes newcomers queue up.
template <WaitSource Source>
class QueuedWait {
 public:
  /// How long somebody may be overtaken by newcomers before these have to queue up behind it.
  static constexpr std::int64_t kPatienceNs = 1'000'000;

  QueuedWait(WaitQueue &queue, Source source) noexcept
      : queue_(queue), source_(source), must_queue_(!kIsForAll && queue.is_starving()) {}
  QueuedWait(const QueuedWait &) = delete;
  QueuedWait &operator=(const QueuedWait &) = delete;
  ~QueuedWait() {
    if constexpr (kIsForAll) return;
    if (is_starving_) queue_.end_starving();
    // Whoever was chosen, or kept others from looking, tells the next one that there is something.
    if ((was_chosen_ || is_starving_) && queue_.has_waiters() && source_.may()) queue_.notify_one();
  }

  /// Until an attempt is kDone. `peer`: the processor of whoever is waited for; -1 if unknown.
  /// Thread: any.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
  /// Errors: kETIMEDOUT, kEINTERRUPTED; no attempt was kDone then.
  [[nodiscard]] Code run(int peer, Deadline deadline);

 private:
  static constexpr bool kIsForAll = [] {
    if constexpr (requires { Source::kIsForAll; }) return Source::kIsForAll;
    return false;
  }();

  /// Registered: looks once more, then sleeps. kBlocked if run() is to try again.
  [[nodiscard]] Step sleep(Deadline deadline, WaitResult &result);
  void leave_queue() noexcept {
    if (queue_.remove(waiter_)) return;
    was_chosen_ = true;
    must_queue_ = false;
  }
  void note_overtaken() noexcept;

  WaitQueue &queue_;
  Source source_;
  WaitContext context_;
  Waiter waiter_{context_};
  BusyLadder busy_;
  std::int64_t since_ns_ = 0;  // of the first sleep
  bool must_queue_;            // somebody starves: this one must not overtake it
  bool was_chosen_ = false;
  bool is_starving_ = false;
};

template <WaitSource Source>
Code QueuedWait<Source>::run(int peer, Deadline deadline) {
  WaitLadder ladder(peer, deadline);
  const auto looks_ready = [this]() noexcept { return source_.looks_ready(); };
  for (;;) {
    if (!must_queue_) {
      // Before trying: an attempt that fails takes words away from those who are to make it
      // succeed.
      if (!looks_ready() && ladder.climb(looks_ready)) {
        if (!looks_ready()) continue;
        if constexpr (requires { source_.lead(); }) WaitLadder::pause(source_.lead());
      }
      const Step step = source_.attempt();
      if (step == Step::kDone) return Code::kOk;
      if (step == Step::kBusy && busy_.climb()) continue;
      note_overtaken();
    }
    WaitResult result = WaitResult::kWoken;
    if (sleep(deadline, result) == Step::kDone) return Code::kOk;
    if (result == WaitResult::kTimedOut) return Code::kETIMEDOUT;
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
  }
}

template <WaitSource Source>
Step QueuedWait<Source>::sleep(Deadline deadline, WaitResult &result) {
  Parker &parker = Parker::current();
  Deadline until = deadline;
  context_.rearm();
  queue_.add(waiter_, was_chosen_);
  must_queue_ = must_queue_ && queue_.is_starving();
  if (!must_queue_ && source_.may()) {
    const Step step = source_.attempt();
    if (step != Step::kBusy) {
      leave_queue();
      return step;
    }
    until.ns = std::min(until.ns, busy_.next_look().ns);
  }
  if (since_ns_ == 0) {
    since_ns_ = monotonic_ns();
    queue_.count_sleep();
  }
  do {
    result = parker.sleep_until(until);
  } while (result == WaitResult::kWoken && context_.choice() == WaitContext::kWaiting);
  leave_queue();
  if (context_.choice() != WaitContext::kWaiting) {
    // An interrupt that came with the choice is for the next wait: nothing gets lost.
    if (result == WaitResult::kInterrupted) parker.interrupt();
    result = WaitResult::kWoken;
  } else if (result == WaitResult::kTimedOut && !deadline.passed()) {
    result = WaitResult::kWoken;  // only the next look
  }
  return Step::kBlocked;
}

/// After an attempt that failed: was this one woken for something that another has taken?
template <WaitSource Source>
void QueuedWait<Source>::note_overtaken() noexcept {
  if (kIsForAll || !was_chosen_ || is_starving_ || since_ns_ == 0) return;
  if (monotonic_ns() - since_ns_ < kPatienceNs) return;
  is_starving_ = true;
  queue_.begin_starving();
}

}  // namespace interlock
