// SPDX-License-Identifier: MIT
// What the tests of the core use of Criterion, under the same names, for targets that Criterion
// does not reach. Each test runs in a process of its own; the results are TAP. C++ only.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace test_driver {

/// In Criterion's order, as designated initialisers have to keep it.
struct Options {
  void (*init)() = nullptr;
  void (*fini)() = nullptr;
  int signal = 0;     // the test must end by this signal
  int exit_code = 0;  // or with this code
  bool disabled = false;
  const char *description = nullptr;
  double timeout = 0;  // seconds; 0 for the driver's default
};

struct TestCase {
  TestCase(const char *suite, const char *name, void (*body)(), const Options &options) noexcept;
  const char *suite;
  const char *name;
  void (*body)();
  Options options;
  TestCase *next = nullptr;
};

/// Where a check stands.
struct Place {
  const char *file;
  int line;
  bool goes_on;  // cr_expect: the test fails, but goes on
};

/// Says what failed; ends the process unless place.goes_on. Thread: any.
__attribute__((format(printf, 3, 4))) void fail(const Place &place, const char *check,
                                                const char *format = nullptr, ...);
/// Ends the process, whose test counts as skipped.
[[noreturn]] __attribute__((format(printf, 1, 2))) void skip(const char *format, ...);

}  // namespace test_driver

#define Test(suite_, name_, ...)                                                                   \
  static void suite_##_##name_##_body();                                                           \
  static ::test_driver::TestCase suite_##_##name_##_case(#suite_, #name_, suite_##_##name_##_body, \
                                                         ::test_driver::Options{__VA_ARGS__});     \
  static void suite_##_##name_##_body()

#define CR_CHECK_(goes_on, condition, text, ...)                                           \
  do {                                                                                     \
    if (!(condition))                                                                      \
      ::test_driver::fail({__FILE__, __LINE__, goes_on}, text __VA_OPT__(, ) __VA_ARGS__); \
  } while (0)
#define CR_COMPARE_(goes_on, a, relation, b, ...) \
  CR_CHECK_(goes_on, (a)relation(b), #a " " #relation " " #b __VA_OPT__(, ) __VA_ARGS__)

#define cr_assert(condition, ...) CR_CHECK_(false, condition, #condition __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_not(condition, ...) \
  CR_CHECK_(false, !(condition), "not " #condition __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_eq(a, b, ...) CR_COMPARE_(false, a, ==, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_neq(a, b, ...) CR_COMPARE_(false, a, !=, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_lt(a, b, ...) CR_COMPARE_(false, a, <, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_leq(a, b, ...) CR_COMPARE_(false, a, <=, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_gt(a, b, ...) CR_COMPARE_(false, a, >, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_geq(a, b, ...) CR_COMPARE_(false, a, >=, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_null(a, ...) CR_COMPARE_(false, a, ==, nullptr __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_not_null(a, ...) CR_COMPARE_(false, a, !=, nullptr __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) \
  CR_CHECK_(false, std::strcmp(a, b) == 0, #a " is " #b __VA_OPT__(, ) __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) \
  CR_CHECK_(false, std::strcmp(a, b) != 0, #a " is not " #b __VA_OPT__(, ) __VA_ARGS__)

#define cr_expect(condition, ...) CR_CHECK_(true, condition, #condition __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_eq(a, b, ...) CR_COMPARE_(true, a, ==, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_neq(a, b, ...) CR_COMPARE_(true, a, !=, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_lt(a, b, ...) CR_COMPARE_(true, a, <, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_leq(a, b, ...) CR_COMPARE_(true, a, <=, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_gt(a, b, ...) CR_COMPARE_(true, a, >, b __VA_OPT__(, ) __VA_ARGS__)
#define cr_expect_geq(a, b, ...) CR_COMPARE_(true, a, >=, b __VA_OPT__(, ) __VA_ARGS__)

#define cr_fail(...) \
  ::test_driver::fail({__FILE__, __LINE__, true}, "cr_fail" __VA_OPT__(, ) __VA_ARGS__)
#define cr_fatal(...) \
  ::test_driver::fail({__FILE__, __LINE__, false}, "cr_fatal" __VA_OPT__(, ) __VA_ARGS__)
#define cr_skip(...) ::test_driver::skip(__VA_ARGS__)
#define cr_skip_test(...) ::test_driver::skip(__VA_ARGS__)
#define cr_log_info(...) (std::printf("# " __VA_ARGS__), std::puts(""))
#define cr_log_warn(...) (std::printf("# " __VA_ARGS__), std::puts(""))
