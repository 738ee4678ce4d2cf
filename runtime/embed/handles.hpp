// SPDX-License-Identifier: MIT
// What the opaque types of the C ABI hold.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/python_compat.hpp"
#include "channel/channel.hpp"
#include "channel/loop.hpp"
#include "memory/message.hpp"

struct interlock_channel {
  interlock::Ref<interlock::Channel> channel;
};

struct interlock_loop {
  interlock::Ref<interlock::Loop> loop;
};

struct interlock_value {
  interlock::Message message;
  std::optional<std::string> text;   // of a str, once asked for
  mutable interlock::Message plain;  // of a frozen one, by value, once asked for
};

struct interlock_interpreter {
  PyObject *object;  // interlock.Interpreter of the main interpreter; owned
};
