// SPDX-License-Identifier: MIT
#include <atomic>

#include "lock/event.hpp"
#include "lock/parker.hpp"
#include "waiting.hpp"

using namespace interlock;

Test(event, is_set_and_cleared, .timeout = kLimit) {
  Event event;
  cr_assert(!event.is_set());
  cr_assert(event.wait_until(Deadline::past()).code() == Code::kETIMEDOUT);
  cr_assert(event.wait_until(soon()).code() == Code::kETIMEDOUT);
  event.set();
  event.set();
  cr_assert(event.is_set());
  cr_assert(event.wait_until(Deadline::never()).ok());
  event.clear();
  event.clear();
  cr_assert(!event.is_set());
}

Test(event, set_wakes_all_also_if_it_is_cleared_at_once, .timeout = kLimit) {
  Event event;
  for (std::uint64_t round = 1; round <= 20; ++round) {
    std::vector<std::thread> threads;
    for (int n = 0; n < 40; ++n) {
      threads.emplace_back([&] { cr_assert(event.wait_until(Deadline::never()).ok()); });
    }
    wait_for([&] { return event.sleeps() == 40 * round; });
    event.set();
    event.clear();
    for (auto &thread : threads) thread.join();
  }
}

Test(event, what_was_set_since_a_moment_counts, .timeout = kLimit) {
  Event event;
  const Event::Moment start = event.now();
  cr_assert(!event.was_set_since(start));
  event.set();
  event.clear();
  cr_assert(event.was_set_since(start));
  cr_assert(event.wait_until(Deadline::never(), start).ok());
  cr_assert(event.wait_until(soon()).code() == Code::kETIMEDOUT);
}

Test(event, an_interrupt_ends_a_wait, .timeout = kLimit) {
  Event event;
  std::atomic<Parker *> parker{nullptr};
  std::thread waiting([&] {
    parker = &Parker::current();
    cr_assert(event.wait_until(Deadline::never()).code() == Code::kEINTERRUPTED);
  });
  wait_for([&] { return parker != nullptr; });
  parker.load()->interrupt();
  waiting.join();
}

Test(event, no_wake_up_is_lost_in_a_ping_pong, .timeout = kLimit) {
  constexpr int kRounds = 30'000;
  Event ping;
  Event pong;
  run_threads(2, [&](int n) {
    for (int i = 0; i < kRounds; ++i) {
      if (n == 0) ping.set();
      Event &own = n == 0 ? pong : ping;
      cr_assert(own.wait_until(Deadline::never()).ok());
      own.clear();
      if (n == 1) pong.set();
    }
  });
}

Test(event, pulses_with_timeouts_and_many_waiters_end_each_wait, .timeout = kLimit) {
  Event event;
  std::atomic<bool> done{false};
  std::atomic<int> seen{0};
  std::thread setter([&] {
    for (int i = 0; i < 20'000 || seen < 100; ++i) {
      event.set();
      event.clear();
      if (i % 5 == 0) std::this_thread::yield();
    }
    done = true;
    event.set();
  });
  run_threads(3, [&](int n) {
    while (!done) {
      const Deadline deadline = n == 0 ? Deadline::never() : Deadline::after_ns(20'000 * n);
      if (event.wait_until(deadline).ok()) ++seen;
    }
  });
  setter.join();
}
