// SPDX-License-Identifier: MIT
// Adds sigsetjmp() and siglongjmp() to the system's <setjmp.h>. There are no masks of signals to
// keep; and nothing is unwound, as on POSIX: longjmp() unwinds only what setjmp() tells it of.
#pragma once

#include_next <setjmp.h>

typedef jmp_buf sigjmp_buf;

#ifdef __SEH__
#define sigsetjmp(buffer, mask) _setjmp((buffer), nullptr)
#else
#define sigsetjmp(buffer, mask) setjmp(buffer)
#endif
#define siglongjmp longjmp
