// SPDX-License-Identifier: MIT
// What posix/wait_umtx.cpp uses of FreeBSD's <sys/umtx.h>, as _umtx_op(2) documents it, so that the
// back end can be compiled, and run over freebsd.cpp, elsewhere. The numbers are our own.
#pragma once

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define UMTX_OP_WAIT_UINT_PRIVATE 1
#define UMTX_OP_WAKE_PRIVATE 2
#define UMTX_ABSTIME 0x01

struct _umtx_time {
  struct timespec _timeout;
  uint32_t _flags;
  uint32_t _clockid;
};

extern "C" int _umtx_op(void *obj, int op, u_long val, void *uaddr, void *uaddr2);
