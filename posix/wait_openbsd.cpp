// SPDX-License-Identifier: MIT
// platform/wait on OpenBSD's futex(2), which takes the time that is left rather than a deadline.
#include <errno.h>
#include <sys/time.h>
// After sys/time.h, as its manual has it.
#include <sys/futex.h>
#include <time.h>

#include <climits>

#include "base/check.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

/// The system call wants the plain word.
volatile std::uint32_t *key_of(const Atomic<std::uint32_t> &word) noexcept {
  static_assert(sizeof word == sizeof(std::uint32_t));
  return reinterpret_cast<volatile std::uint32_t *>(const_cast<Atomic<std::uint32_t> *>(&word));
}

int wait(const Atomic<std::uint32_t> &word, std::uint32_t expected, Deadline deadline) noexcept {
  timespec left{};
  if (!deadline.is_never()) {
    const std::int64_t ns = deadline.ns - monotonic_ns();
    if (ns <= 0) return word == expected ? ETIMEDOUT : EAGAIN;
    left.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    left.tv_nsec = static_cast<long>(ns % 1'000'000'000);
  }
  const int result = futex(key_of(word), FUTEX_WAIT, static_cast<int>(expected),
                           deadline.is_never() ? nullptr : &left, nullptr);
  // The manual has the error returned; the C library has always had -1 and errno.
  return result == -1 ? errno : result;
}

void wake(const Atomic<std::uint32_t> &word, int most) noexcept {
  const int saved = errno;
  futex(key_of(word), FUTEX_WAKE, most, nullptr, nullptr);
  errno = saved;
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  const int saved = errno;
  const int error = wait(word, expected, deadline);
  errno = saved;
  switch (error) {
    case ETIMEDOUT:
      // The kernel counts in ticks: only the clock decides.
      return deadline.passed() ? WaitResult::kTimedOut : WaitResult::kWoken;
    case EINTR:
    case ECANCELED:  // a handler installed with SA_RESTART
      return WaitResult::kInterrupted;
    default:
      CHECK(error == 0 || error == EAGAIN);
      return WaitResult::kWoken;
  }
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept { wake(word, 1); }

void wake_all(const Atomic<std::uint32_t> &word) noexcept { wake(word, INT_MAX); }

}  // namespace interlock
