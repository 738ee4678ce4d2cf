// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <chrono>
#include <thread>

#include "platform/clock.hpp"

using namespace interlock;

Test(clock, never_goes_back, .timeout = 60) {
  std::int64_t before = monotonic_ns();
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t now = monotonic_ns();
    cr_assert_geq(now, before);
    before = now;
  }
}

Test(clock, goes_on_while_a_thread_sleeps, .timeout = 60) {
  const std::int64_t start = monotonic_ns();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::int64_t passed = monotonic_ns() - start;
  // Windows counts a sleep in ticks, and may begin in the middle of one.
  cr_assert_geq(passed, 15'000'000);
  cr_assert_lt(passed, 20'000'000'000);
}

Test(clock, a_deadline_passes_once_its_time_has_come, .timeout = 60) {
  const Deadline deadline = Deadline::after_ns(2'000'000);
  const std::int64_t set = monotonic_ns();
  cr_assert_leq(deadline.ns, set + 2'000'000);
  while (!deadline.passed()) {
  }
  cr_assert_geq(monotonic_ns(), deadline.ns);
}

Test(clock, past_has_passed_and_never_does_not_pass) {
  cr_assert(Deadline::past().passed());
  cr_assert(Deadline::after_ns(0).passed());
  cr_assert(Deadline::after_ns(-5).passed());
  cr_assert(!Deadline::never().passed());
  cr_assert(Deadline::never().is_never());
}

Test(clock, a_sum_that_does_not_fit_is_never) {
  cr_assert(Deadline::after_ns(Deadline::kNever).is_never());
  cr_assert(Deadline::after_ns(Deadline::kNever - 1).is_never());
  cr_assert(!Deadline::after_ns(1'000'000'000).is_never());
}
