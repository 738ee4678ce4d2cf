// SPDX-License-Identifier: MIT
// What every back end of platform/wait must keep. Also linked with those of other systems, over
// stand-ins for their system calls.
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <memory>
#include <thread>
#include <vector>

#include "platform/wait.hpp"

using namespace interlock;

namespace {

constexpr double kLimit = 60;  // seconds after which a test counts as hanging
constexpr std::int64_t kMillisecond = 1'000'000;

/// Waits until `word` is not `expected`, whatever wakes it before.
void wait_for_change(const Atomic<std::uint32_t> &word, std::uint32_t expected) {
  while (word == expected) {
    cr_assert(wait_on_address(word, expected, Deadline::never()) != WaitResult::kTimedOut);
  }
}

/// The first result that is not a spurious kWoken.
WaitResult wait_while_zero(const Atomic<std::uint32_t> &word, Deadline deadline) {
  for (;;) {
    const WaitResult result = wait_on_address(word, 0, deadline);
    if (result != WaitResult::kWoken || word != 0) return result;
  }
}

}  // namespace

Test(wait, a_word_that_differs_is_not_waited_for, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{1};
  cr_assert(wait_on_address(word, 0, Deadline::never()) == WaitResult::kWoken);
  const Atomic<std::uint32_t> large{0x8000'0000};
  cr_assert(wait_on_address(large, 0, Deadline::never()) == WaitResult::kWoken);
}

Test(wait, all_bits_of_a_word_count, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{0xffff'ffff};
  for (;;) {
    const auto result = wait_on_address(word, 0xffff'ffff, Deadline::after_ns(kMillisecond));
    if (result == WaitResult::kWoken) continue;
    cr_assert(result == WaitResult::kTimedOut);
    break;
  }
}

Test(wait, deadlines_are_kept, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{0};
  for (const std::int64_t ns : {1LL, 300'000LL, 20'000'000LL, 1'050'000'000LL}) {
    const Deadline deadline = Deadline::after_ns(ns);
    cr_assert(wait_while_zero(word, deadline) == WaitResult::kTimedOut);
    cr_assert_geq(monotonic_ns(), deadline.ns);
  }
}

Test(wait, a_deadline_that_is_past_is_no_wait, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{0};
  cr_assert(wait_while_zero(word, Deadline::past()) == WaitResult::kTimedOut);
  cr_assert(wait_while_zero(word, Deadline{monotonic_ns() - 1}) == WaitResult::kTimedOut);
}

Test(wait, a_deadline_after_centuries_is_a_wait, .timeout = kLimit) {
  for (const std::int64_t ns : {Deadline::kNever - 1, std::int64_t{5'000'000'000'000'000'000}}) {
    Atomic<std::uint32_t> word{0};
    Atomic<bool> timed_out{false};
    std::thread waiter([&] {
      while (word == 0) {
        if (wait_on_address(word, 0, Deadline{ns}) == WaitResult::kTimedOut) timed_out = true;
        if (timed_out) break;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    word = 1;
    wake_all(word);
    waiter.join();
    cr_assert(!timed_out);
  }
}

Test(wait, as_many_wakes_wake_as_many_threads, .timeout = kLimit) {
  constexpr int kThreads = 4;
  Atomic<std::uint32_t> word{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&] { wait_for_change(word, 0); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  word = 1;
  for (int i = 0; i < kThreads; ++i) wake_one(word);
  for (auto &thread : threads) thread.join();
}

Test(wait, wake_all_wakes_all, .timeout = kLimit) {
  Atomic<std::uint32_t> word{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { wait_for_change(word, 0); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  word = 1;
  wake_all(word);
  for (auto &thread : threads) thread.join();
}

Test(wait, a_wake_is_for_its_word_only, .timeout = kLimit) {
  Atomic<std::uint32_t> words[512] = {};  // more than a table of buckets would keep apart
  std::thread waiter([&] { wait_for_change(words[0], 0); });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  Atomic<bool> timed_out{false};
  std::thread other([&] {
    timed_out =
        wait_while_zero(words[257], Deadline::after_ns(50 * kMillisecond)) == WaitResult::kTimedOut;
  });
  words[0] = 1;
  for (auto &word : words) {
    if (&word != &words[257]) wake_one(word);
  }
  waiter.join();
  other.join();
  cr_assert(timed_out);
}

Test(wait, a_wake_for_nobody_is_forgotten, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{0};
  wake_one(word);
  wake_all(word);
  cr_assert(wait_while_zero(word, Deadline::after_ns(kMillisecond)) == WaitResult::kTimedOut);
}

Test(wait, the_memory_of_a_wake_may_be_gone, .timeout = kLimit) {
  auto word = std::make_unique<Atomic<std::uint32_t>>(0);
  const volatile auto address = reinterpret_cast<std::uintptr_t>(word.get());
  word.reset();
  const auto *const gone = reinterpret_cast<const Atomic<std::uint32_t> *>(address);
  wake_one(*gone);
  wake_all(*gone);
}

Test(wait, errno_is_left_alone, .timeout = kLimit) {
  const Atomic<std::uint32_t> word{0};
  errno = 4711;
  (void)wait_on_address(word, 0, Deadline::after_ns(kMillisecond));
  (void)wait_on_address(word, 1, Deadline::never());
  wake_one(word);
  wake_all(word);
  cr_assert_eq(errno, 4711);
}

Test(wait, no_wake_up_is_lost_in_a_ping_pong, .timeout = kLimit) {
  constexpr std::uint32_t kRounds = 20'000;
  Atomic<std::uint32_t> turn{0};
  std::thread other([&] {
    for (std::uint32_t round = 0; round < kRounds; ++round) {
      while (turn % 2 == 0) wait_for_change(turn, 2 * round);
      ++turn;
      wake_one(turn);
    }
  });
  for (std::uint32_t round = 0; round < kRounds; ++round) {
    ++turn;
    wake_one(turn);
    while (turn % 2 == 1) wait_for_change(turn, 2 * round + 1);
  }
  other.join();
  cr_assert_eq(turn.load(), 2 * kRounds);
}

Test(wait, a_signal_interrupts, .timeout = kLimit) {
#ifndef SIGUSR1
  cr_skip("this system has no signals that reach a waiting thread");
#else
  struct sigaction action = {};
  action.sa_handler = [](int) {};  // without SA_RESTART, as Python installs its own
  sigaction(SIGUSR1, &action, nullptr);
  for (const Deadline deadline : {Deadline::never(), Deadline::after_ns(50'000 * kMillisecond)}) {
    const Atomic<std::uint32_t> word{0};
    Atomic<bool> ended{false};
    WaitResult result = WaitResult::kWoken;
    std::thread waiter([&] {
      result = wait_while_zero(word, deadline);
      ended = true;
    });
    // The first ones may come before it waits.
    while (!ended) {
      pthread_kill(waiter.native_handle(), SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    waiter.join();
    cr_assert(result == WaitResult::kInterrupted);
  }
#endif
}
