// SPDX-License-Identifier: MIT
#include "lock/global_lock.hpp"

#include "base/check.hpp"

namespace interlock {

GlobalLock &GlobalLock::instance() noexcept {
  // Leaked on purpose: threads may still hold it when static destructors run.
  static GlobalLock *const lock = new GlobalLock;
  return *lock;
}

bool GlobalLock::try_acquire() noexcept {
  const Parker *const self = &Parker::current();
  MutexGuard guard(mutex_);
  if (holder_ != nullptr && holder_ != self) return false;
  holder_ = self;
  ++depth_;
  return true;
}

Status GlobalLock::acquire_until(Deadline deadline) noexcept {
  if (try_acquire()) return {};
  lock_rank_acquire(LockRank::kGlobal,
                    this);  // checks the order; the holder is not counted by rank
  lock_rank_release(LockRank::kGlobal, this);
  Waiter waiter{&Parker::current()};
  {
    MutexGuard guard(mutex_);
    if (holder_ == nullptr) {
      holder_ = waiter.parker;
      depth_ = 1;
      return {};
    }
    Waiter **link = &first_;
    while (*link != nullptr) link = &(*link)->next;
    *link = &waiter;
  }
  for (;;) {
    const WaitResult result = waiter.parker->park_until(deadline);
    MutexGuard guard(mutex_);
    if (waiter.granted) {
      // An interrupt that came with the hand-over is for the caller's next wait.
      if (result == WaitResult::kInterrupted) waiter.parker->interrupt();
      return {};
    }
    if (result == WaitResult::kWoken) continue;
    remove_locked(waiter);
    return result == WaitResult::kTimedOut ? Code::kETIMEDOUT : Code::kEINTERRUPTED;
  }
}

bool GlobalLock::release() noexcept {
  const Parker *const self = &Parker::current();  // before mutex_: its first use takes a lock
  MutexGuard guard(mutex_);
  if (holder_ != self) return false;
  if (--depth_ != 0) return true;
  Waiter *const next = first_;
  if (next == nullptr) {
    holder_ = nullptr;
    return true;
  }
  first_ = next->next;
  holder_ = next->parker;
  depth_ = 1;
  next->granted = true;
  next->parker->unpark();
  return true;
}

bool GlobalLock::locked() const noexcept {
  MutexGuard guard(mutex_);
  return holder_ != nullptr;
}

bool GlobalLock::held_by_caller() const noexcept {
  const Parker *const self = &Parker::current();
  MutexGuard guard(mutex_);
  return holder_ == self;
}

void GlobalLock::reset_after_fork() noexcept {
  mutex_.reset_after_fork();
  first_ = nullptr;
  if (holder_ == &Parker::current()) return;
  holder_ = nullptr;
  depth_ = 0;
}

void GlobalLock::remove_locked(Waiter &waiter) noexcept {
  for (Waiter **link = &first_; *link != nullptr; link = &(*link)->next) {
    if (*link != &waiter) continue;
    *link = waiter.next;
    return;
  }
}

GlobalLockGuard::GlobalLockGuard() noexcept {
  bool interrupted = false;
  while (!GlobalLock::instance().acquire_until(Deadline::never()).ok()) interrupted = true;
  // The guard cannot give up: the interrupt is for the caller's next wait.
  if (interrupted) Parker::current().interrupt();
}

GlobalLockGuard::~GlobalLockGuard() { CHECK(GlobalLock::instance().release()); }

}  // namespace interlock
