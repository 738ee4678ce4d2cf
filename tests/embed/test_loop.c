/* SPDX-License-Identifier: MIT
 * The event loops of interlock.h. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop_fixture.h"

TestSuite(loop, .timeout = 60);

Test(loop, null_arguments_are_named) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(1);
  interlock_value_t *value;
  seen_t seen = {0};
  cr_assert_eq(interlock_value_from_int64(7, &value), INTERLOCK_OK);
#define NAMED(call, name)                                  \
  do {                                                     \
    cr_assert_eq(call, INTERLOCK_EINVAL);                  \
    cr_assert_str_eq(interlock_error_message(), name " is null"); \
  } while (0)
  NAMED(interlock_loop_create(NULL), "loop");
  NAMED(interlock_loop_dispatch(NULL), "loop");
  NAMED(interlock_loop_recv(NULL, channel, note, &seen, NULL), "loop");
  NAMED(interlock_loop_recv(loop, NULL, note, &seen, NULL), "channel");
  NAMED(interlock_loop_recv(loop, channel, NULL, &seen, NULL), "callback");
  NAMED(interlock_loop_send_value(NULL, channel, value, note, &seen, NULL), "loop");
  NAMED(interlock_loop_send_value(loop, NULL, value, note, &seen, NULL), "channel");
  NAMED(interlock_loop_send_value(loop, channel, NULL, note, &seen, NULL), "value");
  NAMED(interlock_loop_send_value(loop, channel, value, NULL, &seen, NULL), "callback");
  NAMED(interlock_loop_cancel(NULL, 1, NULL), "loop");
  NAMED(interlock_value_from_none(NULL), "value");
  NAMED(interlock_value_from_string("", 0, NULL), "value");
  NAMED(interlock_value_from_string(NULL, 1, &value), "text");
  NAMED(interlock_value_from_bytes(NULL, 1, &value), "data");
#undef NAMED
  cr_assert_eq(interlock_loop_descriptor(NULL), -1);
  cr_assert_eq(interlock_loop_release(NULL), INTERLOCK_OK);
  dispatch(loop);
  cr_assert_eq(seen.calls, 0);
  cr_assert_eq(take_number(value), 7, "left as it was");
  cr_assert_eq(interlock_loop_release(loop), INTERLOCK_OK);
  interlock_channel_release(channel);
}

Test(loop, values_of_the_programs_own) {
  interlock_value_t *value;
  const char *text;
  const void *data;
  size_t size;
  int truth;
  double number;
  cr_assert_eq(interlock_value_from_none(&value), INTERLOCK_OK);
  cr_assert_eq(interlock_value_type(value), INTERLOCK_TYPE_NONE);
  interlock_value_release(value);
  cr_assert_eq(interlock_value_from_bool(5, &value), INTERLOCK_OK);
  cr_assert(interlock_value_as_bool(value, &truth) == INTERLOCK_OK && truth == 1);
  interlock_value_release(value);
  cr_assert_eq(interlock_value_from_int64(INT64_MIN, &value), INTERLOCK_OK);
  cr_assert_eq(take_number(value), INT64_MIN);
  cr_assert_eq(interlock_value_from_double(1.5, &value), INTERLOCK_OK);
  cr_assert(interlock_value_as_double(value, &number) == INTERLOCK_OK && number == 1.5);
  interlock_value_release(value);
  cr_assert_eq(interlock_value_from_string("h\xc3\xa9", 3, &value), INTERLOCK_OK);
  cr_assert_eq(interlock_value_as_string(value, &text, &size), INTERLOCK_OK);
  cr_assert_str_eq(text, "h\xc3\xa9");
  interlock_value_release(value);
  cr_assert_eq(interlock_value_from_bytes(NULL, 0, &value), INTERLOCK_OK);
  cr_assert(interlock_value_as_bytes(value, &data, &size) == INTERLOCK_OK && size == 0);
  interlock_value_release(value);
  cr_assert_eq(interlock_value_from_string("\xff", 1, &value), INTERLOCK_EINVAL);
}

Test(loop, what_is_possible_at_once_completes_in_the_next_dispatch) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(1);
  seen_t seen = {0};
  start_send(loop, channel, 7, &seen);
  cr_assert_eq(seen.calls, 0);
  cr_assert(rings(loop, 0));
  dispatch(loop);
  cr_assert_eq(seen.calls, 1);
  cr_assert_eq(seen.codes[0], INTERLOCK_OK);
  cr_assert_eq(seen.numbers[0], -1, "a send that succeeds gives nothing back");
  start_recv(loop, channel, &seen);
  cr_assert_eq(seen.calls, 1);
  cr_assert(rings(loop, 0));
  dispatch(loop);
  cr_assert_eq(seen.calls, 2);
  cr_assert_eq(seen.numbers[1], 7);
  cr_assert_not(rings(loop, 0));
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}

Test(loop, what_waits_completes_when_the_bell_has_rung) {
  for (int kind = 0; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]);
    seen_t seen = {0};
    start_recv(loop, channel, &seen);
    dispatch(loop);
    cr_assert(seen.calls == 0 && !rings(loop, 0));
    stream_t stream = {.channel = channel, .first = 7, .count = 1};
    pthread_t thread = start_thread(send_stream, &stream);
    run_until(loop, &seen.calls, 1);
    join(thread);
    cr_assert_eq(seen.numbers[0], 7);
    interlock_loop_release(loop);
    interlock_channel_release(channel);
  }
}

Test(loop, the_bell_rings_once_for_many) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channels[100];
  seen_t seen = {0};
  for (int i = 0; i < 100; ++i) {
    channels[i] = create_channel(1);
    start_recv(loop, channels[i], &seen);
  }
  for (int i = 0; i < 100; ++i) {
    cr_assert_eq(interlock_channel_send_int64(channels[i], i, 1), INTERLOCK_OK);
    interlock_channel_release(channels[i]);
  }
  uint64_t rung = 0;
  cr_assert_eq(read((int)interlock_loop_descriptor(loop), &rung, sizeof rung), (ssize_t)sizeof rung);
  cr_assert_eq(rung, 1, "%d rings", (int)rung);
  dispatch(loop);
  cr_assert_eq(seen.calls, 100);
  for (int i = 0; i < 100; ++i) cr_assert_eq(seen.numbers[i], i);
  interlock_loop_release(loop);
}

Test(loop, a_thousand_operations_complete_in_the_order_of_their_start) {
  for (int kind = 0; kind < KINDS; ++kind) {
    interlock_loop_t *sending = create_loop(), *receiving = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]);
    static seen_t sent, received;
    sent.calls = received.calls = 0;
    for (int i = 0; i < 1000; ++i) {
      start_send(sending, channel, i, &sent);
      start_recv(receiving, channel, &received);
    }
    while (sent.calls < 1000 || received.calls < 1000) {
      cr_assert(rings(sending, 0) || rings(receiving, 0), "%d sent, %d received", sent.calls,
                received.calls);
      dispatch(sending);
      dispatch(receiving);
    }
    for (int i = 0; i < 1000; ++i) cr_assert_eq(received.numbers[i], i);
    interlock_loop_release(sending);
    interlock_loop_release(receiving);
    interlock_channel_release(channel);
  }
}

Test(loop, one_loop_sends_to_itself) {
  for (int kind = 0; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]);
    seen_t sent = {0}, received = {0};
    for (int i = 0; i < 10; ++i) {
      if (i % 2 == 0) start_recv(loop, channel, &received);
      start_send(loop, channel, i, &sent);
      if (i % 2 == 1) start_recv(loop, channel, &received);
    }
    run_until(loop, &received.calls, 10);
    run_until(loop, &sent.calls, 10);
    for (int i = 0; i < 10; ++i) cr_assert_eq(received.numbers[i], i);
    interlock_loop_release(loop);
    interlock_channel_release(channel);
  }
}

Test(loop, a_cancelled_receive_takes_nothing) {
  for (int kind = 1; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]);
    interlock_value_t *value = (interlock_value_t *)loop;
    seen_t seen = {0};
    uint64_t waiting = start_recv(loop, channel, &seen);
    cr_assert_eq(interlock_loop_cancel(loop, waiting, &value), INTERLOCK_OK);
    cr_assert_null(value);
    cr_assert_eq(interlock_loop_cancel(loop, waiting, NULL), INTERLOCK_EINVAL);
    cr_assert_eq(interlock_channel_send_int64(channel, 1, 1), INTERLOCK_OK);
    uint64_t possible = start_recv(loop, channel, &seen);
    cr_assert_eq(interlock_loop_cancel(loop, possible, NULL), INTERLOCK_OK);
    dispatch(loop);
    cr_assert_eq(seen.calls, 0);
    cr_assert_eq(recv_number(channel), 1);
    interlock_loop_release(loop);
    interlock_channel_release(channel);
  }
}

Test(loop, who_was_chosen_and_is_cancelled_passes_it_on) {
  for (int kind = 0; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop(), *other = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]);
    seen_t seen = {0}, others = {0};
    uint64_t first = start_recv(loop, channel, &seen);
    start_recv(other, channel, &others);
    stream_t stream = {.channel = channel, .first = 7, .count = 1};
    pthread_t thread = start_thread(send_stream, &stream);
    cr_assert(rings(loop, 30000));
    cr_assert_eq(interlock_loop_cancel(loop, first, NULL), INTERLOCK_OK);
    run_until(other, &others.calls, 1);
    join(thread);
    cr_assert_eq(others.numbers[0], 7);
    dispatch(loop);
    cr_assert_eq(seen.calls, 0);
    interlock_loop_release(loop);
    interlock_loop_release(other);
    interlock_channel_release(channel);
  }
}

Test(loop, those_behind_a_cancelled_operation_go_on) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(1);
  interlock_value_t *value;
  seen_t sent = {0}, received = {0};
  uint64_t sends[4], receives[4];
  for (int i = 0; i < 4; ++i) sends[i] = start_send(loop, channel, i, &sent);
  cr_assert_eq(interlock_loop_cancel(loop, sends[0], &value), INTERLOCK_OK);
  cr_assert_eq(take_number(value), 0);
  cr_assert_eq(interlock_loop_cancel(loop, sends[2], &value), INTERLOCK_OK);
  cr_assert_eq(take_number(value), 2);
  for (int i = 0; i < 4; ++i) receives[i] = start_recv(loop, channel, &received);
  cr_assert_eq(interlock_loop_cancel(loop, receives[0], NULL), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_cancel(loop, receives[2], NULL), INTERLOCK_OK);
  run_until(loop, &received.calls, 2);
  cr_assert(received.numbers[0] == 1 && received.numbers[1] == 3 && sent.calls == 2);
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}

Test(loop, a_send_that_a_rendezvous_has_completed_is_not_cancelled) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(0);
  interlock_value_t *value;
  seen_t seen = {0};
  uint64_t taken = start_send(loop, channel, 1, &seen);
  uint64_t next = start_send(loop, channel, 2, &seen);
  cr_assert_eq(recv_number(channel), 1);
  for (int i = 0; i < 2; ++i) cr_assert_eq(interlock_loop_cancel(loop, taken, &value), INTERLOCK_EINVAL);
  cr_assert_null(value);
  cr_assert(rings(loop, 0));
  dispatch(loop);
  cr_assert(seen.calls == 1 && seen.codes[0] == INTERLOCK_OK);
  cr_assert_eq(interlock_loop_cancel(loop, next, &value), INTERLOCK_OK);
  cr_assert_eq(take_number(value), 2);
  cr_assert_eq(interlock_channel_recv(channel, &value, 0), INTERLOCK_EEMPTY);
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}

Test(loop, a_closed_channel_ends_every_operation) {
  for (int kind = 0; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]), *full = create_channel(0);
    seen_t receives = {0}, sends = {0};
    for (int i = 0; i < 3; ++i) {
      start_recv(loop, channel, &receives);
      start_send(loop, full, i, &sends);
    }
    interlock_channel_close(channel);
    interlock_channel_close(full);
    run_until(loop, &receives.calls, 3);
    run_until(loop, &sends.calls, 3);
    for (int i = 0; i < 3; ++i) {
      cr_assert(receives.codes[i] == INTERLOCK_ECLOSED && receives.numbers[i] == -1);
      cr_assert(sends.codes[i] == INTERLOCK_ECLOSED && sends.numbers[i] == i, "it is given back");
    }
    start_recv(loop, channel, &receives);
    run_until(loop, &receives.calls, 4);
    interlock_loop_release(loop);
    interlock_channel_release(channel);
    interlock_channel_release(full);
  }
}

static void note_message(void *data, int code, interlock_value_t *value) {
  cr_assert_str_eq(interlock_error_message(), interlock_code_meaning(code));
  note(data, code, value);
}

Test(loop, a_closed_channel_is_drained_before) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(2);
  seen_t seen = {0};
  cr_assert_eq(interlock_channel_send_int64(channel, 1, 1), INTERLOCK_OK);
  interlock_channel_close(channel);
  start_recv(loop, channel, &seen);
  cr_assert_eq(interlock_loop_recv(loop, channel, note_message, &seen, NULL), INTERLOCK_OK);
  run_until(loop, &seen.calls, 2);
  cr_assert(seen.numbers[0] == 1 && seen.codes[1] == INTERLOCK_ECLOSED);
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}

Test(loop, release_cancels_what_is_pending) {
  for (int kind = 1; kind < KINDS; ++kind) {
    interlock_loop_t *loop = create_loop(), *other = create_loop();
    interlock_channel_t *channel = create_channel(every_kind[kind]), *full = create_channel(0);
    interlock_value_t *value;
    seen_t seen = {0}, others = {0};
    start_recv(loop, channel, &seen);
    start_recv(loop, channel, &seen);
    start_send(loop, full, 8, &seen);
    start_recv(other, channel, &others);
    cr_assert_eq(interlock_channel_send_int64(channel, 7, 1), INTERLOCK_OK);
    cr_assert(rings(loop, 0), "it was chosen");
    cr_assert_eq(interlock_loop_release(loop), INTERLOCK_OK);
    run_until(other, &others.calls, 1);
    cr_assert(others.numbers[0] == 7 && seen.calls == 0);
    cr_assert_eq(interlock_channel_recv(full, &value, 0), INTERLOCK_EEMPTY);
    interlock_loop_release(other);
    interlock_channel_release(channel);
    interlock_channel_release(full);
  }
}

Test(loop, released_loops_leave_no_descriptor) {
  interlock_channel_t *channel = create_channel(1);
  intptr_t first = -1;
  for (int i = 0; i < 100; ++i) {
    interlock_loop_t *loop = create_loop();
    seen_t seen = {0};
    start_recv(loop, channel, &seen);
    cr_assert_eq(interlock_channel_send_int64(channel, 7, 1), INTERLOCK_OK);
    if (i % 2 == 0) dispatch(loop); /* else it still hangs on the bell */
    if (first < 0) first = interlock_loop_descriptor(loop);
    cr_assert_eq(interlock_loop_descriptor(loop), first);
    interlock_loop_release(loop);
    if (i % 2 == 1) cr_assert_eq(recv_number(channel), 7);
  }
  interlock_channel_release(channel);
}

static void *use_in_another_thread(void *data) {
  scene_t *scene = data;
  interlock_value_t *value;
  int refused = 0;
  uint64_t operation;
  if (interlock_value_from_int64(5, &value) != INTERLOCK_OK) return NULL;
  refused += interlock_loop_dispatch(scene->loop) == INTERLOCK_ESTATE;
  refused += interlock_loop_recv(scene->loop, scene->channel, note, &scene->seen, &operation) == INTERLOCK_ESTATE;
  refused += interlock_loop_send_value(scene->loop, scene->channel, value, note, &scene->seen, NULL) ==
             INTERLOCK_ESTATE;
  refused += interlock_loop_cancel(scene->loop, scene->own, NULL) == INTERLOCK_ESTATE;
  refused += interlock_loop_release(scene->loop) == INTERLOCK_ESTATE;
  refused += strcmp(interlock_error_message(), "another thread is in a function of the loop") == 0;
  interlock_channel_t *channel;
  if (interlock_channel_create(1, &channel) != INTERLOCK_OK) return NULL;
  if (interlock_channel_send_value(channel, value, 0) != INTERLOCK_OK) return NULL; /* still there */
  interlock_channel_release(channel);
  interlock_value_release(value);
  return refused == 6 ? data : NULL;
}

static void let_another_thread_try(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  note(&scene->seen, code, value);
  join(start_thread(use_in_another_thread, scene));
}

static void *dispatch_in_another_thread(void *data) {
  scene_t *scene = data;
  return interlock_loop_dispatch(scene->loop) == INTERLOCK_OK ? data : NULL;
}

Test(loop, another_thread_is_refused_while_one_is_in_it) {
  scene_t scene = {.loop = create_loop(), .channel = create_channel(3)};
  cr_assert_eq(interlock_channel_send_int64(scene.channel, 1, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_recv(scene.loop, scene.channel, let_another_thread_try, &scene, NULL),
               INTERLOCK_OK);
  scene.own = start_recv(scene.loop, scene.channel, &scene.seen);
  dispatch(scene.loop);
  cr_assert_eq(scene.seen.calls, 1);
  cr_assert_eq(interlock_channel_send_int64(scene.channel, 2, 1), INTERLOCK_OK);
  join(start_thread(dispatch_in_another_thread, &scene));
  cr_assert(scene.seen.calls == 2 && scene.seen.numbers[1] == 2, "one after the other may");
  interlock_loop_release(scene.loop);
  interlock_channel_release(scene.channel);
}

Test(loop, a_value_is_sent_once) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(2);
  interlock_value_t *value;
  seen_t seen = {0};
  cr_assert_eq(interlock_value_from_int64(7, &value), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_send_value(loop, channel, value, note, &seen, NULL), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_send_value(loop, channel, value, note, &seen, NULL), INTERLOCK_EINVAL);
  cr_assert_str_eq(interlock_error_message(), "value was sent before");
  interlock_value_release(value);
  dispatch(loop);
  cr_assert_eq(seen.calls, 1);
  cr_assert_eq(recv_number(channel), 7);
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}

Test(loop, shares_with_receivers_that_block) {
  for (int kind = 0; kind < KINDS; ++kind) {
    scene_t scene = {.loop = create_loop(), .channel = create_channel(every_kind[kind])};
    stream_t sends = {.channel = scene.channel, .count = 1000}, receives = {.channel = scene.channel};
    pthread_t receiver = start_thread(recv_stream, &receives);
    receive_again(&scene, INTERLOCK_OK, NULL);
    pthread_t sender = start_thread(send_stream, &sends);
    int64_t sum = 0;
    int is_closed = 0;
    while (scene.seen.codes[scene.seen.calls - 1] != INTERLOCK_ECLOSED) {
      cr_assert(rings(scene.loop, 30000));
      dispatch(scene.loop);
      if (!is_closed && scene.seen.calls + __atomic_load_n(&receives.count, __ATOMIC_RELAXED) > 1000) {
        is_closed = 1;
        interlock_channel_close(scene.channel);
      }
      /* The blocking receiver may have the last one: then nothing rings here. */
      while (!is_closed && !rings(scene.loop, 1)) {
        if (scene.seen.calls + __atomic_load_n(&receives.count, __ATOMIC_RELAXED) <= 1000) continue;
        is_closed = 1;
        interlock_channel_close(scene.channel);
      }
    }
    join(sender);
    join(receiver);
    for (int i = 1; i < scene.seen.calls - 1; ++i) sum += scene.seen.numbers[i];
    cr_assert_eq(sum + receives.sum, 499500);
    cr_assert_eq(scene.seen.calls - 2 + receives.count, 1000);
    interlock_loop_release(scene.loop);
    interlock_channel_release(scene.channel);
  }
}

Test(loop, the_child_of_a_fork_leaves_it_alone) {
  interlock_loop_t *loop = create_loop();
  interlock_channel_t *channel = create_channel(1);
  seen_t seen = {0};
  uint64_t operation = start_recv(loop, channel, &seen);
  cr_assert_eq(interlock_channel_send_int64(channel, 7, 1), INTERLOCK_OK);
  pid_t child = fork();
  if (child == 0) {
    int refused = interlock_loop_dispatch(loop) == INTERLOCK_ESTATE;
    refused += interlock_loop_recv(loop, channel, note, &seen, NULL) == INTERLOCK_ESTATE;
    refused += interlock_loop_cancel(loop, operation, NULL) == INTERLOCK_ESTATE;
    refused += interlock_loop_release(loop) == INTERLOCK_ESTATE;
    _exit(refused);
  }
  int status;
  cr_assert_eq(waitpid(child, &status, 0), child);
  cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 4);
  cr_assert(rings(loop, 0), "the child has not taken the parent's ring");
  dispatch(loop);
  cr_assert(seen.calls == 1 && seen.numbers[0] == 7);
  interlock_loop_release(loop);
  interlock_channel_release(channel);
}
