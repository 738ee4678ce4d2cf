// SPDX-License-Identifier: MIT
#include "lock/semaphore.hpp"

#include "base/check.hpp"
#include "lock/queued_wait.hpp"
#include "platform/thread.hpp"

namespace interlock {

Semaphore::Semaphore(std::uint64_t value, std::uint64_t limit, Peer peer) noexcept
    : value_(value), peer_(peer), limit_(limit) {
  CHECK(value <= limit && limit <= kMost);
}

void Semaphore::note_processor() noexcept {
  const int processor = current_processor();
  // Relaxed: a hint. Written only when it changes, so that the line stays shared.
  if (load_relaxed(processor_) != processor) store_relaxed(processor_, processor);
}

/// What an acquisition waits for. That the permits change is seq_cst, as is the count of waiters:
/// either the sleeper sees the permit or the releaser sees the sleeper.
struct Semaphore::Source {
  Semaphore &semaphore;

  [[nodiscard]] Step attempt() noexcept { return semaphore.take() ? Step::kDone : Step::kBlocked; }
  [[nodiscard]] bool may() const noexcept { return semaphore.value_ != 0; }
  [[nodiscard]] bool looks_ready() const noexcept { return semaphore.looks_free(); }
};

Status Semaphore::acquire_until(Deadline deadline) noexcept {
  if (try_acquire()) return {};
  QueuedWait wait(queue_, Source{*this});
  const Code code = wait.run(peer_processor(), deadline);
  if (code == Code::kOk && peer_ == Peer::kHolder) note_processor();
  return code;
}

bool Semaphore::try_release(std::uint64_t count) noexcept {
  std::uint64_t value = value_;
  do {
    if (count > limit_ - value) return false;
  } while (!value_.compare_exchange_weak(value, value + count));
  if (peer_ == Peer::kReleaser) note_processor();
  // Nobody needs to be woken for what another thread has already taken: whoever gives next looks.
  if (queue_.has_waiters() && value_ != 0) queue_.notify(count);
  return true;
}

}  // namespace interlock
