// SPDX-License-Identifier: MIT
// Adds sets of signals to the system's <signal.h>. Windows delivers no signal to a chosen thread,
// so masks are kept nowhere: they only have to compile and to do no harm.
#pragma once

#include <pthread_signal.h>
#include_next <signal.h>
#include <sys/types.h>

#ifndef _POSIX
typedef _sigset_t sigset_t;
#endif

#define SIGTRAP 5
#define SIGBUS 10
#define SIGSYS 12
#define SIGPROF 27

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

static inline int sigemptyset(sigset_t *set) {
  *set = 0;
  return 0;
}
static inline int sigfillset(sigset_t *set) {
  *set = ~(sigset_t)0;
  return 0;
}
static inline int sigaddset(sigset_t *set, int signal) {
  *set |= (sigset_t)1 << signal;
  return 0;
}
static inline int sigdelset(sigset_t *set, int signal) {
  *set &= ~((sigset_t)1 << signal);
  return 0;
}

#undef pthread_sigmask

static inline int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) {
  (void)how;
  (void)set;
  if (before) *before = 0;
  return 0;
}
