// SPDX-License-Identifier: MIT
// The event loops of interlock.hpp.
#include <criterion/criterion.h>
#include <poll.h>

#include "interlock.hpp"

using interlock::Channel;
using interlock::Error;
using interlock::Loop;
using interlock::Value;

namespace {

constexpr double kLimit = 60;

using MaybeValue = std::optional<Value>;

bool rings(const Loop &loop) {
  pollfd each = {static_cast<int>(loop.descriptor()), POLLIN, 0};
  return poll(&each, 1, 0) == 1;
}

}  // namespace

Test(hpp, values_are_sent_and_received, .timeout = kLimit) {
  Loop loop;
  Channel channel(8);
  std::string text;
  int sent = 0;
  const auto count = [&](int code, MaybeValue value) {
    cr_assert(code == INTERLOCK_OK && !value);
    ++sent;
  };
  loop.send(channel, Value::from("text"), count);
  loop.send(channel, Value::from(true), count);
  loop.send(channel, Value::from(1.5), count);
  loop.send(channel, Value::from(7), count);
  loop.send(channel, Value::from(nullptr), count);
  loop.send(channel, Value::from_bytes("ab"), count);
  loop.recv(channel, [&](int, MaybeValue value) { text = value->as_string(); });
  while (rings(loop)) loop.dispatch();
  cr_assert_eq(sent, 6);
  cr_assert_eq(text, "text");
  cr_assert(channel.recv().as_bool());
  cr_assert_eq(channel.recv().as_double(), 1.5);
  cr_assert_eq(channel.recv().as_int64(), 7);
  cr_assert_eq(channel.recv().type(), INTERLOCK_TYPE_NONE);
  cr_assert_eq(channel.recv().as_bytes(), "ab");
}

Test(hpp, a_callback_that_is_cancelled_is_dropped, .timeout = kLimit) {
  Loop loop;
  Channel channel(0);
  const auto held = std::make_shared<int>(0);
  const auto count = [held](int, MaybeValue) { ++*held; };
  const Loop::Operation receive = loop.recv(channel, count);
  cr_assert_eq(held.use_count(), 3);
  cr_assert(loop.cancel(receive));
  cr_assert_eq(held.use_count(), 2);
  cr_assert_not(loop.cancel(receive));
  MaybeValue unsent;
  cr_assert(loop.cancel(loop.send(channel, Value::from(7), count), &unsent));
  cr_assert_eq(unsent->as_int64(), 7);
  cr_assert(loop.cancel(loop.send(channel, Value::from(7), count)));
  loop.recv(channel, count);
  loop = Loop();
  cr_assert_eq(held.use_count(), 2, "the callback ended with its loop");
  cr_assert_eq(*held, 0);
}

Test(hpp, an_exception_of_a_callback_comes_out_of_dispatch, .timeout = kLimit) {
  Loop loop;
  Channel channel(4);
  int calls = 0;
  const auto fail = [&](int, MaybeValue value) {
    ++calls;
    throw std::runtime_error(value->as_string());
  };
  for (const char *text : {"first", "second"}) {
    channel.send(text);
    loop.recv(channel, fail);
  }
  std::string caught;
  try {
    loop.dispatch();
  } catch (const std::runtime_error &error) {
    caught = error.what();
  }
  cr_assert_eq(caught, "first");
  cr_assert_eq(calls, 2);
  loop.dispatch();
}

Test(hpp, a_callback_destroys_its_loop, .timeout = kLimit) {
  auto loop = std::make_unique<Loop>();
  Channel channel(4);
  int calls = 0;
  const auto end = [&](int, MaybeValue) {
    loop.reset();
    ++calls;
    throw std::runtime_error("after its end");
  };
  for (int i = 0; i < 2; ++i) {
    channel.send(i);
    loop->recv(channel, end);
  }
  bool caught = false;
  try {
    loop->dispatch();
  } catch (const std::runtime_error &) {
    caught = true;
  }
  cr_assert(caught && calls == 1);
  cr_assert_eq(channel.recv().as_int64(), 1);
}

Test(hpp, a_loop_moves_with_what_is_pending, .timeout = kLimit) {
  Loop first;
  Channel channel(1);
  int code = 1;
  first.recv(channel, [&](int its_code, MaybeValue) { code = its_code; });
  Loop second = std::move(first);
  channel.close();
  cr_assert(rings(second));
  second.dispatch();
  cr_assert_eq(code, INTERLOCK_ECLOSED);
}
