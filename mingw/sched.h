// SPDX-License-Identifier: MIT
// Adds sched_getcpu() to the system's <sched.h>.
#pragma once

#include_next <sched.h>

#ifdef __cplusplus
extern "C"
#endif
    __declspec(dllimport) unsigned long __stdcall GetCurrentProcessorNumber(void);

/// The processor that the calling thread runs on, within its group of at most 64.
static inline int sched_getcpu(void) { return (int)GetCurrentProcessorNumber(); }
