// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <csignal>
#include <thread>
#include <vector>

#include "lock/global_lock.hpp"

using namespace interlock;

Test(global_lock, is_re_entrant_and_owned_by_a_thread, .timeout = 60) {
  GlobalLock &lock = GlobalLock::instance();
  cr_assert(!lock.release(), "nobody holds it");
  cr_assert(lock.try_acquire());
  cr_assert(lock.try_acquire());
  std::thread([&] {
    cr_assert(!lock.try_acquire());
    cr_assert(!lock.release());
    cr_assert(lock.acquire_until(Deadline::after_ns(1'000'000)).code() == Code::kETIMEDOUT);
  }).join();
  cr_assert(lock.release());
  cr_assert(lock.held_by_caller());
  cr_assert(lock.release());
  cr_assert(!lock.locked());
}

Test(global_lock, excludes, .timeout = 60) {
  long count = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        GlobalLockGuard guard;
        ++count;
      }
    });
  }
  for (auto &thread : threads) thread.join();
  cr_assert_eq(count, 60'000);
}

#ifdef INTERLOCK_LOCK_CHECKS
Test(lock_rank, a_breach_of_the_order_aborts, .signal = SIGABRT) {
  Mutex channel(LockRank::kChannel);
  Mutex pool(LockRank::kPool);
  MutexGuard first(channel);
  MutexGuard second(pool);
}

Test(lock_rank, waiting_with_a_lock_held_aborts, .signal = SIGABRT) {
  Mutex mutex(LockRank::kLeaf);
  MutexGuard guard(mutex);
  (void)Parker::current().park_until(Deadline::after_ns(1));
}

Test(lock_rank, the_order_of_the_table_is_allowed) {
  Mutex registry(LockRank::kRegistry);
  Mutex pool(LockRank::kPool);
  Mutex leaf(LockRank::kLeaf);
  GlobalLockGuard global;
  cr_assert(GlobalLock::instance().held_by_caller());
  MutexGuard first(registry);
  MutexGuard second(pool);
  MutexGuard third(leaf);
}
#endif
