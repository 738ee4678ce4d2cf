// SPDX-License-Identifier: MIT
// Where a number of threads of any interpreters wait for each other, round by round. Whoever gives
// up breaks it for all, as with threading.Barrier: the others would wait for ever.
// All is decided under one lock: unlike a permit or a flag, the end of a round is of no use to the
// next one, so each waiter is told what became of its own.
// Lock: mutex_ (kWaitQueue) guards everything below it, and the fate of each Arrival.
#pragma once

#include <cstdint>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/mutex.hpp"
#include "lock/wait_queue.hpp"
#include "platform/clock.hpp"

namespace interlock {

class Barrier final : public Shared {
 public:
  class Arrival;

  /// `parties`: at least 1.
  explicit Barrier(std::uint32_t parties) noexcept;
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kBarrier; }

  /// Waits for the other parties. `index`: how many came before, in this round.
  /// Thread: any.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
  /// Errors: kEBROKEN; kETIMEDOUT and kEINTERRUPTED, which break the barrier.
  [[nodiscard]] Status wait_until(Deadline deadline, std::uint32_t &index) noexcept;
  /// Breaks the barrier: who waits and who comes gets kEBROKEN until reset().  Thread: any,
  /// attached or not.  Blocks: never.
  void abort() noexcept;
  /// Makes the barrier as new; who waits gets kEBROKEN.  Thread: any, attached or not.  Blocks:
  /// never.
  void reset() noexcept;

  [[nodiscard]] std::uint32_t parties() const noexcept { return parties_; }
  /// Threads that wait now.
  [[nodiscard]] std::uint32_t waiting() const noexcept;
  [[nodiscard]] bool broken() const noexcept;

  /// The processor of whoever came last in the last round, -1 if unknown: a hint for how to wait.
  [[nodiscard]] int peer_processor() const noexcept {
    // Relaxed: a hint.
    return load_relaxed(processor_);
  }

 private:
  enum class Fate : std::uint8_t { kOpen, kPassed, kBroken };
  /// Ends the round of all who wait.
  void end_round_locked(Fate fate, Wakeups &wakeups) noexcept;

  Atomic<int> processor_{-1};
  const std::uint32_t parties_;
  mutable Mutex mutex_{LockRank::kWaitQueue};
  WaitList list_;
  bool broken_ = false;
};

/// One thread's part in one round: it has come. At its end, if the round is still open, it has
/// given up, which breaks the barrier. In several steps, so that a signal handler may run between.
/// Thread: one.
class Barrier::Arrival : private Waiter {
 public:
  /// Never blocks for long. Ends the round if this is the last one.
  [[nodiscard]] explicit Arrival(Barrier &barrier) noexcept;
  ~Arrival();

  /// How many came before, in this round.
  [[nodiscard]] std::uint32_t index() const noexcept { return index_; }
  /// Whether wait_until() will not block.
  [[nodiscard]] bool is_over() const noexcept {
    return !is_registered_ || context_.choice() != WaitContext::kWaiting;
  }
  /// Until the round is over.
  /// Locks: none held, no interpreter lock unless is_over().  Blocks: until `deadline`.
  /// Errors: kEBROKEN; kETIMEDOUT, which breaks the barrier; kEINTERRUPTED: the round is open, and
  /// so is this arrival.
  [[nodiscard]] Code wait_until(Deadline deadline) noexcept;
  /// Gives up, which breaks the barrier. False if the round is over.  Blocks: never for long.
  bool give_up() noexcept;

 private:
  friend class Barrier;
  /// False if the round was over before.
  bool give_up_locked(Wakeups &wakeups) noexcept;

  Barrier &barrier_;
  WaitContext context_;
  std::uint32_t index_ = 0;
  Fate fate_ = Fate::kOpen;
  bool is_registered_ = false;  // the barrier may know of this arrival
};

}  // namespace interlock
