// SPDX-License-Identifier: MIT
// platform/wait on FreeBSD's _umtx_op(2). Its waits take an absolute deadline of a named clock and
// always end with EINTR when a signal handler has run.
#include <errno.h>
#include <sys/types.h>
#include <sys/umtx.h>
#include <time.h>

#include <climits>

#include "base/check.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

/// The system call takes the word by a pointer to anything and writes nothing there.
void *key_of(const Atomic<std::uint32_t> &word) noexcept {
  return const_cast<Atomic<std::uint32_t> *>(&word);
}

int wait(const Atomic<std::uint32_t> &word, std::uint32_t expected, Deadline deadline) noexcept {
  constexpr int kOperation = UMTX_OP_WAIT_UINT_PRIVATE;
  if (deadline.is_never()) return _umtx_op(key_of(word), kOperation, expected, nullptr, nullptr);
  struct _umtx_time until {};
  until._timeout.tv_sec = static_cast<time_t>(deadline.ns / 1'000'000'000);
  until._timeout.tv_nsec = static_cast<long>(deadline.ns % 1'000'000'000);
  until._flags = UMTX_ABSTIME;
  until._clockid = CLOCK_MONOTONIC;
  // The size tells which of two structures the other argument is.
  return _umtx_op(key_of(word), kOperation, expected, reinterpret_cast<void *>(sizeof until),
                  &until);
}

void wake(const Atomic<std::uint32_t> &word, unsigned long most) noexcept {
  const int saved = errno;
  _umtx_op(key_of(word), UMTX_OP_WAKE_PRIVATE, most, nullptr, nullptr);
  errno = saved;
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  const int saved = errno;
  const int error = wait(word, expected, deadline) == 0 ? 0 : errno;
  errno = saved;
  switch (error) {
    case ETIMEDOUT:
      return WaitResult::kTimedOut;
    case EINTR:
      return WaitResult::kInterrupted;
    default:
      CHECK(error == 0);
      return WaitResult::kWoken;
  }
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept { wake(word, 1); }

void wake_all(const Atomic<std::uint32_t> &word) noexcept { wake(word, INT_MAX); }

}  // namespace interlock
