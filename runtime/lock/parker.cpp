// SPDX-License-Identifier: MIT
#include "lock/parker.hpp"

#include "lock/lock_rank.hpp"
#include "lock/mutex.hpp"
#include "lock/wait_ladder.hpp"

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

/// Borrows a Parker for the life of one thread.
class ParkerLease {
 public:
  ParkerLease() {
    {
      MutexGuard guard(free_mutex());
      if (free_list != nullptr) {
        parker_ = free_list;
        free_list = parker_->next_free_;
      }
    }
    if (parker_ == nullptr) parker_ = new Parker;
    parker_->word_ = 0;
    parker_->ladder_ = Parker::Ladder::kSpinThenSleep;
    parker_->probe_ = nullptr;
  }
  ~ParkerLease() {
    MutexGuard guard(free_mutex());
    parker_->next_free_ = free_list;
    free_list = parker_;
  }
  Parker &parker() noexcept { return *parker_; }

 private:
  Parker *parker_ = nullptr;
};

Parker &Parker::current() noexcept {
  thread_local ParkerLease lease;
  return lease.parker();
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
