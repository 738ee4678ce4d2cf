// SPDX-License-Identifier: MIT
#include <algorithm>
#include <atomic>

#include "lock/semaphore.hpp"
#include "waiting.hpp"

using namespace interlock;

Test(semaphore, counts_permits_up_to_its_limit, .timeout = kLimit) {
  Semaphore semaphore(1, 3);
  cr_assert(semaphore.try_acquire());
  cr_assert(!semaphore.try_acquire());
  cr_assert(semaphore.acquire_until(Deadline::past()).code() == Code::kETIMEDOUT);
  cr_assert(semaphore.acquire_until(soon()).code() == Code::kETIMEDOUT);
  cr_assert(semaphore.try_release(2));
  cr_assert(!semaphore.try_release(2), "4 are above the limit");
  cr_assert(!semaphore.try_release(UINT64_MAX), "no overflow");
  cr_assert_eq(semaphore.value(), 2);
  cr_assert(semaphore.try_release());
  cr_assert(!semaphore.try_release());
  Semaphore unbounded(Semaphore::kMost);
  cr_assert(!unbounded.try_release());
}

Test(semaphore, permits_given_at_once_wake_as_many, .timeout = kLimit) {
  Semaphore semaphore(0);
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  for (int n = 0; n < 5; ++n) {
    threads.emplace_back([&] {
      cr_assert(semaphore.acquire_until(Deadline::never()).ok());
      ++got;
    });
  }
  wait_for([&] { return semaphore.sleeps() == 5; });
  cr_assert(semaphore.try_release(3));
  wait_for([&] { return got == 3; });
  cr_assert(!semaphore.try_acquire());
  cr_assert(semaphore.try_release(2));
  for (auto &thread : threads) thread.join();
  cr_assert_eq(got.load(), 5);
  cr_assert_eq(semaphore.value(), 0);
}

Test(semaphore, an_interrupt_ends_a_wait_and_takes_nothing, .timeout = kLimit) {
  Semaphore semaphore(0);
  std::atomic<Parker *> parker{nullptr};
  std::thread waiting([&] {
    parker = &Parker::current();
    cr_assert(semaphore.acquire_until(Deadline::never()).code() == Code::kEINTERRUPTED);
  });
  wait_for([&] { return parker != nullptr; });
  parker.load()->interrupt();
  waiting.join();
  cr_assert(semaphore.try_release());
  cr_assert(semaphore.try_acquire());
}

Test(semaphore, no_permit_is_lost_or_doubled, .timeout = kLimit) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  Semaphore semaphore(2, 2);
  std::atomic<int> inside{0};
  run_threads(kThreads, [&](int) {
    for (int i = 0; i < kRounds; ++i) {
      cr_assert(semaphore.acquire_until(Deadline::never()).ok());
      cr_assert_leq(++inside, 2);
      --inside;
      cr_assert(semaphore.try_release());
    }
  });
  cr_assert_eq(semaphore.value(), 2);
}

// Whoever times out or is interrupted while it is chosen passes the permit on.
Test(semaphore, no_wake_up_is_lost_with_timeouts_and_interrupts, .timeout = kLimit) {
  constexpr int kGiven = 20'000;
  Semaphore semaphore(0);
  std::atomic<int> left{kGiven};
  std::atomic<Parker *> parkers[3] = {};
  std::thread giver([&] {
    for (int i = 0; i < kGiven; ++i) {
      cr_assert(semaphore.try_release());
      if (Parker *const parker = parkers[i % 3]) parker->interrupt();
      if (i % 7 == 0) std::this_thread::yield();
    }
  });
  run_threads(3, [&](int n) {
    parkers[n] = &Parker::current();
    for (std::int64_t wait_ns = 1; left > 0; wait_ns = wait_ns * 7 % 100'003) {
      const Deadline deadline = n == 0 ? Deadline::never() : Deadline::after_ns(wait_ns);
      if (!semaphore.acquire_until(deadline).ok()) continue;
      if (--left == 0) cr_assert(semaphore.try_release(3));  // ends the others
    }
    parkers[n] = nullptr;
  });
  giver.join();
}

Test(semaphore, a_ping_pong_of_two_loses_no_wake_up, .timeout = kLimit) {
  constexpr int kRounds = 50'000;
  Semaphore ping(0);
  Semaphore pong(0);
  run_threads(2, [&](int n) {
    Semaphore &own = n == 0 ? ping : pong;
    Semaphore &others = n == 0 ? pong : ping;
    for (int i = 0; i < kRounds; ++i) {
      cr_assert(others.try_release());
      cr_assert(own.acquire_until(Deadline::never()).ok());
    }
  });
}

Test(lock, excludes, .timeout = kLimit) {
  Lock lock;
  long count = 0;
  run_threads(4, [&](int) {
    for (int i = 0; i < 50'000; ++i) {
      cr_assert(lock.acquire_until(Deadline::never()).ok());
      ++count;
      cr_assert(lock.try_release());
    }
  });
  cr_assert_eq(count, 200'000);
  cr_assert(!lock.locked());
  cr_assert(!lock.try_release(), "nobody holds it");
}

// The lock is free for nanoseconds only: without the rule, who sleeps gets it by luck.
Test(lock, a_waiter_is_not_overtaken_for_ever, .timeout = kLimit) {
  constexpr int kTurns = 50;
  Lock lock;
  std::atomic<bool> done{false};
  std::atomic<int> in_loop{0};
  std::vector<std::thread> greedy;
  for (int n = 0; n < 2; ++n) {
    greedy.emplace_back([&] {
      while (!done) {
        cr_assert(lock.acquire_until(Deadline::never()).ok());
        ++in_loop;
        const std::int64_t end = monotonic_ns() + 100'000;
        while (monotonic_ns() < end) {
        }
        cr_assert(lock.try_release());
      }
    });
  }
  wait_for([&] { return in_loop > 10; });
  std::int64_t longest_ns = 0;
  for (int turn = 0; turn < kTurns; ++turn) {
    wait_for([&, seen = in_loop.load()] { return in_loop != seen; });
    const std::int64_t start = monotonic_ns();
    cr_assert(lock.acquire_until(Deadline::never()).ok());
    longest_ns = std::max(longest_ns, monotonic_ns() - start);
    cr_assert(lock.try_release());
  }
  done = true;
  for (auto &thread : greedy) thread.join();
  cr_log_info("longest wait: %lld us", static_cast<long long>(longest_ns / 1000));
  cr_assert_lt(longest_ns, 2'000'000'000, "a few milliseconds, and what the system adds");
}

Test(lock, a_loop_of_attempts_does_not_overtake_for_ever, .timeout = kLimit) {
  Lock lock;
  std::atomic<bool> done{false};
  std::atomic<int> in_loop{0};
  std::thread greedy([&] {
    while (!done) {
      if (!lock.try_acquire()) continue;
      ++in_loop;
      const std::int64_t end = monotonic_ns() + 100'000;
      while (monotonic_ns() < end) {
      }
      cr_assert(lock.try_release());
    }
  });
  wait_for([&] { return in_loop > 10; });
  for (int turn = 0; turn < 20; ++turn) {
    wait_for([&, seen = in_loop.load()] { return in_loop != seen; });
    cr_assert(lock.acquire_until(Deadline::never()).ok());
    cr_assert(lock.try_release());
  }
  done = true;
  greedy.join();
}

Test(lock, is_freed_with_its_last_reference, .timeout = kLimit) {
  class Watched final : public Semaphore {
   public:
    explicit Watched(std::atomic<int> &alive) : Semaphore(0), alive_(alive) { ++alive_; }
    ~Watched() override { --alive_; }

   private:
    std::atomic<int> &alive_;
  };
  std::atomic<int> alive{0};
  {
    Ref<Shared> kept = make_ref<Watched>(alive);
    std::thread([other = kept] {}).join();
    cr_assert_eq(alive.load(), 1);
  }
  cr_assert_eq(alive.load(), 0);
}
