// SPDX-License-Identifier: MIT
#include "lock/wait_queue.hpp"

#include "lock/wait_ladder.hpp"

namespace interlock {

void WaitList::insert(Waiter *before, Waiter &waiter, Waiter *after) noexcept {
  waiter.linked = true;
  waiter.previous = before;
  waiter.next = after;
  (before != nullptr ? before->next : first_) = &waiter;
  (after != nullptr ? after->previous : last_) = &waiter;
  ++size_;
}

bool WaitList::remove(Waiter &waiter) noexcept {
  if (!waiter.linked) return false;
  waiter.linked = false;
  (waiter.previous != nullptr ? waiter.previous->next : first_) = waiter.next;
  (waiter.next != nullptr ? waiter.next->previous : last_) = waiter.previous;
  --size_;
  return true;
}

bool WaitList::choose_this(Waiter &waiter, Wakeup &wakeup) noexcept {
  remove(waiter);
  WaitContext &context = waiter.context;
  // The context lives until its owner has had this list's lock, which the caller holds.
  const Wakeup found(context.parker_, context.target_);
  if (!context.choose(waiter.index)) return false;
  wakeup = found;
  return true;
}

Waiter *WaitList::choose(Wakeup &wakeup) noexcept {
  while (Waiter *const waiter = first_) {
    if (choose_this(*waiter, wakeup)) return waiter;
  }
  return nullptr;
}

void WaitQueue::add(Waiter &waiter, bool at_front) noexcept {
  MutexGuard guard(mutex_);
  at_front ? list_.push_front(waiter) : list_.push_back(waiter);
  count_ = list_.size();
}

bool WaitQueue::remove(Waiter &waiter) noexcept {
  MutexGuard guard(mutex_);
  if (!list_.remove(waiter)) return false;
  count_ = list_.size();
  return true;
}

void WaitQueue::notify_one_slow() noexcept {
  Wakeup wakeup;
  Wakeup thread;
  {
    MutexGuard guard(mutex_);
    const Waiter *const chosen = list_.choose(wakeup);
    if (chosen != nullptr && chosen->context.is_loop()) {
      if (Waiter *const other = list_.first_other(nullptr, true))
        (void)list_.choose_this(*other, thread);
    }
    count_ = list_.size();
  }
  wakeup.deliver();
  thread.deliver();
}

void WaitQueue::notify_all() noexcept {
  Wakeups wakeups;
  MutexGuard guard(mutex_);
  for (Wakeup wakeup; list_.choose(wakeup) != nullptr;) wakeups.add(std::move(wakeup));
  count_ = list_.size();
}

WaitResult wait_for_choice(WaitContext &context, int peer, Deadline deadline) noexcept {
  const auto is_chosen = [&context]() noexcept {
    return context.choice() != WaitContext::kWaiting;
  };
  WaitLadder ladder(peer, deadline);
  while (!is_chosen() && ladder.climb(is_chosen)) {
  }
  WaitResult result = WaitResult::kWoken;
  while (!is_chosen() && result == WaitResult::kWoken)
    result = Parker::current().sleep_until(deadline);
  return result;
}

}  // namespace interlock
