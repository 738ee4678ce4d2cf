// SPDX-License-Identifier: MIT
#include "lock/parker.hpp"

#include "lock/lock_rank.hpp"
#include "lock/mutex.hpp"
#include "lock/wait_ladder.hpp"
#include "platform/thread.hpp"

namespace interlock {
namespace {

// About what a sleep and its wake-up cost; a longer spin could not save more than it spends (Karlin
// et al., 'Competitive randomized algorithms for nonuniform problems', 1990).
constexpr std::int64_t kSpinNs = 50'000;

// Leaked on purpose: threads may end after static destructors have run.
Mutex &free_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
Parker *free_list = nullptr;  // guarded by free_mutex()

}  // namespace

/// Lends each thread a Parker for its life.
class ParkerLease {
 public:
  static Parker *begin() {
    Parker *parker = nullptr;
    {
      MutexGuard guard(free_mutex());
      if (free_list != nullptr) {
        parker = free_list;
        free_list = parker->next_free_;
      }
    }
    if (parker == nullptr) parker = new Parker;
    parker->word_ = 0;
    parker->ladder_ = Parker::Ladder::kSpinThenSleep;
    parker->probe_ = nullptr;
    return parker;
  }
  static void end(void *parker) noexcept {
    MutexGuard guard(free_mutex());
    static_cast<Parker *>(parker)->next_free_ = free_list;
    free_list = static_cast<Parker *>(parker);
  }
};

Parker &Parker::current() noexcept {
  thread_local Parker *mine = nullptr;
  if (mine == nullptr) {
    mine = ParkerLease::begin();
    call_at_thread_end(ParkerLease::end, mine);
  }
  return *mine;
}

WaitResult Parker::park_until(Deadline deadline) noexcept {
  lock_rank_check_waiting();
  const auto is_told = [this]() noexcept { return word_ != 0; };
  if (!is_told() && spins() && !WaitLadder::is_alone() && !deadline.passed())
    (void)WaitLadder::spin(is_told, kSpinNs);
  return sleep_until(deadline);
}

WaitResult Parker::sleep_until(Deadline deadline) noexcept {
  lock_rank_check_waiting();
  for (;;) {
    const std::uint32_t word = word_.fetch_and(~kAsleep);
    if (word & kToken) {
      word_ &= ~kToken;
      return WaitResult::kWoken;
    }
    if (word & kInterrupt) {
      word_ &= ~kInterrupt;
      return WaitResult::kInterrupted;
    }
    std::uint32_t awake = 0;
    if (!word_.compare_exchange_strong(awake, kAsleep)) continue;
    const bool has_signal = probe_ != nullptr && probe_(probe_argument_);
    const WaitResult result =
        has_signal ? WaitResult::kInterrupted : wait_on_address(word_, kAsleep, deadline);
    if (result == WaitResult::kWoken) continue;
    if ((word_.fetch_and(~kAsleep) & (kToken | kInterrupt)) == 0) return result;
  }
}

void Parker::unpark() noexcept {
  if ((word_.fetch_or(kToken) & kAsleep) != 0) wake_one(word_);
}

void Parker::interrupt() noexcept {
  if ((word_.fetch_or(kInterrupt) & kAsleep) != 0) wake_one(word_);
}

void Parker::reset_after_fork() noexcept { free_mutex().reset_after_fork(); }

void Parker::clear_interrupt() noexcept { word_ &= ~kInterrupt; }

}  // namespace interlock
