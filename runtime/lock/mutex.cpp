// SPDX-License-Identifier: MIT
#include "lock/mutex.hpp"

#include "lock/wait_ladder.hpp"
#include "platform/wait.hpp"

namespace interlock {

namespace {

// These locks are held for a few instructions: who holds one longer is not running.
constexpr std::int64_t kSpinNs = 1'000;

}  // namespace

void Mutex::acquire_slow() noexcept {
  const auto is_free = [this]() noexcept {
    // Relaxed: a hint, which the exchange below checks.
    return load_relaxed(word_) == 0;
  };
  if (!WaitLadder::is_alone()) (void)WaitLadder::spin(is_free, kSpinNs);
  // SYNC(mutex): acquire pairs with the exchange in release().
  while (word_.exchange(2, std::memory_order_acquire) != 0) {
    (void)wait_on_address(word_, 2, Deadline::never());
  }
}

void Mutex::wake_waiter() noexcept { wake_one(word_); }

}  // namespace interlock
