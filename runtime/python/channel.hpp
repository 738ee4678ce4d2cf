// SPDX-License-Identifier: MIT
// What the Python faces of channels share: Channel itself, select and asyncio.
#pragma once

#include <span>

#include "channel/channel.hpp"
#include "lock/wait_ladder.hpp"
#include "python/module.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// The channel of a handle, which must be one.
[[nodiscard]] inline Channel &channel_of(PyObject *handle) {
  return static_cast<Channel &>(*reinterpret_cast<HandleObject *>(handle)->shared);
}
/// False with a Python exception if it was made before a fork.
[[nodiscard]] inline bool is_usable_channel(PyObject *handle) {
  return check_process(channel_of(handle), "Channel");
}

/// How long an operation spins inside its interpreter: about what leaving it and coming back costs
/// if other threads want in, and many times that if none does.
constexpr std::int64_t kAttachedSpinNs = 2'000;

/// Tries, and while the other side runs on another processor spins for a moment, unless a thread of
/// this interpreter, a signal or a pending call wants something. True if it is done.
/// Thread: attached.  Blocks: never.
[[nodiscard]] bool attempt_attached(Channel &channel, Channel::Direction direction,
                                    std::span<Message> messages, std::size_t &count);

}  // namespace interlock
