// SPDX-License-Identifier: MIT
// OpenBSD's futex(2), as far as it is documented and posix/wait_openbsd.cpp uses it, on the futex
// of Linux. It shows that the back end means what the manual says, not that OpenBSD does.
#include <errno.h>
#include <sys/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.hpp"

namespace {

// As <linux/futex.h> has them, whose names are taken here.
constexpr int kWait = 0 | 128;
constexpr int kWake = 1 | 128;

}  // namespace

extern "C" int futex(volatile uint32_t *uaddr, int op, int val, const timespec *timeout,
                     volatile uint32_t *) {
  if (op == FUTEX_WAIT && timeout != nullptr) {
    CHECK(timeout->tv_sec >= 0 && timeout->tv_nsec >= 0 && timeout->tv_nsec < 1'000'000'000);
  }
  const long result = syscall(SYS_futex, uaddr, op == FUTEX_WAIT ? kWait : kWake, val,
                              op == FUTEX_WAIT ? timeout : nullptr, nullptr, 0);
  return static_cast<int>(result);
}
