/* SPDX-License-Identifier: MIT
 * A libuv program whose loop sends numbers to two interpreters and receives their squares, while a timer of
 * the loop ticks: one thread waits for all of it.
 *
 *     cc -std=c99 embed_libuv.c -o embed_libuv $(pkg-config --cflags --libs interlock libuv) && ./embed_libuv
 */
#include <inttypes.h>
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

enum { NUMBERS = 1000, INTERPRETERS = 2 };

static interlock_loop_t *bell; /* what rings when a channel has something for the loop */
static interlock_channel_t *numbers, *squares;
static uv_poll_t ear;
static uv_timer_t timer;
static int64_t sum;
static int next_number = 1, received, ticks;

static void check(int code) {
  if (code == INTERLOCK_OK) return;
  fprintf(stderr, "embed_libuv: %s: %s\n", interlock_code_meaning(code), interlock_error_message());
  exit(1);
}

static void check_uv(int error) {
  if (error == 0) return;
  fprintf(stderr, "embed_libuv: %s\n", uv_strerror(error));
  exit(1);
}

static void dispatch(uv_poll_t *handle, int error, int events) {
  (void)handle, (void)events;
  check_uv(error);
  check(interlock_loop_dispatch(bell));
}

static void tick(uv_timer_t *handle) {
  (void)handle;
  ++ticks;
}

static void send_next(void);

static void was_sent(void *data, int code, interlock_value_t *value) {
  (void)data;
  interlock_value_release(value); /* null, unless it could not be sent */
  check(code);
  send_next();
}

static void send_next(void) {
  interlock_value_t *value;
  if (next_number > NUMBERS) {
    check(interlock_channel_close(numbers));
    return;
  }
  check(interlock_value_from_int64(next_number++, &value));
  check(interlock_loop_send_value(bell, numbers, value, was_sent, NULL, NULL));
  interlock_value_release(value);
}

static void was_received(void *data, int code, interlock_value_t *value) {
  int64_t square;
  check(code);
  check(interlock_value_as_int64(value, &square));
  interlock_value_release(value);
  sum += square;
  if (++received < NUMBERS) {
    check(interlock_loop_recv(bell, squares, was_received, data, NULL));
    return;
  }
  uv_close((uv_handle_t *)&ear, NULL);
  uv_close((uv_handle_t *)&timer, NULL);
}

static void run_interpreter(void *interpreter) {
  check(interlock_interpreter_run(interpreter, "for n in numbers: squares.send(n * n)"));
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  uv_thread_t runners[INTERPRETERS];
  interlock_interpreter_t *interpreters[INTERPRETERS];

  check(interlock_runtime_start(argc, argv));
  check(interlock_channel_create(16, &numbers));
  check(interlock_channel_create(16, &squares));
  check(interlock_loop_create(&bell));
  check_uv(uv_poll_init_socket(loop, &ear, (uv_os_sock_t)interlock_loop_descriptor(bell)));
  check_uv(uv_poll_start(&ear, UV_READABLE, dispatch));
  check_uv(uv_timer_init(loop, &timer));
  check_uv(uv_timer_start(&timer, tick, 0, 1));
  for (int i = 0; i < INTERPRETERS; ++i) {
    check(interlock_interpreter_create(NULL, &interpreters[i]));
    check(interlock_interpreter_give_channel(interpreters[i], "numbers", numbers));
    check(interlock_interpreter_give_channel(interpreters[i], "squares", squares));
    check_uv(uv_thread_create(&runners[i], run_interpreter, interpreters[i]));
  }

  send_next();
  check(interlock_loop_recv(bell, squares, was_received, NULL, NULL));
  uv_run(loop, UV_RUN_DEFAULT);
  printf("sum of the squares up to %d: %" PRId64 ", and the timer %s\n", NUMBERS, sum,
         ticks > 0 ? "ticked" : "did not tick");

  check(interlock_loop_release(bell));
  for (int i = 0; i < INTERPRETERS; ++i) {
    check_uv(uv_thread_join(&runners[i]));
    check(interlock_interpreter_close(interpreters[i], INTERLOCK_FOREVER));
  }
  interlock_channel_release(numbers);
  interlock_channel_release(squares);
  check_uv(uv_loop_close(loop));
  check(interlock_runtime_end(INTERLOCK_FOREVER));
  return sum == INT64_C(333833500) && ticks > 0 ? 0 : 1;
}
