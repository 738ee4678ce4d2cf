// SPDX-License-Identifier: MIT
// Functions where the system's <pthread.h> has macros that drop their arguments.
#pragma once

#include_next <pthread.h>

#include "signal.h"

#undef pthread_atfork

/// There is no fork() here, so nothing to do.
static inline int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  (void)prepare;
  (void)parent;
  (void)child;
  return 0;
}
