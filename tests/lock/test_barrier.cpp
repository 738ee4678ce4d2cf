// SPDX-License-Identifier: MIT
#include <atomic>
#include <numeric>

#include "lock/barrier.hpp"
#include "waiting.hpp"

using namespace interlock;

namespace {

thread_local std::uint32_t unused_index;

}  // namespace

Test(barrier, lets_a_round_through_when_all_have_come, .timeout = kLimit) {
  constexpr int kParties = 3;
  constexpr int kRounds = 10'000;
  Barrier barrier(kParties);
  std::atomic<int> came{0};
  std::vector<std::uint64_t> sums(kParties);
  run_threads(kParties, [&](int n) {
    for (int round = 0; round < kRounds; ++round) {
      ++came;
      std::uint32_t index = 0;
      cr_assert(barrier.wait_until(Deadline::never(), index).ok());
      cr_assert_geq(came.load(), kParties * (round + 1));
      cr_assert_lt(index, kParties);
      sums[static_cast<std::size_t>(n)] += index;
    }
  });
  cr_assert_eq(std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}), kRounds * (0 + 1 + 2));
  cr_assert_eq(barrier.waiting(), 0);
}

Test(barrier, more_threads_than_parties_go_in_groups, .timeout = kLimit) {
  Barrier barrier(2);
  std::atomic<int> arrivals_left{20'000};  // even: nobody is left over
  run_threads(4, [&](int) {
    while (arrivals_left.fetch_sub(1) > 0)
      cr_assert(barrier.wait_until(Deadline::never(), unused_index).ok());
  });
  cr_assert(!barrier.broken());
}

Test(barrier, one_party_never_waits, .timeout = kLimit) {
  Barrier barrier(1);
  std::uint32_t index = 1;
  cr_assert(barrier.wait_until(Deadline::past(), index).ok());
  cr_assert_eq(index, 0);
}

Test(barrier, a_timeout_breaks_it_for_all_until_a_reset, .timeout = kLimit) {
  Barrier barrier(3);
  std::thread other([&] {
    cr_assert(barrier.wait_until(Deadline::never(), unused_index).code() == Code::kEBROKEN);
  });
  wait_for([&] { return barrier.waiting() == 1; });
  cr_assert(barrier.wait_until(soon(), unused_index).code() == Code::kETIMEDOUT);
  other.join();
  cr_assert(barrier.broken());
  cr_assert_eq(barrier.waiting(), 0);
  cr_assert(barrier.wait_until(Deadline::never(), unused_index).code() == Code::kEBROKEN);
  barrier.reset();
  cr_assert(!barrier.broken());
  run_threads(3, [&](int) { cr_assert(barrier.wait_until(Deadline::never(), unused_index).ok()); });
}

Test(barrier, an_interrupt_breaks_it, .timeout = kLimit) {
  Barrier barrier(2);
  std::atomic<Parker *> parker{nullptr};
  std::thread waiting([&] {
    parker = &Parker::current();
    cr_assert(barrier.wait_until(Deadline::never(), unused_index).code() == Code::kEINTERRUPTED);
  });
  wait_for([&] { return barrier.waiting() == 1; });
  parker.load()->interrupt();
  waiting.join();
  cr_assert(barrier.broken());
}

Test(barrier, an_arrival_waits_in_steps, .timeout = kLimit) {
  Barrier barrier(2);
  {
    Barrier::Arrival first(barrier);
    for (int step = 0; step < 2; ++step) {
      Parker::current().interrupt();
      cr_assert(first.wait_until(Deadline::never()) == Code::kEINTERRUPTED);
    }
    cr_assert(!first.is_over());
    std::thread([&] {
      std::uint32_t index = 0;
      cr_assert(barrier.wait_until(Deadline::never(), index).ok());
      cr_assert_eq(index, 1);
    }).join();
    cr_assert(first.is_over());
    cr_assert(first.wait_until(Deadline::past()) == Code::kOk);
    cr_assert_eq(first.index(), 0);
  }
  cr_assert(!barrier.broken());
  { Barrier::Arrival left(barrier); }
  cr_assert(barrier.broken(), "who leaves an open round breaks it");
}

Test(barrier, an_arrival_that_times_out_has_broken_it, .timeout = kLimit) {
  Barrier barrier(2);
  Barrier::Arrival first(barrier);
  cr_assert(first.wait_until(soon()) == Code::kETIMEDOUT);
  cr_assert(barrier.broken(), "before another can come and pass");
  cr_assert(!first.give_up(), "there is nothing left to give up");
  cr_assert(first.wait_until(Deadline::never()) == Code::kEBROKEN);
  cr_assert(barrier.wait_until(Deadline::never(), unused_index).code() == Code::kEBROKEN);
}

Test(barrier, abort_and_reset_end_every_wait, .timeout = kLimit) {
  Barrier barrier(50);
  for (int round = 0; round < 10; ++round) {
    std::vector<std::thread> threads;
    for (int n = 0; n < 40; ++n) {
      threads.emplace_back([&] {
        cr_assert(barrier.wait_until(Deadline::never(), unused_index).code() == Code::kEBROKEN);
      });
    }
    wait_for([&] { return barrier.waiting() == 40; });
    if (round % 2 == 0) barrier.abort();
    barrier.reset();
    for (auto &thread : threads) thread.join();
    cr_assert(!barrier.broken());
  }
}

Test(barrier, every_wait_ends_under_timeouts_and_resets, .timeout = kLimit) {
  Barrier barrier(3);
  std::atomic<int> passed{0};
  run_threads(4, [&](int n) {
    for (int i = 0; i < 3'000; ++i) {
      const auto wait_ns = static_cast<std::int64_t>(i * 7919 % 100'003);
      const Deadline deadline = n == 0 ? Deadline::after_ns(wait_ns) : Deadline::after_ns(500'000);
      if (barrier.wait_until(deadline, unused_index).ok()) {
        ++passed;
      } else {
        barrier.reset();
      }
    }
  });
  cr_log_info("%d passed", passed.load());
}
