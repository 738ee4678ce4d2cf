// SPDX-License-Identifier: MIT
#include "lock/parker.hpp"

#include "lock/lock_rank.hpp"
#include "lock/mutex.hpp"

namespace interlock {
namespace {

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
  for (;;) {
    const std::uint32_t word = word_;
    if (word & kToken) {
      word_ &= ~kToken;
      return WaitResult::kWoken;
    }
    if (word & kInterrupt) {
      word_ &= ~kInterrupt;
      return WaitResult::kInterrupted;
    }
    const WaitResult result = wait_on_address(word_, word, deadline);
    if (result != WaitResult::kWoken && word_ == 0) return result;
  }
}

void Parker::unpark() noexcept {
  if ((word_.fetch_or(kToken) & kToken) == 0) wake_one(word_);
}

void Parker::interrupt() noexcept {
  if ((word_.fetch_or(kInterrupt) & kInterrupt) == 0) wake_one(word_);
}

void Parker::clear_interrupt() noexcept { word_ &= ~kInterrupt; }

}  // namespace interlock
