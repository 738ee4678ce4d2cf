// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <thread>
#include <vector>

#include "lock/mutex.hpp"
#include "lock/parker.hpp"

using namespace interlock;

Test(mutex, excludes, .timeout = 60) {
  Mutex mutex(LockRank::kLeaf);
  long count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100'000; ++i) {
        MutexGuard guard(mutex);
        ++count;
      }
    });
  }
  for (auto &thread : threads) thread.join();
  cr_assert_eq(count, 400'000);
}

Test(parker, an_unpark_before_the_park_is_kept, .timeout = 60) {
  Parker &self = Parker::current();
  self.unpark();
  cr_assert(self.park_until(Deadline::never()) == WaitResult::kWoken);
  cr_assert(self.park_until(Deadline::after_ns(1'000'000)) == WaitResult::kTimedOut);
}

Test(parker, an_interrupt_is_told_from_an_unpark, .timeout = 60) {
  Parker &self = Parker::current();
  self.interrupt();
  cr_assert(self.park_until(Deadline::never()) == WaitResult::kInterrupted);
  self.interrupt();
  self.unpark();
  cr_assert(self.park_until(Deadline::never()) == WaitResult::kWoken);
  cr_assert(self.park_until(Deadline::never()) == WaitResult::kInterrupted);
}

Test(parker, no_wake_up_is_lost_in_a_ping_pong, .timeout = 60) {
  constexpr int kRounds = 100'000;
  std::atomic<int> turn{0};
  Parker *const mine = &Parker::current();
  std::atomic<Parker *> others{nullptr};
  std::thread other([&] {
    others = &Parker::current();
    for (int round = 0; round < kRounds; ++round) {
      while (turn != 2 * round + 1) (void)others.load()->park_until(Deadline::never());
      ++turn;
      mine->unpark();
    }
  });
  while (others == nullptr) std::this_thread::yield();
  for (int round = 0; round < kRounds; ++round) {
    ++turn;
    others.load()->unpark();
    while (turn != 2 * round + 2) (void)mine->park_until(Deadline::never());
  }
  other.join();
  cr_assert_eq(turn.load(), 2 * kRounds);
}

Test(parker, does_not_sleep_past_a_signal_that_came_before, .timeout = 60) {
  Parker &self = Parker::current();
  bool pending = true;
  const auto probe = [](const void *flag) noexcept { return *static_cast<const bool *>(flag); };
  self.set_signal_probe(probe, &pending);
  cr_assert(self.park_until(Deadline::never()) == WaitResult::kInterrupted);
  pending = false;
  cr_assert(self.park_until(Deadline::after_ns(1'000'000)) == WaitResult::kTimedOut);
  self.set_signal_probe(nullptr, nullptr);
}
