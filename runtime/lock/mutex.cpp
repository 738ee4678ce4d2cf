// SPDX-License-Identifier: MIT
#include "lock/mutex.hpp"

#include "platform/wait.hpp"

namespace interlock {

void Mutex::acquire_slow() noexcept {
  // SYNC(mutex): acquire pairs with the exchange in release().
  while (word_.exchange(2, std::memory_order_acquire) != 0) {
    (void)wait_on_address(word_, 2, Deadline::never());
  }
}

void Mutex::wake_waiter() noexcept { wake_one(word_); }

}  // namespace interlock
