// SPDX-License-Identifier: MIT
// Waits for the first of several channel operations that is possible, and does it. One WaitContext
// stands in the queues of all the channels for as long as the call takes, so that the cost does not
// depend on earlier calls.
#pragma once

#include <cstddef>
#include <span>

#include "channel/channel.hpp"

namespace interlock {

struct SelectCase {
  /// Null for a timer.
  Channel *channel = nullptr;
  Channel::Direction direction = Channel::Direction::kReceive;
  /// What is sent, or where it is received.
  Message *message = nullptr;
  /// Of a timer: when it becomes ready.
  Deadline at{};
};

/// Does the first of `cases` that is possible: `index` says which. Of several possible ones, the
/// first if `biased`, else the first from a place on that moves on with each call of the thread.
/// Thread: any.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
/// A send does what the channel's policy says: with kRefuse it fails, if no other case is possible.
/// Errors: kECLOSED (the channel of case `index` is closed), kEFULL (it refuses), kETIMEDOUT,
/// kEINTERRUPTED, kEINVAL (no cases, and no deadline); nothing was sent or taken then.
[[nodiscard]] Status select_until(std::span<SelectCase> cases, bool biased, Deadline deadline,
                                  std::size_t &index);
/// As select_until, but never waits: kEEMPTY if nothing is possible, or another thread is in the
/// middle of it. Thread: any, also inside an interpreter.
[[nodiscard]] Status try_select(std::span<SelectCase> cases, bool biased, std::size_t &index);

}  // namespace interlock
