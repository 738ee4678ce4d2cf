// SPDX-License-Identifier: MIT
// platform/wait on the Linux futex. Absolute deadlines: FUTEX_WAIT_BITSET takes them on
// CLOCK_MONOTONIC, so that a wait that is interrupted and begun again does not grow.
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "base/check.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

long futex(const Atomic<std::uint32_t> &word, int operation, std::uint32_t value,
           const timespec *deadline) noexcept {
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, deadline, nullptr,
                 FUTEX_BITSET_MATCH_ANY);
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  timespec until{};
  until.tv_sec = static_cast<time_t>(deadline.ns / 1'000'000'000);
  until.tv_nsec = static_cast<long>(deadline.ns % 1'000'000'000);
  const int saved = errno;
  const long result =
      futex(word, FUTEX_WAIT_BITSET, expected, deadline.is_never() ? nullptr : &until);
  const int error = result == 0 ? 0 : errno;
  errno = saved;
  switch (error) {
    case ETIMEDOUT:
      return WaitResult::kTimedOut;
    case EINTR:
      return WaitResult::kInterrupted;
    default:
      CHECK(error == 0 || error == EAGAIN);
      return WaitResult::kWoken;
  }
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept {
  const int saved = errno;
  futex(word, FUTEX_WAKE, 1, nullptr);
  errno = saved;
}

void wake_all(const Atomic<std::uint32_t> &word) noexcept {
  const int saved = errno;
  futex(word, FUTEX_WAKE, INT_MAX, nullptr);
  errno = saved;
}

}  // namespace interlock
