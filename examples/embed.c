/* SPDX-License-Identifier: MIT
 * Two interpreters square numbers that C threads send them; the C program adds up what comes back.
 *
 *     cc -std=c99 embed.c -o embed $(pkg-config --cflags --libs interlock) -pthread && ./embed
 */
#include <inttypes.h>
#include <interlock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 1000, INTERPRETERS = 2 };

static interlock_channel_t *numbers, *squares;

static void check(int code) {
  if (code == INTERLOCK_OK) return;
  fprintf(stderr, "embed: %s: %s\n", interlock_code_meaning(code), interlock_error_message());
  exit(1);
}

/* A thread that Python has never seen. */
static void *send_numbers(void *unused) {
  for (int i = 1; i <= NUMBERS; ++i) check(interlock_channel_send_int64(numbers, i, INTERLOCK_FOREVER));
  check(interlock_channel_close(numbers));
  return unused;
}

static void *run_interpreter(void *interpreter) {
  check(interlock_interpreter_run(interpreter, "for n in numbers: squares.send(n * n)"));
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t sender, runners[INTERPRETERS];
  interlock_interpreter_t *interpreters[INTERPRETERS];
  int64_t sum = 0;

  check(interlock_runtime_start(argc, argv));
  check(interlock_channel_create(16, &numbers));
  check(interlock_channel_create(16, &squares));
  for (int i = 0; i < INTERPRETERS; ++i) {
    check(interlock_interpreter_create(NULL, &interpreters[i]));
    check(interlock_interpreter_give_channel(interpreters[i], "numbers", numbers));
    check(interlock_interpreter_give_channel(interpreters[i], "squares", squares));
    pthread_create(&runners[i], NULL, run_interpreter, interpreters[i]);
  }
  pthread_create(&sender, NULL, send_numbers, NULL);

  for (int i = 0; i < NUMBERS; ++i) {
    interlock_value_t *value;
    int64_t square;
    check(interlock_channel_recv(squares, &value, 60.0));
    check(interlock_value_as_int64(value, &square));
    interlock_value_release(value);
    sum += square;
  }
  printf("sum of the squares up to %d: %" PRId64 "\n", NUMBERS, sum);

  pthread_join(sender, NULL);
  for (int i = 0; i < INTERPRETERS; ++i) {
    pthread_join(runners[i], NULL);
    check(interlock_interpreter_close(interpreters[i], INTERLOCK_FOREVER));
  }
  interlock_channel_release(numbers);
  interlock_channel_release(squares);
  check(interlock_runtime_end(INTERLOCK_FOREVER));
  return sum == INT64_C(333833500) ? 0 : 1;
}
