// SPDX-License-Identifier: MIT
// Tests that pass, and tests that fail in every way, for test_driver.sh to see that the driver says
// so.
#include <criterion/criterion.h>

#include <chrono>
#include <thread>

Test(sample, passes) { cr_assert_eq(1 + 1, 2, "%d", 1 + 1); }

Test(sample, fails_a_check) { cr_assert_eq(1 + 1, 3, "it is %d", 1 + 1); }

Test(sample, fails_a_check_in_a_thread) {
  std::thread([] { cr_assert(false); }).join();
}

Test(sample, fails_and_goes_on) {
  cr_expect_lt(2, 1);
  std::puts("# went on");
}

int *volatile nowhere = nullptr;

Test(sample, crashes) { *nowhere = 1; }

Test(sample, aborts) { std::abort(); }

Test(sample, hangs, .timeout = 0.3) {
  for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
}

Test(sample, exits) { std::exit(5); }

Test(sample, skips) { cr_skip("because of %s", "reasons"); }

Test(sample, is_disabled, .disabled = true) { cr_assert(false); }

Test(sample, aborts_as_it_should, .signal = SIGABRT) { std::abort(); }

Test(sample, exits_as_it_should, .exit_code = 5) { std::exit(5); }

Test(sample, does_not_abort_as_it_should, .signal = SIGABRT) {}

Test(sample, does_not_exit_as_it_should, .exit_code = 5) {}

Test(sample, fails_before_it_aborts_as_it_should, .signal = SIGABRT) { cr_assert(false); }
