// SPDX-License-Identifier: MIT
// What posix/wait_openbsd.cpp uses of OpenBSD's <sys/futex.h>, as futex(2) documents it, so that
// the back end can be compiled, and run over futex.cpp, elsewhere. The numbers are our own.
#pragma once

#include <stdint.h>
#include <time.h>

#define FUTEX_WAIT 11
#define FUTEX_WAKE 12

extern "C" int futex(volatile uint32_t *uaddr, int op, int val, const struct timespec *timeout,
                     volatile uint32_t *uaddr2);
