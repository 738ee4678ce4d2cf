// SPDX-License-Identifier: MIT
// Permits that threads of any interpreter take and give back, and the lock that is one permit.
// Without contention each operation is one atomic operation; LOCKS.md says how the rest waits.
// Lock: none but that of the queue.
#pragma once

#include <cstdint>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/wait_queue.hpp"
#include "platform/clock.hpp"

namespace interlock {

class Semaphore : public Shared {
 public:
  /// The most permits that any semaphore may have.
  static constexpr std::uint64_t kMost = INT64_MAX;

  /// `value` permits to begin with, never more than `limit`, which is at most kMost.
  explicit Semaphore(std::uint64_t value, std::uint64_t limit = kMost) noexcept
      : Semaphore(value, limit, Peer::kReleaser) {}
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kSemaphore; }

  /// Takes a permit if there is one that nobody has waited for too long.
  /// Thread: any, attached or not.  Blocks: never.
  [[nodiscard]] bool try_acquire() noexcept {
    if (queue_.is_starving() || !take()) return false;
    if (peer_ == Peer::kHolder) note_processor();
    return true;
  }
  /// Thread: any.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
  /// Errors: kETIMEDOUT, kEINTERRUPTED; nothing was taken then.
  [[nodiscard]] Status acquire_until(Deadline deadline) noexcept;
  /// Gives `count` permits, whoever took them. False if that would exceed the limit: nothing has
  /// changed then.  Thread: any, attached or not.  Blocks: never.
  [[nodiscard]] bool try_release(std::uint64_t count = 1) noexcept;

  /// Permits that are free now.
  [[nodiscard]] std::uint64_t value() const noexcept { return value_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

  /// Hints for how to wait: whether an attempt may succeed; the processor that whoever will give a
  /// permit was last seen on, -1 if unknown.
  [[nodiscard]] bool looks_free() const noexcept {
    // Relaxed: a hint, which an attempt checks.
    return load_relaxed(value_) != 0;
  }
  [[nodiscard]] int peer_processor() const noexcept {
    // Relaxed: a hint.
    return load_relaxed(processor_);
  }
  /// Waits that have slept.
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return queue_.sleeps(); }

 protected:
  /// Who is waited for: the thread that gives permits, or the one that has taken the only one.
  enum class Peer : std::uint8_t { kReleaser, kHolder };
  Semaphore(std::uint64_t value, std::uint64_t limit, Peer peer) noexcept;

 private:
  struct Source;

  /// Takes a permit if there is one.
  [[nodiscard]] bool take() noexcept {
    std::uint64_t value = value_;
    while (value != 0) {
      if (value_.compare_exchange_weak(value, value - 1)) return true;
    }
    return false;
  }
  void note_processor() noexcept;

  Atomic<std::uint64_t> value_;
  WaitQueue queue_;
  Atomic<int> processor_{-1};
  const Peer peer_;
  const std::uint64_t limit_;
};

/// Held by one at a time, which need not be the thread that releases it. Not re-entrant.
class Lock final : public Semaphore {
 public:
  Lock() noexcept : Semaphore(1, 1, Peer::kHolder) {}
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kLock; }
  [[nodiscard]] bool locked() const noexcept { return value() == 0; }
};

}  // namespace interlock
