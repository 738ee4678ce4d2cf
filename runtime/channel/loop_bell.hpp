// SPDX-License-Identifier: MIT
// Channels for threads that wait in an event loop rather than for one channel: asyncio's, libuv's,
// any that can wait for a descriptor. A loop has one bell, and each pending operation a waiter. Who
// makes an operation possible hangs its waiter on the bell and rings, once for any number of them
// until the loop has looked.
#pragma once

#include <vector>

#include "channel/channel.hpp"
#include "lock/queued_wait.hpp"
#include "platform/doorbell.hpp"

namespace interlock {

class LoopWaiter;

class LoopBell final : public WakeTarget {
 public:
  /// `as_socket`: see Doorbell.  Errors: kESYSTEM.
  [[nodiscard]] static Result<Ref<LoopBell>> create(bool as_socket);

  /// Readable when take() has something to give.
  [[nodiscard]] std::intptr_t descriptor() const noexcept { return doorbell_.descriptor(); }
  /// The waiters that were chosen since the last time and still wait, in that order; each is to
  /// resume(). Thread: the loop's.  Blocks: never.
  [[nodiscard]] std::vector<Ref<LoopWaiter>> take();
  /// Rings without a waiter, so that the loop looks around.
  void wake() noexcept override { doorbell_.ring(); }
  /// Lets the loop look, as if a waiter had been chosen. Thread: any.  Blocks: never.
  void ring() noexcept;
  /// Forgets who was chosen, also later: those who hang on a bell keep it. Thread: the loop's,
  /// which takes nothing any more.  Blocks: never.
  void close() noexcept;

 private:
  friend class LoopWaiter;
  /// Thread: any.  Blocks: never.
  void hang(LoopWaiter &waiter) noexcept;
  /// Takes one off the list.
  static Ref<LoopWaiter> unhang(LoopWaiter *&list) noexcept;
  /// What hung_ is once it is closed: the address of no waiter.
  [[nodiscard]] LoopWaiter *closed() noexcept { return reinterpret_cast<LoopWaiter *>(this); }

  Doorbell doorbell_;
  Atomic<LoopWaiter *> hung_{nullptr};  // newest first; the list owns a reference to each
  // 1: the loop will look only if it is rung for. Whoever makes it 0 rings.
  Atomic<std::uint32_t> is_armed_{1};
};

/// One operation of a channel on its way. Thread: that of its loop, except for wake().
class LoopWaiter final : public WakeTarget {
 public:
  /// Sends `message`, or receives.
  LoopWaiter(Ref<LoopBell> bell, Ref<Channel> channel, Channel::Direction direction,
             Message message) noexcept;

  /// Tries, and if the operation is not possible yet registers with the channel: kBlocked. kDone
  /// with outcome(). kBusy: another thread is in the middle of it; start again, a little later.
  /// What is over stays so.
  [[nodiscard]] Step start();
  /// After the bell: tries again. As start(). What is over stays so.
  [[nodiscard]] Step resume();
  /// Registers with the channel and does not try; what was over begins again. True if resume() is
  /// not to wait for the bell.
  [[nodiscard]] bool watch();
  /// Gives the operation up; nothing gets lost. Idempotent.
  void cancel();
  /// Whether start() or resume() has said kDone because of outcome(), not of cancel().
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  /// Once it is over: kDone, kClosed, or kFull (a policy).
  [[nodiscard]] Attempt outcome() const noexcept { return outcome_; }
  [[nodiscard]] Channel &channel() noexcept { return *channel_; }
  [[nodiscard]] bool sends() const noexcept { return direction_ == Channel::Direction::kSend; }
  /// What was received, or could not be sent.
  [[nodiscard]] Message &message() noexcept { return message_; }

  void wake() noexcept override { bell_->hang(*this); }

  /// Whatever the loop's side has for it; this class only keeps it.
  void *owner = nullptr;

 private:
  friend class LoopBell;
  ~LoopWaiter() override { cancel(); }
  /// Leaves the channel's queue. True if the other side completed the operation.
  [[nodiscard]] bool leave_queue();
  /// If it was chosen and has not used that: tells the next one in the queue.
  void settle();

  const Ref<LoopBell> bell_;
  const Ref<Channel> channel_;
  const Channel::Direction direction_;
  Message message_;
  Attempt outcome_ = Attempt::kBusy;
  WaitContext context_{*this};
  ChannelWaiter waiter_{context_, 0, message_};
  bool is_watching_ = false;
  bool is_over_ = false;
  bool owes_ = false;  // it was chosen; see settle()
  Atomic<bool> is_hung_{false};
  LoopWaiter *next_hung_ = nullptr;
};

}  // namespace interlock
