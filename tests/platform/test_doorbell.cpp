// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <thread>

#include "platform/doorbell.hpp"
#ifdef _WIN32
#include <winsock2.h>
#else
#include <sys/select.h>
#endif

using namespace interlock;

namespace {

constexpr double kLimit = 60;

/// Waits at most `milliseconds` until the doorbell rings.
bool rings_within(const Doorbell &bell, int milliseconds) {
  fd_set reading;
  FD_ZERO(&reading);
  FD_SET(static_cast<unsigned>(bell.descriptor()), &reading);
  timeval limit{};
  limit.tv_sec = milliseconds / 1000;
  limit.tv_usec = milliseconds % 1000 * 1000;
  return select(static_cast<int>(bell.descriptor()) + 1, &reading, nullptr, nullptr, &limit) == 1;
}

}  // namespace

Test(doorbell, is_readable_from_a_ring_to_its_silence, .timeout = kLimit) {
  for (const bool as_socket : {false, true}) {
    Doorbell bell;
    cr_assert(bell.open(as_socket).ok());
    cr_assert(!rings_within(bell, 0));
    bell.ring();
    cr_assert(rings_within(bell, 10'000));
    cr_assert(rings_within(bell, 10'000), "looking does not silence it");
    bell.silence();
    cr_assert(!rings_within(bell, 20));
    bell.ring();
    cr_assert(rings_within(bell, 10'000));
  }
}

Test(doorbell, many_rings_do_not_block_and_come_to_an_end, .timeout = kLimit) {
  for (const bool as_socket : {false, true}) {
    Doorbell bell;
    cr_assert(bell.open(as_socket).ok());
    for (int i = 0; i < 300'000; ++i) bell.ring();
    cr_assert(rings_within(bell, 10'000));
    // A socket may have some of them still on their way.
    do {
      bell.silence();
    } while (rings_within(bell, 20));
  }
}

Test(doorbell, wakes_a_thread_that_waits, .timeout = kLimit) {
  Doorbell bell;
  cr_assert(bell.open(true).ok());
  std::thread other([&] { bell.ring(); });
  cr_assert(rings_within(bell, 50'000));
  other.join();
}

Test(doorbell, what_is_not_open_is_closed_without_harm) { const Doorbell bell; }
