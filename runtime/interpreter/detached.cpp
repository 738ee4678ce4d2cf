// SPDX-License-Identifier: MIT
#include "interpreter/detached.hpp"

#include "lock/mutex.hpp"
#include "lock/wait_ladder.hpp"

namespace interlock {
namespace {

// Leaked on purpose: threads may wait when static destructors run.
Mutex &list_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
DetachedWait *first = nullptr;  // guarded by list_mutex()

}  // namespace

DetachedWait::DetachedWait(PyInterpreterState *interpreter) noexcept
    : interpreter_(interpreter), parker_(Parker::current()) {
  MutexGuard guard(list_mutex());
  next_ = first;
  if (first != nullptr) first->previous_ = this;
  first = this;
}

DetachedWait::~DetachedWait() {
  MutexGuard guard(list_mutex());
  (previous_ != nullptr ? previous_->next_ : first) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

void DetachedWait::interrupt_all(PyInterpreterState *interpreter) noexcept {
  const Deadline give_up = Deadline::after_ns(1'000'000'000);
  BusyLadder ladder;
  while (interrupt_once(interpreter) && !give_up.passed()) ladder.climb_or_sleep();
}

bool DetachedWait::interrupt_once(PyInterpreterState *interpreter) noexcept {
  MutexGuard guard(list_mutex());
  bool any = false;
  for (DetachedWait *each = first; each != nullptr; each = each->next_) {
    if (each->interpreter_ != interpreter) continue;
    each->parker_.interrupt();
    any = true;
  }
  return any;
}

void DetachedWait::interrupt_one(PyInterpreterState *interpreter) noexcept {
  MutexGuard guard(list_mutex());
  for (DetachedWait *each = first; each != nullptr; each = each->next_) {
    if (each->interpreter_ == interpreter) return each->parker_.interrupt();
  }
}

void DetachedWait::reset_after_fork() noexcept {
  list_mutex().reset_after_fork();
  first = nullptr;
}

}  // namespace interlock
