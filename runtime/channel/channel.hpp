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
  explicit Channel(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kChannel; }

  /// Moves `message` in; on any error it is left with the caller.
  /// Thread: any.  Locks: none.  Blocks: never.  Errors: kEFULL, kECLOSED.
  [[nodiscard]] Status try_send(Message &message);
  /// As try_send, waiting for room.  Locks: none held, no interpreter lock.  Blocks: until
  /// `deadline`. Errors: kETIMEDOUT, kECLOSED, kEINTERRUPTED (a signal or Parker::interrupt;
  /// nothing was sent).
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
  /// A thread that waits, on its own stack; in the list for as long as it has not been chosen.
  struct Waiter {
    Parker *parker;
    Message *message;  // what it sends, or where it receives
    bool chosen = false;
    Status outcome{};  // of the choice: success, or kECLOSED
    Waiter *next = nullptr;
  };
  /// Waiting threads, the longest first.
  class WaiterList {
   public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    void append(Waiter &waiter) noexcept;
    void remove(Waiter &waiter) noexcept;
    /// Takes the first one out and wakes it with `outcome`; its message was handled before.
    void choose_first(Status outcome);
    [[nodiscard]] Waiter &first() noexcept { return *first_; }

   private:
    Waiter *first_ = nullptr;
    Waiter **last_ = &first_;
  };

  [[nodiscard]] Status try_send_locked(Message &message);
  [[nodiscard]] Status try_recv_locked(Message &message);
  template <typename Attempt>
  [[nodiscard]] Status wait(WaiterList &list, Message &message, Deadline deadline, Code would_block,
                            Attempt attempt);

  const std::size_t capacity_;
  mutable Mutex mutex_{LockRank::kChannel};
  std::deque<Message> messages_;
  bool closed_ = false;
  WaiterList senders_;    // wait for room; then messages_ is full
  WaiterList receivers_;  // wait for a message; then messages_ is empty
};

}  // namespace interlock
