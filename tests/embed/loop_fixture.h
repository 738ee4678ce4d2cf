/* SPDX-License-Identifier: MIT
 * What the tests of event loops share. Their loop is poll(). */
#ifndef LOOP_FIXTURE_H
#define LOOP_FIXTURE_H

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>

#include "interlock.h"

enum { MOST = 2000 };

/* What callbacks saw. */
typedef struct {
  int calls;
  int codes[MOST];
  int64_t numbers[MOST]; /* -1: no value */
} seen_t;

static const size_t every_kind[] = {0, 1, 2, 64, INTERLOCK_UNBOUNDED};
enum { KINDS = sizeof every_kind / sizeof *every_kind };

static inline interlock_loop_t *create_loop(void) {
  interlock_loop_t *loop;
  cr_assert_eq(interlock_loop_create(&loop), INTERLOCK_OK, "%s", interlock_error_message());
  return loop;
}

static inline interlock_channel_t *create_channel(size_t capacity) {
  interlock_channel_t *channel;
  cr_assert_eq(interlock_channel_create(capacity, &channel), INTERLOCK_OK);
  return channel;
}

static inline int64_t take_number(interlock_value_t *value) {
  int64_t number = -1;
  if (value != NULL) cr_assert_eq(interlock_value_as_int64(value, &number), INTERLOCK_OK);
  interlock_value_release(value);
  return number;
}

static inline void note(void *data, int code, interlock_value_t *value) {
  seen_t *seen = data;
  cr_assert_lt(seen->calls, MOST);
  seen->codes[seen->calls] = code;
  seen->numbers[seen->calls++] = take_number(value);
}

static inline int rings(interlock_loop_t *loop, int milliseconds) {
  struct pollfd each = {.fd = (int)interlock_loop_descriptor(loop), .events = POLLIN};
  return poll(&each, 1, milliseconds) == 1;
}

static inline void dispatch(interlock_loop_t *loop) {
  cr_assert_eq(interlock_loop_dispatch(loop), INTERLOCK_OK, "%s", interlock_error_message());
}

/* Runs the loop until the callbacks were called so often. */
static inline void run_until(interlock_loop_t *loop, const int *calls, int count) {
  while (*calls < count) {
    cr_assert(rings(loop, 30000), "%d of %d", *calls, count);
    dispatch(loop);
  }
}

static inline uint64_t start_recv(interlock_loop_t *loop, interlock_channel_t *channel, seen_t *seen) {
  uint64_t operation = 0;
  cr_assert_eq(interlock_loop_recv(loop, channel, note, seen, &operation), INTERLOCK_OK);
  cr_assert_neq(operation, 0);
  return operation;
}

static inline uint64_t start_send(interlock_loop_t *loop, interlock_channel_t *channel, int64_t number,
                           seen_t *seen) {
  uint64_t operation = 0;
  interlock_value_t *value;
  cr_assert_eq(interlock_value_from_int64(number, &value), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_send_value(loop, channel, value, note, seen, &operation), INTERLOCK_OK);
  interlock_value_release(value);
  cr_assert_neq(operation, 0);
  return operation;
}

static inline int64_t recv_number(interlock_channel_t *channel) {
  interlock_value_t *value;
  cr_assert_eq(interlock_channel_recv(channel, &value, 30), INTERLOCK_OK);
  return take_number(value);
}

typedef struct {
  interlock_channel_t *channel;
  int64_t first, count, sum;
} stream_t;

static inline void *send_stream(void *data) {
  stream_t *stream = data;
  for (int64_t i = 0; i < stream->count; ++i) {
    if (interlock_channel_send_int64(stream->channel, stream->first + i, 30) != INTERLOCK_OK) return NULL;
  }
  return data;
}

/* Until the channel is closed. */
static inline void *recv_stream(void *data) {
  stream_t *stream = data;
  interlock_value_t *value;
  int64_t number;
  while (interlock_channel_recv(stream->channel, &value, 30) == INTERLOCK_OK) {
    if (interlock_value_as_int64(value, &number) != INTERLOCK_OK) return NULL;
    interlock_value_release(value);
    stream->sum += number;
    ++stream->count;
  }
  return data;
}

static inline pthread_t start_thread(void *(*body)(void *), void *data) {
  pthread_t thread;
  cr_assert_eq(pthread_create(&thread, NULL, body, data), 0);
  return thread;
}

static inline void join(pthread_t thread) {
  void *result;
  pthread_join(thread, &result);
  cr_assert_not_null(result);
}

/* What a callback does with the loop that calls it. */
typedef struct {
  interlock_loop_t *loop;
  interlock_channel_t *channel;
  uint64_t own, other;
  int calls, depth;
  seen_t seen;
} scene_t;

static inline void receive_again(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  note(&scene->seen, code, value);
  if (code == INTERLOCK_OK)
    cr_assert_eq(interlock_loop_recv(scene->loop, scene->channel, receive_again, scene, NULL),
                 INTERLOCK_OK);
}

#endif
