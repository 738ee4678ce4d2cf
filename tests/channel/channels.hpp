// SPDX-License-Identifier: MIT
// What the tests of channels share.
#pragma once

#include <criterion/criterion.h>

#include <cstdint>
#include <initializer_list>

#include "channel/channel.hpp"

namespace interlock {

constexpr double kLimit = 60;  // seconds after which a test counts as hanging

inline Ref<Channel> create(std::size_t capacity, Channel::Policy policy = Channel::Policy::kWait) {
  auto created = Channel::create(capacity, policy);
  cr_assert(created.ok());
  return created.value();
}

inline Status send_int(Channel &channel, std::int64_t value,
                       Deadline deadline = Deadline::never()) {
  Message message = Message::from_int64(value);
  return channel.send_until(message, deadline);
}

inline std::int64_t recv_int(Channel &channel) {
  Message message;
  cr_assert(channel.recv_until(message, Deadline::never()).ok());
  return *message.as_int64();
}

/// Every kind of channel, by its capacity.
constexpr std::size_t kEveryKind[] = {0, 1, 2, 3, 64, Channel::kUnbounded};

}  // namespace interlock
