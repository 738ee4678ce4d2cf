// SPDX-License-Identifier: MIT
#include "lock/event.hpp"

#include "lock/queued_wait.hpp"
#include "platform/thread.hpp"

namespace interlock {

/// What a wait is for. Once it is there it stays, also if the flag is cleared.
struct Event::Source {
  static constexpr bool kIsForAll = true;
  Event &event;
  const Moment start;

  [[nodiscard]] Step attempt() const noexcept { return may() ? Step::kDone : Step::kBlocked; }
  [[nodiscard]] bool may() const noexcept { return event.was_set_since(start); }
  [[nodiscard]] bool looks_ready() const noexcept { return may(); }
};

Status Event::wait_until(Deadline deadline, Moment start) noexcept {
  if (was_set_since(start)) return {};
  QueuedWait wait(queue_, Source{*this, start});
  return wait.run(peer_processor(), deadline);
}

void Event::set() noexcept {
  Moment moment = changes_;
  do {
    if (is_set_at(moment)) return;  // whoever set it wakes those who wait
  } while (!changes_.compare_exchange_weak(moment, moment + 1));
  // Relaxed: a hint for how to wait.
  store_relaxed(processor_, current_processor());
  if (queue_.has_waiters()) queue_.notify_all();
}

void Event::clear() noexcept {
  Moment moment = changes_;
  while (is_set_at(moment) && !changes_.compare_exchange_weak(moment, moment + 1)) {
  }
}

}  // namespace interlock
