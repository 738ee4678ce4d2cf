// SPDX-License-Identifier: MIT
// What the tests of waiting share.
#pragma once

#include <criterion/criterion.h>

#include <thread>
#include <vector>

#include "platform/clock.hpp"

namespace interlock {

constexpr double kLimit = 60;  // seconds after which a test counts as hanging

/// A deadline that a test lets pass.
inline Deadline soon() { return Deadline::after_ns(2'000'000); }

/// Yields until `condition()`.
template <typename Condition>
void wait_for(Condition condition) {
  while (!condition()) std::this_thread::yield();
}

/// Runs `body(n)` on `count` threads at once, and waits for them.
template <typename Body>
void run_threads(int count, Body body) {
  std::vector<std::thread> threads;
  for (int n = 0; n < count; ++n) threads.emplace_back(body, n);
  for (auto &thread : threads) thread.join();
}

}  // namespace interlock
