// SPDX-License-Identifier: MIT
// A bounded channel of messages: many senders, many receivers, first in first out. Knows nothing of
// Python: a caller that is attached to an interpreter leaves it before an operation that may wait.
// Lock: mutex_ (kChannel) guards everything below it.
#pragma once

#include <cstddef>
#include <deque>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"
#include "memory/message.hpp"

namespace interlock {

class Channel final : public Shared {
 public:
  /// `capacity`: messages that may wait for a receiver; at least 1.
  explicit Channel(std::size_t capacity);

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kChannel; }

  /// Moves `message` in; on any error it is left with the caller.
  /// Thread: any.  Locks: none.  Blocks: never.  Errors: kEFULL, kECLOSED.
  [[nodiscard]] Status try_send(Message &message);
  /// As try_send, waiting for room.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
  /// Errors: kETIMEDOUT, kECLOSED, kEINTERRUPTED (a signal or Parker::interrupt; nothing was sent).
  [[nodiscard]] Status send_until(Message &message, Deadline deadline);

  /// Thread: any.  Blocks: never.  Errors: kEEMPTY, kECLOSED (closed and drained).
  [[nodiscard]] Status try_recv(Message &message);
  /// Blocks: until `deadline`.  Errors: kETIMEDOUT, kECLOSED, kEINTERRUPTED (nothing was taken).
  [[nodiscard]] Status recv_until(Message &message, Deadline deadline);

  /// Refuses further sends; receivers drain what is there. Wakes all who wait. Idempotent.
  void close();
  [[nodiscard]] bool closed() const;
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  struct Waiter;
  // see channel.cpp
  ~Channel() override;
  const std::size_t capacity_;
  mutable Mutex mutex_{LockRank::kChannel};
  std::deque<Message> messages_;
  bool closed_ = false;
  Waiter *senders_ = nullptr;    // first of those waiting for room
  Waiter *receivers_ = nullptr;  // first of those waiting for a message
};

}  // namespace interlock
