// SPDX-License-Identifier: MIT
// Inside the driver: how a test runs in a process of its own. Implemented in isolate_posix.cpp and
// isolate_windows.cpp.
#pragma once

#include "criterion/criterion.h"

namespace test_driver {

// Exit statuses by which the process of a test tells what happened.
constexpr int kFailed = 97;
constexpr int kSkipped = 98;

struct Outcome {
  enum class Kind { kExited, kSignalled, kTimedOut } kind;
  int value;  // exit status, or number of the signal
};

/// Runs the test in a new process for at most `seconds`. `number`: its place in the TAP output.
Outcome run_isolated(const TestCase &test, int number, double seconds);

/// In the new process: runs the test and exits.
[[noreturn]] void run_here(const TestCase &test, int number);

}  // namespace test_driver
