// SPDX-License-Identifier: MIT
// FreeBSD's _umtx_op(2), as far as it is documented and posix/wait_umtx.cpp uses it, on the futex
// of Linux. It shows that the back end means what the manual says, not that FreeBSD does.
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/umtx.h>
#include <unistd.h>

#include "base/check.hpp"

namespace {

int wait(void *word, u_long expected, void *size, void *time) {
  const timespec *until = nullptr;
  if (time != nullptr) {
    const auto *const timeout = static_cast<const _umtx_time *>(time);
    CHECK(reinterpret_cast<uintptr_t>(size) == sizeof *timeout);
    CHECK(timeout->_flags == UMTX_ABSTIME && timeout->_clockid == CLOCK_MONOTONIC);
    CHECK(timeout->_timeout.tv_nsec >= 0 && timeout->_timeout.tv_nsec < 1'000'000'000);
    until = &timeout->_timeout;
  }
  const long result =
      syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
              static_cast<uint32_t>(expected), until, nullptr, FUTEX_BITSET_MATCH_ANY);
  // A word that differs is no error there.
  return result == 0 || errno == EAGAIN ? 0 : -1;
}

}  // namespace

extern "C" int _umtx_op(void *obj, int op, u_long val, void *uaddr, void *uaddr2) {
  switch (op) {
    case UMTX_OP_WAIT_UINT_PRIVATE:
      return wait(obj, val, uaddr, uaddr2);
    case UMTX_OP_WAKE_PRIVATE:
      syscall(SYS_futex, obj, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, val, nullptr, nullptr, 0);
      return 0;
    default:
      errno = EINVAL;
      return -1;
  }
}
