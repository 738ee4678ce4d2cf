/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "interlock.h"

TestSuite(embed, .timeout = 60);

static interlock_channel_t *create_channel(size_t capacity) {
  interlock_channel_t *channel;
  cr_assert_eq(interlock_channel_create(capacity, &channel), INTERLOCK_OK);
  return channel;
}

Test(embed, channels_need_no_runtime) {
  interlock_channel_t *channel = create_channel(4);
  interlock_value_t *value;
  const char *text;
  const void *data;
  size_t size;
  double number;
  int64_t integer;
  cr_assert_eq(interlock_channel_send_string(channel, "h\xc3\xa9", 3, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_bytes(channel, "\0x", 2, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_double(channel, 1.5, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_none(channel, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_int64(channel, 1, 0), INTERLOCK_EFULL);

  cr_assert_eq(interlock_channel_recv(channel, &value, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_value_type(value), INTERLOCK_TYPE_STRING);
  cr_assert_eq(interlock_value_as_string(value, &text, &size), INTERLOCK_OK);
  cr_assert_eq(size, 3u);
  cr_assert_str_eq(text, "h\xc3\xa9");
  cr_assert_eq(interlock_value_as_int64(value, &integer), INTERLOCK_ETYPE);
  cr_assert_str_eq(interlock_error_message(), "the value is not an int of 64 bits");
  interlock_value_release(value);

  cr_assert_eq(interlock_channel_recv(channel, &value, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_value_as_bytes(value, &data, &size), INTERLOCK_OK);
  cr_assert(size == 2 && memcmp(data, "\0x", 2) == 0);
  interlock_value_release(value);

  cr_assert_eq(interlock_channel_recv(channel, &value, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_value_as_double(value, &number), INTERLOCK_OK);
  cr_assert_eq(number, 1.5);
  cr_assert_eq(interlock_channel_send_value(channel, value, 1), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_value(channel, value, 1), INTERLOCK_EINVAL);
  interlock_value_release(value);

  cr_assert_eq(interlock_channel_close(channel), INTERLOCK_OK);
  cr_assert_eq(interlock_channel_send_none(channel, 1), INTERLOCK_ECLOSED);
  interlock_channel_release(channel);
  interlock_channel_release(NULL);
}

Test(embed, bad_arguments_are_named) {
  interlock_channel_t *channel;
  cr_assert_eq(interlock_channel_create(SIZE_MAX / 2, &channel), INTERLOCK_EINVAL);
  channel = create_channel(1);
  const char *bad[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
    cr_assert_eq(interlock_channel_send_string(channel, bad[i], strlen(bad[i]), 0), INTERLOCK_EINVAL);
  }
  cr_assert_str_eq(interlock_error_message(), "text is not UTF-8");
  interlock_interpreter_t *interpreter;
  cr_assert_eq(interlock_interpreter_create(NULL, &interpreter), INTERLOCK_ESTATE);
  cr_assert_str_eq(interlock_error_message(), "the runtime has not been started");
  cr_assert_eq(interlock_runtime_end(1), INTERLOCK_ESTATE);
  interlock_channel_release(channel);
}

static void *echo(void *interpreter) {
  int code = interlock_interpreter_run(interpreter, "for x in there: back.send(x * 2)\nback.close()");
  return code == INTERLOCK_OK ? interpreter : NULL;
}

Test(embed, threads_that_python_never_saw_use_interpreters) {
  char *argv[] = {(char *)"program", (char *)"argument"};
  cr_assert_eq(interlock_runtime_start(2, argv), INTERLOCK_OK, "%s", interlock_error_message());
  cr_assert_eq(interlock_runtime_start(0, NULL), INTERLOCK_ESTATE);
  interlock_channel_t *there = create_channel(2), *back = create_channel(2);
  interlock_interpreter_t *interpreter;
  cr_assert_eq(interlock_interpreter_create("echo", &interpreter), INTERLOCK_OK, "%s",
               interlock_error_message());
  cr_assert_eq(interlock_interpreter_run(interpreter, "import sys; assert sys.argv[1] == 'argument'"),
               INTERLOCK_OK, "%s", interlock_error_message());
  cr_assert_eq(interlock_interpreter_give_channel(interpreter, "there", there), INTERLOCK_OK);
  cr_assert_eq(interlock_interpreter_give_channel(interpreter, "back", back), INTERLOCK_OK);
  cr_assert_eq(interlock_interpreter_give_channel(interpreter, "no name", back), INTERLOCK_EINVAL);
  pthread_t thread;
  cr_assert_eq(pthread_create(&thread, NULL, echo, interpreter), 0);
  for (int64_t i = 0; i < 1000; ++i) {
    interlock_value_t *value;
    int64_t twice;
    cr_assert_eq(interlock_channel_send_int64(there, i, 60), INTERLOCK_OK);
    cr_assert_eq(interlock_channel_recv(back, &value, 60), INTERLOCK_OK);
    cr_assert_eq(interlock_value_as_int64(value, &twice), INTERLOCK_OK);
    cr_assert_eq(twice, 2 * i);
    interlock_value_release(value);
  }
  interlock_channel_close(there);
  void *result;
  pthread_join(thread, &result);
  cr_assert_not_null(result);
  cr_assert_eq(interlock_interpreter_run(interpreter, "1 / 0"), INTERLOCK_EPYTHON);
  cr_assert_not_null(strstr(interlock_error_message(), "ZeroDivisionError"));
  cr_assert_eq(interlock_interpreter_close(interpreter, 60), INTERLOCK_OK);
  interlock_channel_release(there);
  interlock_channel_release(back);
  cr_assert_eq(interlock_runtime_end(60), INTERLOCK_OK, "%s", interlock_error_message());
  cr_assert_eq(interlock_interpreter_create(NULL, &interpreter), INTERLOCK_ESTATE);
}

Test(embed, frozen_values_are_read_as_what_they_are) {
  cr_assert_eq(interlock_runtime_start(0, NULL), INTERLOCK_OK, "%s", interlock_error_message());
  interlock_channel_t *channel = create_channel(8);
  interlock_interpreter_t *interpreter;
  cr_assert_eq(interlock_interpreter_create(NULL, &interpreter), INTERLOCK_OK, "%s",
               interlock_error_message());
  cr_assert_eq(interlock_interpreter_give_channel(interpreter, "channel", channel), INTERLOCK_OK);
  const char *const program =
      "from interlock import freeze\n"
      "for each in ('text' * 3, '\\xe9' * 3, '\\ud800' * 3, b'ab' * 3, 2.5 * 3, 1 << 62, 1 << 64, "
      "['x' * 3]):\n"
      "  channel.send(freeze(each))\n";
  cr_assert_eq(interlock_interpreter_run(interpreter, program), INTERLOCK_OK, "%s",
               interlock_error_message());
  cr_assert_eq(interlock_interpreter_close(interpreter, 60), INTERLOCK_OK);
  const interlock_type_t types[] = {
      INTERLOCK_TYPE_STRING, INTERLOCK_TYPE_STRING, INTERLOCK_TYPE_OTHER, INTERLOCK_TYPE_BYTES,
      INTERLOCK_TYPE_DOUBLE, INTERLOCK_TYPE_INT,    INTERLOCK_TYPE_OTHER, INTERLOCK_TYPE_OTHER};
  const char *text;
  size_t size;
  for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
    interlock_value_t *value;
    cr_assert_eq(interlock_channel_recv(channel, &value, 60), INTERLOCK_OK);
    cr_assert_eq(interlock_value_type(value), types[i], "value %zu", i);
    if (i < 2) {
      cr_assert_eq(interlock_value_as_string(value, &text, &size), INTERLOCK_OK);
      cr_assert_str_eq(text, i == 0 ? "texttexttext" : "\xc3\xa9\xc3\xa9\xc3\xa9");
    }
    double number;
    if (i == 4) cr_assert_eq(interlock_value_as_double(value, &number), INTERLOCK_OK);
    if (i == 4) cr_assert_eq(number, 7.5);
    interlock_value_release(value);
  }
  interlock_channel_release(channel);
  cr_assert_eq(interlock_runtime_end(60), INTERLOCK_OK, "%s", interlock_error_message());
}
