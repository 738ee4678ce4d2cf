// SPDX-License-Identifier: MIT
// A channel of messages: many senders, many receivers, first in first out. Bounded, unbounded, or a
// rendezvous that holds nothing. Knows nothing of Python: a caller that is attached to an
// interpreter leaves it before an operation that may wait. CHANNEL.md argues the design.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "channel/attempt.hpp"
#include "lock/wait_queue.hpp"
#include "memory/message.hpp"
#include "platform/clock.hpp"

namespace interlock {

/// Who waits for a channel's next step. `message`: what it sends or where it receives, where the
/// other side completes the operation by itself (rendezvous, but for an event loop's receiver); a
/// buffered channel leaves it alone.
struct ChannelWaiter : Waiter {
  ChannelWaiter(WaitContext &its_context, std::uint32_t its_index, Message &its_message) noexcept
      : Waiter(its_context, its_index), message(its_message) {}
  Message &message;
  bool served = false;  // guarded by the queue's lock: the operation is done
};

class Channel : public Shared {
 public:
  enum class Direction : std::uint8_t { kSend, kReceive };
  /// What a send does when there is no room: waits, fails with kEFULL, or succeeds after dropping
  /// the oldest message, or the new one.
  enum class Policy : std::uint8_t { kWait, kRefuse, kDropOldest, kDropNewest };
  static constexpr std::size_t kUnbounded = SIZE_MAX;

  /// `capacity`: messages that may wait for a receiver; 0 for a rendezvous; or kUnbounded.
  /// Errors: kEINVAL (kDropOldest needs something to drop; a capacity that no memory could hold),
  /// kENOMEM.
  [[nodiscard]] static Result<Ref<Channel>> create(std::size_t capacity,
                                                   Policy policy = Policy::kWait);

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kChannel; }

  /// Moves `message` in; on any error it is left with the caller.
  /// Thread: any.  Locks: none.  Blocks: never, but for another thread in the middle of the same
  /// cell.  Errors: kEFULL, kECLOSED.
  [[nodiscard]] Status try_send(Message &message);
  /// As try_send, waiting for room.  Locks: none held, no interpreter lock.  Blocks: until
  /// `deadline`. Errors: kETIMEDOUT, kECLOSED, kEINTERRUPTED (a signal or Parker::interrupt;
  /// nothing was sent), kEFULL (policy kRefuse).
  [[nodiscard]] Status send_until(Message &message, Deadline deadline);
  /// Sends all of `messages` in order, several at a time. `sent`: how many were, also on error.
  [[nodiscard]] Status send_many_until(std::span<Message> messages, std::size_t &sent,
                                       Deadline deadline);

  /// Thread: any.  Blocks: as try_send.  Errors: kEEMPTY, kECLOSED (closed and drained).
  [[nodiscard]] Status try_recv(Message &message);
  /// Blocks: until `deadline`.  Errors: kETIMEDOUT, kECLOSED, kEINTERRUPTED (nothing was taken).
  [[nodiscard]] Status recv_until(Message &message, Deadline deadline);
  /// Waits for one message and takes those that are there, `received` of them, at most as many as
  /// `messages` holds.
  [[nodiscard]] Status recv_many_until(std::span<Message> messages, std::size_t &received,
                                       Deadline deadline);

  /// The usual case of send_until() and recv_until(): there is room, or a message, and nobody to
  /// wait behind. False: nothing has happened, and the other side's words were not touched.
  /// `message` is empty where one is received.  Thread: any.  Locks: none.  Blocks: never.
  [[nodiscard]] virtual bool send_now(Message &message) = 0;
  [[nodiscard]] virtual bool recv_now(Message &message) = 0;
  /// Tries once, for callers that must not even wait for another thread: kBusy. Moves or fills
  /// `count` of `messages`, at least one, if kDone. Messages to be filled are empty: what one held
  /// would end under a lock.  Thread: any.  Locks: none.  Blocks: never.
  [[nodiscard]] virtual Attempt attempt(Direction direction, std::span<Message> messages,
                                        std::size_t &count) = 0;
  /// Whether attempt() would do something soon: for spinning. A hint, cheap.
  [[nodiscard]] virtual bool looks_ready(Direction direction) const noexcept = 0;
  /// Pauses that a thread which moves a stream leaves the other side when it has caught up with it:
  /// else both fight for every single cell. 0 if the thread did something else last, perhaps
  /// because somebody waits for its answer.
  [[nodiscard]] virtual int lead(Direction direction) const noexcept = 0;
  /// Whether somebody has waited there for so long that newcomers are to wait behind it: they use
  /// send_until() or recv_until().
  [[nodiscard]] virtual bool must_queue(Direction direction) const noexcept = 0;
  /// The processor that the threads of that side were last seen on; -1 if unknown.
  [[nodiscard]] virtual int processor_of(Direction direction) const noexcept = 0;

  // For waits for several things at once, and for event loops. The caller watches, looks with
  // attempt() (rendezvous: only while its context is not in reach of others), and unwatches.

  /// Puts `waiter` among those that are told of the next chance for `direction`. True if the chance
  /// may be there already. Thread: any.  Blocks: never for long.
  [[nodiscard]] virtual bool watch(Direction direction, ChannelWaiter &waiter) = 0;
  /// Takes it back. True if the operation was completed by the other side: `waiter.message` has
  /// been sent, or received.
  [[nodiscard]] virtual bool unwatch(Direction direction, ChannelWaiter &waiter) = 0;
  /// For who was chosen by this channel and goes away: tells the next one if there is something.
  virtual void pass_on(Direction direction) = 0;

  /// Refuses further sends; receivers drain what is there. Wakes all who wait. Idempotent.
  virtual void close() = 0;
  /// As close(), and drops what is there.
  void cancel();
  [[nodiscard]] virtual bool closed() const = 0;
  [[nodiscard]] virtual std::size_t size() const = 0;
  [[nodiscard]] virtual std::size_t capacity() const noexcept = 0;
  [[nodiscard]] Policy policy() const noexcept { return policy_; }

  /// Counts Senders; the channel closes when the last one is dropped. Thread: any.
  void add_sender() noexcept { ++senders_; }
  void drop_sender() {
    if (--senders_ == 0) close();
  }

  struct Stats {
    std::uint64_t sent;  // received, dropped, or still there
    std::uint64_t received;
    std::uint64_t dropped;     // by a policy or cancel()
    std::uint64_t send_waits;  // send_until() and its like that slept; not select, nor loops
    std::uint64_t recv_waits;
  };
  [[nodiscard]] virtual Stats stats() const noexcept = 0;

  /// What the one who has this number, an interpreter, has sent here. Whoever sends counts.
  /// Thread: any; the tally is its owner's to change.
  [[nodiscard]] Tally &tally_of(std::int64_t owner);
  /// What all of them have.
  [[nodiscard]] Contents sent_contents() const noexcept;

 protected:
  explicit Channel(Policy policy) noexcept : policy_(policy) {}
  ~Channel() override;
  /// Waits until attempt() has done something.
  [[nodiscard]] virtual Status transfer_until(Direction direction, std::span<Message> messages,
                                              std::size_t &count, Deadline deadline) = 0;

  /// What was just popped was not received but dropped.
  virtual void count_dropped() noexcept = 0;

 private:
  [[nodiscard]] Status try_transfer(Direction direction, Message &message);

  struct OwnedTally {
    const std::int64_t owner;
    Tally tally;
    OwnedTally *next = nullptr;
  };

  const Policy policy_;
  Atomic<std::size_t> senders_{0};
  Atomic<OwnedTally *> tallies_{nullptr};  // newest first; they stay
};

/// What the calling thread did last with a buffered channel: its address and, in bit 0, the
/// direction. Who does the same again and again moves a stream; who alternates has somebody waiting
/// for an answer.
inline thread_local std::uintptr_t last_operation = 0;

/// The Status for an Attempt that was none of kDone and kBusy.
[[nodiscard]] Code code_of(Attempt attempt) noexcept;

}  // namespace interlock
