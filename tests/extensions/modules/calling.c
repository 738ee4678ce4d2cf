/* SPDX-License-Identifier: MIT
   A library that knows nothing of Python, and calls what it is given from threads of its own. */
#include <pthread.h>
#include <stdlib.h>

typedef void function(void *);
struct call {
  function *function;
  void *argument;
};

static void *run(void *given) {
  struct call *const call = given;
  call->function(call->argument);
  return NULL;
}

static void wait_for(void *(*start)(void *), void *given) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, start, given) != 0 || pthread_join(thread, NULL) != 0) abort();
}

static void *start_another(void *given) {
  wait_for(run, given);
  return NULL;
}

void call_here(function *function, void *argument) { function(argument); }

void call_from_thread(function *function, void *argument) {
  struct call call = {function, argument};
  wait_for(run, &call);
}

/* From a thread that a thread of ours has started. */
void call_from_grandchild(function *function, void *argument) {
  struct call call = {function, argument};
  wait_for(start_another, &call);
}

/* When thread-specific data of a thread go, not the first of all. */
static pthread_key_t key;
static struct call last_call;
static int rounds_left;

static void call_late(void *value) {
  if (--rounds_left > 0) {
    pthread_setspecific(key, value);
  } else {
    last_call.function(last_call.argument);
  }
}

static void *set_key(void *ignored) {
  pthread_setspecific(key, &key);
  return NULL;
}

void call_at_thread_end(function *function, void *argument) {
  if (pthread_key_create(&key, call_late) != 0) abort();
  last_call = (struct call){function, argument};
  rounds_left = 2; /* not the last one, which not all libraries see */
  wait_for(set_key, NULL);
  pthread_key_delete(key);
}

/* One thread for all callers, which whoever calls first starts. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct call waiting;
static int is_started, is_there, done_count;

static void *serve(void *ignored) {
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (!is_there) pthread_cond_wait(&changed, &mutex);
    const struct call call = waiting;
    is_there = 0;
    pthread_mutex_unlock(&mutex);
    call.function(call.argument);
    pthread_mutex_lock(&mutex);
    ++done_count;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

/* The number of the call, for wait_for_server(). One at a time. */
int give_to_server(function *function, void *argument) {
  pthread_mutex_lock(&mutex);
  pthread_t thread;
  if (!is_started && (pthread_create(&thread, NULL, serve, NULL) != 0 || pthread_detach(thread) != 0)) abort();
  is_started = is_there = 1;
  waiting = (struct call){function, argument};
  pthread_cond_broadcast(&changed);
  const int number = done_count + 1;
  pthread_mutex_unlock(&mutex);
  return number;
}

/* A thread that has called and ends now. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER, waiter_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t waiter_changed = PTHREAD_COND_INITIALIZER;
static pthread_t waiter;
static int has_returned;

static void *call_and_wait(void *given) {
  run(given);
  pthread_mutex_lock(&waiter_mutex);
  has_returned = 1;
  pthread_cond_broadcast(&waiter_changed);
  pthread_mutex_unlock(&waiter_mutex);
  pthread_mutex_lock(&gate);
  pthread_mutex_unlock(&gate);
  return NULL;
}

/* Returns when the call has. */
void start_waiter(function *function, void *argument) {
  static struct call call;
  call = (struct call){function, argument};
  has_returned = 0;
  pthread_mutex_lock(&gate);
  if (pthread_create(&waiter, NULL, call_and_wait, &call) != 0) abort();
  pthread_mutex_lock(&waiter_mutex);
  while (!has_returned) pthread_cond_wait(&waiter_changed, &waiter_mutex);
  pthread_mutex_unlock(&waiter_mutex);
}

void join_waiter(void) {
  pthread_mutex_unlock(&gate);
  if (pthread_join(waiter, NULL) != 0) abort();
}

void wait_for_server(int number) {
  pthread_mutex_lock(&mutex);
  while (done_count < number) pthread_cond_wait(&changed, &mutex);
  pthread_mutex_unlock(&mutex);
}
