/* SPDX-License-Identifier: MIT
 * What callbacks of the event loops of interlock.h may do. */
#include "loop_fixture.h"

TestSuite(loop_callbacks, .timeout = 60);

static void release_loop(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  cr_assert_eq(code, INTERLOCK_OK);
  interlock_value_release(value);
  ++scene->calls;
  cr_assert_eq(interlock_loop_release(scene->loop), INTERLOCK_OK);
}

Test(loop_callbacks, a_callback_releases_its_loop) {
  scene_t scene = {.loop = create_loop(), .channel = create_channel(3)};
  for (int i = 0; i < 3; ++i) {
    cr_assert_eq(interlock_channel_send_int64(scene.channel, i, 1), INTERLOCK_OK);
    cr_assert_eq(interlock_loop_recv(scene.loop, scene.channel, release_loop, &scene, NULL), INTERLOCK_OK);
  }
  dispatch(scene.loop);
  cr_assert_eq(scene.calls, 1, "it is the last one");
  cr_assert_eq(recv_number(scene.channel), 1, "nothing got lost");
  interlock_channel_release(scene.channel);
}

static void cancel_both(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  note(&scene->seen, code, value);
  cr_assert_eq(interlock_loop_cancel(scene->loop, scene->own, NULL), INTERLOCK_EINVAL);
  cr_assert_eq(interlock_loop_cancel(scene->loop, scene->other, NULL), INTERLOCK_OK);
}

Test(loop_callbacks, a_callback_cancels_others_but_not_itself) {
  scene_t scene = {.loop = create_loop(), .channel = create_channel(3)};
  for (int i = 0; i < 2; ++i)
    cr_assert_eq(interlock_channel_send_int64(scene.channel, i, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_loop_recv(scene.loop, scene.channel, cancel_both, &scene, &scene.own),
               INTERLOCK_OK);
  scene.other = start_recv(scene.loop, scene.channel, &scene.seen);
  dispatch(scene.loop);
  dispatch(scene.loop);
  cr_assert_eq(scene.seen.calls, 1);
  cr_assert_eq(recv_number(scene.channel), 1);
  interlock_loop_release(scene.loop);
  interlock_channel_release(scene.channel);
}

Test(loop_callbacks, what_a_callback_starts_is_for_the_next_dispatch) {
  scene_t scene = {.loop = create_loop(), .channel = create_channel(3)};
  for (int i = 0; i < 3; ++i)
    cr_assert_eq(interlock_channel_send_int64(scene.channel, i, 1), INTERLOCK_OK);
  receive_again(&scene, INTERLOCK_OK, NULL);
  for (int i = 0; i < 3; ++i) {
    cr_assert(rings(scene.loop, 0));
    dispatch(scene.loop);
    cr_assert_eq(scene.seen.calls, i + 2);
    cr_assert_eq(scene.seen.numbers[i + 1], i);
  }
  cr_assert_not(rings(scene.loop, 0));
  interlock_channel_close(scene.channel);
  run_until(scene.loop, &scene.seen.calls, 5);
  cr_assert_eq(scene.seen.codes[4], INTERLOCK_ECLOSED);
  interlock_loop_release(scene.loop);
  interlock_channel_release(scene.channel);
}

/* A nested loop, as of a dialog: until five were received. */
static void nest(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  note(&scene->seen, code, value);
  if (scene->depth++ == 0) {
    cr_assert_eq(interlock_loop_recv(scene->loop, scene->channel, nest, scene, NULL), INTERLOCK_OK);
    run_until(scene->loop, &scene->seen.calls, 5);
  }
}

Test(loop_callbacks, a_callback_dispatches) {
  for (int kind = 0; kind < KINDS; ++kind) {
    scene_t scene = {.loop = create_loop(), .channel = create_channel(every_kind[kind])};
    for (int i = 0; i < 4; ++i)
      cr_assert_eq(interlock_loop_recv(scene.loop, scene.channel, nest, &scene, NULL), INTERLOCK_OK);
    stream_t stream = {.channel = scene.channel, .count = 5};
    pthread_t thread = start_thread(send_stream, &stream);
    run_until(scene.loop, &scene.seen.calls, 5);
    join(thread);
    for (int i = 0; i < 5; ++i) cr_assert_eq(scene.seen.numbers[i], i);
    interlock_loop_release(scene.loop);
    interlock_channel_release(scene.channel);
  }
}

static void nest_and_release(void *data, int code, interlock_value_t *value) {
  scene_t *scene = data;
  cr_assert_eq(code, INTERLOCK_OK);
  interlock_value_release(value);
  ++scene->calls;
  if (scene->depth++ == 0) {
    dispatch(scene->loop);
  } else {
    cr_assert_eq(interlock_loop_release(scene->loop), INTERLOCK_OK);
  }
}

Test(loop_callbacks, a_callback_of_a_nested_dispatch_releases) {
  scene_t scene = {.loop = create_loop(), .channel = create_channel(4)};
  for (int i = 0; i < 4; ++i) {
    cr_assert_eq(interlock_channel_send_int64(scene.channel, i, 1), INTERLOCK_OK);
    cr_assert_eq(interlock_loop_recv(scene.loop, scene.channel, nest_and_release, &scene, NULL),
                 INTERLOCK_OK);
  }
  dispatch(scene.loop);
  cr_assert_eq(scene.calls, 2);
  cr_assert_eq(recv_number(scene.channel), 2);
  interlock_channel_release(scene.channel);
}
