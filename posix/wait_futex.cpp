// SPDX-License-Identifier: MIT
// platform/wait on the Linux futex. Absolute deadlines: FUTEX_WAIT_BITSET takes them on
// CLOCK_MONOTONIC, so that a wait that is interrupted and begun again does not grow.
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <limits>

#include "base/check.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

/// The kernel's own layouts: the C library's timespec may have another width of seconds than the
/// system call that it is passed to.
template <typename Word>
struct KernelTime {
  Word seconds;
  Word nanoseconds;
};

/// `deadline` as the kernel wants it; one that does not fit comes earlier.
template <typename Word>
KernelTime<Word> kernel_time(Deadline deadline) noexcept {
  const std::int64_t seconds = deadline.ns / 1'000'000'000;
  if (seconds > std::numeric_limits<Word>::max()) return {std::numeric_limits<Word>::max(), 0};
  return {static_cast<Word>(seconds), static_cast<Word>(deadline.ns % 1'000'000'000)};
}

template <typename Word>
long futex_wait(long number, const Atomic<std::uint32_t> &word, std::uint32_t expected,
                Deadline deadline) noexcept {
  const auto until = kernel_time<Word>(deadline);
  return syscall(number, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected,
                 deadline.is_never() ? nullptr : &until, nullptr, FUTEX_BITSET_MATCH_ANY);
}

#if defined(SYS_futex_time64)
// A 32-bit system. Newer ones lack the call with seconds of 32 bits, kernels before 5.1 the other.
constexpr long kFutex = SYS_futex_time64;
#if defined(SYS_futex)
constexpr long kOldFutex = SYS_futex;
#else
constexpr long kOldFutex = SYS_futex_time64;
#endif
#else
constexpr long kFutex = SYS_futex;
constexpr long kOldFutex = SYS_futex;
#endif

long wait(const Atomic<std::uint32_t> &word, std::uint32_t expected, Deadline deadline) noexcept {
  const long result = futex_wait<std::int64_t>(kFutex, word, expected, deadline);
  if (kFutex == kOldFutex || result == 0 || errno != ENOSYS) return result;
  return futex_wait<long>(kOldFutex, word, expected, deadline);
}

void wake(const Atomic<std::uint32_t> &word, int most) noexcept {
  const int saved = errno;
  const int operation = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;
  if (syscall(kFutex, &word, operation, most, nullptr, nullptr, 0) < 0 && errno == ENOSYS) {
    syscall(kOldFutex, &word, operation, most, nullptr, nullptr, 0);
  }
  errno = saved;
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  const int saved = errno;
  const long result = wait(word, expected, deadline);
  const int error = result == 0 ? 0 : errno;
  errno = saved;
  switch (error) {
    case ETIMEDOUT:
      // A deadline that had to come earlier: look again.
      return deadline.passed() ? WaitResult::kTimedOut : WaitResult::kWoken;
    case EINTR:
      return WaitResult::kInterrupted;
    default:
      CHECK(error == 0 || error == EAGAIN);
      return WaitResult::kWoken;
  }
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept { wake(word, 1); }

void wake_all(const Atomic<std::uint32_t> &word) noexcept { wake(word, INT_MAX); }

}  // namespace interlock
