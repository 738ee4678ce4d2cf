// SPDX-License-Identifier: MIT
// A channel over a buffer (Ring or Chain), which is lock-free or nearly so: the queues of waiters
// are touched only when somebody sleeps. CHANNEL.md argues why no wake-up is lost.
#pragma once

#include <algorithm>

#include "channel/channel.hpp"
#include "lock/queued_wait.hpp"
#include "platform/thread.hpp"

namespace interlock {

template <typename Buffer>
class BufferedChannel final : public Channel {
 public:
  template <typename... Args>
  explicit BufferedChannel(Policy policy, Args... args) : Channel(policy), buffer_(args...) {}
  [[nodiscard]] bool is_valid() const noexcept { return buffer_.is_valid(); }

  [[nodiscard]] bool send_now(Message &message) override {
    if (senders_.queue.is_starving() || !buffer_.push_if_free(message)) return false;
    after_push(1);
    return true;
  }
  [[nodiscard]] bool recv_now(Message &message) override {
    if (receivers_.queue.is_starving() || !buffer_.pop_if_filled(message)) return false;
    after_pop(1);
    return true;
  }
  [[nodiscard]] Attempt attempt(Direction direction, std::span<Message> messages,
                                std::size_t &count) override {
    return direction == Direction::kSend ? push(messages, count) : pop(messages, count);
  }
  [[nodiscard]] bool looks_ready(Direction direction) const noexcept override {
    if (direction == Direction::kReceive) return buffer_.looks_poppable();
    return policy() != Policy::kWait || buffer_.looks_pushable();
  }
  [[nodiscard]] int lead(Direction direction) const noexcept override {
    if (last_operation != operation(direction)) return 0;
    // Enough for an eighth of the buffer, at a pause each; longer leads gain nothing.
    constexpr std::size_t kMost = 80;
    return static_cast<int>(std::min(buffer_.capacity() / 8, kMost));
  }
  [[nodiscard]] bool must_queue(Direction direction) const noexcept override {
    return side_of(direction).queue.is_starving();
  }
  [[nodiscard]] int processor_of(Direction direction) const noexcept override {
    // Relaxed: a hint for how to wait.
    return load_relaxed(side_of(direction).processor);
  }

  [[nodiscard]] bool watch(Direction direction, ChannelWaiter &waiter) override {
    side_of(direction).queue.add(waiter);
    return may(direction);
  }
  [[nodiscard]] bool unwatch(Direction direction, ChannelWaiter &waiter) override {
    side_of(direction).queue.remove(waiter);
    return false;
  }
  void pass_on(Direction direction) override {
    WaitQueue &queue = side_of(direction).queue;
    if (queue.has_waiters() && may(direction)) queue.notify_one();
  }

  void close() override {
    if (!buffer_.close()) return;
    receivers_.queue.notify_all();
    senders_.queue.notify_all();
  }
  [[nodiscard]] bool closed() const override { return buffer_.is_closed(); }
  [[nodiscard]] std::size_t size() const override { return buffer_.size(); }
  [[nodiscard]] std::size_t capacity() const noexcept override { return buffer_.capacity(); }
  [[nodiscard]] Stats stats() const noexcept override {
    const std::uint64_t refused = dropped_newest_;
    const std::uint64_t popped_in_vain = dropped_;  // before popped(): never more than that
    return {buffer_.pushed() + refused, buffer_.popped() - popped_in_vain, refused + popped_in_vain,
            senders_.queue.sleeps(), receivers_.queue.sleeps()};
  }

 protected:
  void count_dropped() noexcept override { ++dropped_; }
  [[nodiscard]] Status transfer_until(Direction direction, std::span<Message> messages,
                                      std::size_t &count, Deadline deadline) override;

 private:
  /// What belongs to the senders, or to the receivers. The other side reads `queue` at each step
  /// and `processor` when it waits.
  struct alignas(64) Side {
    WaitQueue queue;
    Atomic<int> processor{-1};
  };
  struct Source;

  [[nodiscard]] Side &side_of(Direction direction) noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] const Side &side_of(Direction direction) const noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] std::uintptr_t operation(Direction direction) const noexcept {
    return reinterpret_cast<std::uintptr_t>(this) | (direction == Direction::kSend ? 1 : 0);
  }
  [[nodiscard]] bool may(Direction direction) const noexcept {
    return direction == Direction::kSend ? buffer_.may_push() : buffer_.may_pop();
  }
  /// Where this side runs. Before each wait, and now and then, since asking costs as much as a
  /// push.
  static void note_processor(Side &side) noexcept {
    const int processor = current_processor();
    // Relaxed: a hint. Written only when it changes, so that the line stays shared.
    if (load_relaxed(side.processor) != processor) store_relaxed(side.processor, processor);
  }

  [[nodiscard]] Attempt push(std::span<Message> messages, std::size_t &count) {
    const Attempt attempt = push_once(messages, count);
    if (attempt != Attempt::kFull || policy() == Policy::kWait || policy() == Policy::kRefuse)
      return attempt;
    return push_dropping(messages, count);
  }
  [[nodiscard]] Attempt push_once(std::span<Message> messages, std::size_t &count) {
    count = 0;
    Attempt attempt;
    if (messages.size() == 1) {
      attempt = buffer_.try_push(messages[0]);
      if (attempt == Attempt::kDone) count = 1;
    } else {
      attempt = buffer_.try_push_many(messages, count);
    }
    if (attempt == Attempt::kDone) after_push(count);
    return attempt;
  }
  void after_push(std::size_t count) {
    last_operation = operation(Direction::kSend);
    if (buffer_.is_sixteenth_push()) note_processor(senders_);
    // Nobody needs to be woken for what another receiver has already taken.
    if (receivers_.queue.has_waiters() && buffer_.may_pop()) receivers_.queue.notify(count);
  }
  [[nodiscard]] Attempt push_dropping(std::span<Message> messages, std::size_t &count);
  [[nodiscard]] Attempt pop(std::span<Message> messages, std::size_t &count) {
    count = 0;
    Attempt attempt;
    if (messages.size() == 1) {
      attempt = buffer_.try_pop(messages[0]);
      if (attempt == Attempt::kDone) count = 1;
    } else {
      attempt = buffer_.try_pop_many(messages, count);
    }
    if (attempt == Attempt::kDone) after_pop(count);
    return attempt;
  }
  void after_pop(std::size_t count) {
    last_operation = operation(Direction::kReceive);
    if (buffer_.is_sixteenth_pop()) note_processor(receivers_);
    if (senders_.queue.has_waiters() && buffer_.may_push()) senders_.queue.notify(count);
  }

  Side senders_;
  Side receivers_;
  Buffer buffer_;
  Atomic<std::uint64_t> dropped_{0};         // after they had been in the buffer
  Atomic<std::uint64_t> dropped_newest_{0};  // instead
};

template <typename Buffer>
Attempt BufferedChannel<Buffer>::push_dropping(std::span<Message> messages, std::size_t &count) {
  if (policy() == Policy::kDropNewest) {
    for (Message &message : messages) message = Message();
    count = messages.size();
    dropped_newest_ += count;
    return Attempt::kDone;
  }
  for (;;) {
    Message oldest;
    const Attempt popped = buffer_.try_pop(oldest);
    if (popped == Attempt::kBusy) return popped;
    if (popped == Attempt::kDone) ++dropped_;
    const Attempt pushed = push_once(messages, count);
    if (pushed != Attempt::kFull) return pushed;
  }
}

/// What an operation of one side waits for.
template <typename Buffer>
struct BufferedChannel<Buffer>::Source {
  BufferedChannel &channel;
  Direction direction;
  std::span<Message> messages;
  std::size_t &count;
  Attempt &outcome;

  [[nodiscard]] Step attempt() {
    outcome = channel.attempt(direction, messages, count);
    if (outcome == Attempt::kBusy) return Step::kBusy;
    const bool refuses = channel.policy() == Policy::kRefuse;
    const bool is_blocked = (outcome == Attempt::kFull && !refuses) || outcome == Attempt::kEmpty;
    return is_blocked ? Step::kBlocked : Step::kDone;
  }
  [[nodiscard]] bool may() const noexcept { return channel.may(direction); }
  [[nodiscard]] int lead() const noexcept { return channel.lead(direction); }
  [[nodiscard]] bool looks_ready() const noexcept { return channel.looks_ready(direction); }
};

template <typename Buffer>
Status BufferedChannel<Buffer>::transfer_until(Direction direction, std::span<Message> messages,
                                               std::size_t &count, Deadline deadline) {
  Side &own = side_of(direction);
  if (looks_ready(direction) && !must_queue(direction) &&
      attempt(direction, messages, count) == Attempt::kDone)
    return {};
  note_processor(own);
  const Direction other = direction == Direction::kSend ? Direction::kReceive : Direction::kSend;
  Attempt outcome = Attempt::kBusy;
  QueuedWait wait(own.queue, Source{*this, direction, messages, count, outcome});
  const Code code = wait.run(processor_of(other), deadline);
  return code == Code::kOk ? code_of(outcome) : code;
}

}  // namespace interlock
