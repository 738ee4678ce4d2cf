// SPDX-License-Identifier: MIT
#include "lock/barrier.hpp"

#include "base/check.hpp"
#include "platform/thread.hpp"

namespace interlock {

Barrier::Barrier(std::uint32_t parties) noexcept : parties_(parties) { CHECK(parties != 0); }

void Barrier::end_round_locked(Fate fate, Wakeups &wakeups) noexcept {
  for (Wakeup wakeup; Waiter *const waiter = list_.choose(wakeup);) {
    // It lives until its thread has had the lock.
    static_cast<Arrival *>(waiter)->fate_ = fate;
    wakeups.add(std::move(wakeup));
  }
}

Status Barrier::wait_until(Deadline deadline, std::uint32_t &index) noexcept {
  Arrival arrival(*this);
  index = arrival.index();
  const Code code = arrival.wait_until(deadline);
  if (code != Code::kEINTERRUPTED || arrival.give_up()) return code;
  // The round has ended since: the interrupt is for the next wait, as below.
  Parker::current().interrupt();
  return arrival.wait_until(deadline);
}

void Barrier::abort() noexcept {
  Wakeups wakeups;
  MutexGuard guard(mutex_);
  broken_ = true;
  end_round_locked(Fate::kBroken, wakeups);
}

void Barrier::reset() noexcept {
  Wakeups wakeups;
  MutexGuard guard(mutex_);
  broken_ = false;
  end_round_locked(Fate::kBroken, wakeups);
}

std::uint32_t Barrier::waiting() const noexcept {
  MutexGuard guard(mutex_);
  return list_.size();
}

bool Barrier::broken() const noexcept {
  MutexGuard guard(mutex_);
  return broken_;
}

Barrier::Arrival::Arrival(Barrier &barrier) noexcept : Waiter(context_), barrier_(barrier) {
  const int processor = current_processor();
  Wakeups wakeups;
  MutexGuard guard(barrier.mutex_);
  index_ = barrier.list_.size();
  if (barrier.broken_) {
    fate_ = Fate::kBroken;
  } else if (index_ + 1 == barrier.parties_) {
    fate_ = Fate::kPassed;
    store_relaxed(barrier.processor_, processor);  // Relaxed: a hint
    barrier.end_round_locked(Fate::kPassed, wakeups);
  } else {
    is_registered_ = true;
    barrier.list_.push_back(*this);
  }
}

Barrier::Arrival::~Arrival() {
  if (is_registered_) give_up();
}

bool Barrier::Arrival::give_up() noexcept {
  Wakeups wakeups;
  MutexGuard guard(barrier_.mutex_);
  return give_up_locked(wakeups);
}

bool Barrier::Arrival::give_up_locked(Wakeups &wakeups) noexcept {
  if (!barrier_.list_.remove(*this)) return false;
  is_registered_ = false;
  fate_ = Fate::kBroken;
  barrier_.broken_ = true;
  barrier_.end_round_locked(Fate::kBroken, wakeups);
  return true;
}

Code Barrier::Arrival::wait_until(Deadline deadline) noexcept {
  if (is_registered_) {
    WaitResult result = WaitResult::kWoken;
    if (!is_over()) result = wait_for_choice(context_, barrier_.peer_processor(), deadline);
    Wakeups wakeups;
    MutexGuard guard(barrier_.mutex_);
    if (fate_ == Fate::kOpen && result != WaitResult::kTimedOut) return Code::kEINTERRUPTED;
    // At once: a round that ended between a timeout and what follows from it would be passed by
    // all but this one.
    if (give_up_locked(wakeups)) return Code::kETIMEDOUT;
    is_registered_ = false;
    // An interrupt that came with the end of the round is for the next wait: nothing gets lost.
    if (result == WaitResult::kInterrupted) Parker::current().interrupt();
  }
  return fate_ == Fate::kPassed ? Code::kOk : Code::kEBROKEN;
}

}  // namespace interlock
