// SPDX-License-Identifier: MIT
// platform/wait on WaitOnAddress, a twin of posix/wait.cpp, which also works here: winpthreads
// makes a semaphore of a mutex and a condition variable, and each of these of several kernel
// objects. Windows has no signals that interrupt a wait. Timeouts are whole milliseconds, rounded
// up.
#include "platform/wait.hpp"

#include <windows.h>

#include "base/check.hpp"

namespace interlock {
namespace {

DWORD milliseconds_until(Deadline deadline) noexcept {
  if (deadline.is_never()) return INFINITE;
  const std::int64_t left = deadline.ns - monotonic_ns();
  if (left <= 0) return 0;
  constexpr std::int64_t kLongest = INFINITE - 1;
  const std::int64_t milliseconds = left / 1'000'000 + (left % 1'000'000 != 0 ? 1 : 0);
  return static_cast<DWORD>(milliseconds < kLongest ? milliseconds : kLongest);
}

void *key_of(const Atomic<std::uint32_t> &word) noexcept {
  static_assert(sizeof word == sizeof(std::uint32_t));
  return const_cast<Atomic<std::uint32_t> *>(&word);
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  const DWORD saved = GetLastError();
  const BOOL woken =
      WaitOnAddress(key_of(word), &expected, sizeof expected, milliseconds_until(deadline));
  CHECK(woken || GetLastError() == ERROR_TIMEOUT);
  SetLastError(saved);
  return !woken && deadline.passed() ? WaitResult::kTimedOut : WaitResult::kWoken;
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept { WakeByAddressSingle(key_of(word)); }

void wake_all(const Atomic<std::uint32_t> &word) noexcept { WakeByAddressAll(key_of(word)); }

}  // namespace interlock
