// SPDX-License-Identifier: MIT
// A channel over a buffer (Ring or Chain), which is lock-free or nearly so: the queues of waiters
// are touched only when somebody sleeps. CHANNEL.md argues why no wake-up is lost.
#pragma once

#include <algorithm>

#include "channel/channel.hpp"
#include "lock/parker.hpp"
#include "lock/wait_ladder.hpp"
#include "platform/thread.hpp"

namespace interlock {

template <typename Buffer>
class BufferedChannel final : public Channel {
 public:
  template <typename... Args>
  explicit BufferedChannel(Policy policy, Args... args) : Channel(policy), buffer_(args...) {}
  [[nodiscard]] bool is_valid() const noexcept { return buffer_.is_valid(); }

  [[nodiscard]] Attempt attempt(Direction direction, std::span<Message> messages,
                                std::size_t &count) override {
    return direction == Direction::kSend ? push(messages, count) : pop(messages, count);
  }
  [[nodiscard]] bool looks_ready(Direction direction) const noexcept override {
    return direction == Direction::kSend ? buffer_.looks_pushable() : buffer_.looks_poppable();
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
  void give_back(Message) override {}  // its waiters take messages themselves: none is ever lost

  void close() override {
    if (!buffer_.close()) return;
    receivers_.queue.notify_all();
    senders_.queue.notify_all();
  }
  [[nodiscard]] bool closed() const override { return buffer_.is_closed(); }
  [[nodiscard]] std::size_t size() const override { return buffer_.size(); }
  [[nodiscard]] std::size_t capacity() const noexcept override { return buffer_.capacity(); }
  [[nodiscard]] Stats stats() const noexcept override {
    const std::uint64_t dropped = dropped_;
    const std::uint64_t popped = buffer_.popped();
    return {buffer_.pushed(), popped - dropped_oldest_, dropped, senders_.waits, receivers_.waits};
  }

 protected:
  [[nodiscard]] Status transfer_until(Direction direction, std::span<Message> messages,
                                      std::size_t &count, Deadline deadline) override;

 private:
  /// What belongs to the senders, or to the receivers. The other side reads `queue` at each step
  /// and `processor` when it waits.
  struct alignas(64) Side {
    WaitQueue queue;
    Atomic<int> processor{-1};
    Atomic<std::uint64_t> waits{0};
  };
  class Wait;

  [[nodiscard]] Side &side_of(Direction direction) noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] const Side &side_of(Direction direction) const noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] bool may(Direction direction) const noexcept {
    return direction == Direction::kSend ? buffer_.may_push() : buffer_.may_pop();
  }
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
    Attempt attempt;
    if (messages.size() == 1) {
      attempt = buffer_.try_push(messages[0]);
      count = 1;
    } else {
      attempt = buffer_.try_push_many(messages, count);
    }
    if (attempt != Attempt::kDone) return attempt;
    note_processor(senders_);
    // Nobody needs to be woken for what another receiver has already taken.
    if (receivers_.queue.has_waiters() && buffer_.may_pop()) receivers_.queue.notify(count);
    return attempt;
  }
  [[nodiscard]] Attempt push_dropping(std::span<Message> messages, std::size_t &count);
  [[nodiscard]] Attempt pop(std::span<Message> messages, std::size_t &count) {
    Attempt attempt;
    if (messages.size() == 1) {
      attempt = buffer_.try_pop(messages[0]);
      count = 1;
    } else {
      attempt = buffer_.try_pop_many(messages, count);
    }
    if (attempt != Attempt::kDone) return attempt;
    note_processor(receivers_);
    if (senders_.queue.has_waiters() && buffer_.may_push()) senders_.queue.notify(count);
    return attempt;
  }

  Side senders_;
  Side receivers_;
  Buffer buffer_;
  Atomic<std::uint64_t> dropped_{0};
  Atomic<std::uint64_t> dropped_oldest_{0};
};

template <typename Buffer>
Attempt BufferedChannel<Buffer>::push_dropping(std::span<Message> messages, std::size_t &count) {
  if (policy() == Policy::kDropNewest) {
    for (Message &message : messages) message = Message();
    count = messages.size();
    dropped_ += count;
    return Attempt::kDone;
  }
  for (;;) {
    Message oldest;
    const Attempt popped = buffer_.try_pop(oldest);
    if (popped == Attempt::kBusy) return popped;
    if (popped == Attempt::kDone) {
      ++dropped_;
      ++dropped_oldest_;
    }
    const Attempt pushed = push_once(messages, count);
    if (pushed != Attempt::kFull) return pushed;
  }
}

/// One operation that has to wait: its place in the queue, and what it owes to others when it ends.
template <typename Buffer>
class BufferedChannel<Buffer>::Wait {
 public:
  Wait(BufferedChannel &channel, Direction direction) noexcept
      : channel_(channel),
        direction_(direction),
        queue_(channel.side_of(direction).queue),
        must_queue_(queue_.is_starving()) {}
  Wait(const Wait &) = delete;
  Wait &operator=(const Wait &) = delete;
  ~Wait() {
    if (is_starving_) queue_.end_starving();
    // Whoever was chosen, or kept others from looking, tells the next one that there is something.
    if (was_chosen_ || is_starving_) channel_.pass_on(direction_);
  }

  [[nodiscard]] Attempt run(std::span<Message> messages, std::size_t &count, Deadline deadline,
                            WaitResult &result);

 private:
  // How long somebody may be overtaken by newcomers before these have to queue up behind it.
  static constexpr std::int64_t kPatienceNs = 1'000'000;

  /// Registered: looks once more, then sleeps. What attempt() gave, kBusy to be asked again.
  [[nodiscard]] Attempt sleep(std::span<Message> messages, std::size_t &count, Deadline deadline,
                              WaitResult &result);
  void leave_queue() noexcept {
    if (queue_.remove(waiter_)) return;
    was_chosen_ = true;
    must_queue_ = false;
  }
  void note_overtaken() noexcept;

  BufferedChannel &channel_;
  const Direction direction_;
  WaitQueue &queue_;
  WaitContext context_;
  Waiter waiter_{context_};
  BusyLadder busy_;
  std::int64_t since_ns_ = 0;  // of the first sleep
  bool must_queue_;            // somebody starves: this one must not overtake it
  bool was_chosen_ = false;
  bool is_starving_ = false;
};

template <typename Buffer>
Attempt BufferedChannel<Buffer>::Wait::run(std::span<Message> messages, std::size_t &count,
                                           Deadline deadline, WaitResult &result) {
  const Direction peer = direction_ == Direction::kSend ? Direction::kReceive : Direction::kSend;
  WaitLadder ladder(channel_.processor_of(peer), deadline);
  const auto looks_ready = [this]() noexcept { return channel_.looks_ready(direction_); };
  for (;;) {
    if (!must_queue_) {
      const Attempt attempt = channel_.attempt(direction_, messages, count);
      if (attempt == Attempt::kBusy) {
        if (busy_.climb()) continue;
      } else if (attempt != Attempt::kFull && attempt != Attempt::kEmpty) {
        return attempt;
      } else if (channel_.policy() == Policy::kRefuse && attempt == Attempt::kFull) {
        return attempt;
      } else if (ladder.climb(looks_ready)) {
        continue;
      }
      note_overtaken();
    }
    const Attempt attempt = sleep(messages, count, deadline, result);
    if (attempt != Attempt::kBusy) return attempt;
    if (result != WaitResult::kWoken) return attempt;
  }
}

template <typename Buffer>
Attempt BufferedChannel<Buffer>::Wait::sleep(std::span<Message> messages, std::size_t &count,
                                             Deadline deadline, WaitResult &result) {
  Parker &parker = Parker::current();
  context_.rearm();
  queue_.add(waiter_, was_chosen_);
  Deadline until = deadline;
  must_queue_ = must_queue_ && queue_.is_starving();
  result = WaitResult::kWoken;
  if (!must_queue_ && channel_.may(direction_)) {
    const Attempt attempt = channel_.attempt(direction_, messages, count);
    if (attempt != Attempt::kBusy) {
      leave_queue();
      // Empty, or full, again: another thread was faster.
      return attempt == Attempt::kFull || attempt == Attempt::kEmpty ? Attempt::kBusy : attempt;
    }
    // Who is in the middle of that cell may look for sleepers before its last store can be seen.
    until.ns = std::min(until.ns, busy_.next_look().ns);
  }
  if (since_ns_ == 0) {
    since_ns_ = monotonic_ns();
    // Relaxed: a statistic.
    fetch_add_relaxed(channel_.side_of(direction_).waits, 1);
  }
  do {
    result = parker.sleep_until(until);
  } while (result == WaitResult::kWoken && context_.choice() == WaitContext::kWaiting);
  leave_queue();
  if (context_.choice() != WaitContext::kWaiting) {
    // An interrupt that came with the choice is for the next wait: nothing gets lost.
    if (result == WaitResult::kInterrupted) parker.interrupt();
    result = WaitResult::kWoken;
  } else if (result == WaitResult::kTimedOut && !deadline.passed()) {
    result = WaitResult::kWoken;  // only the next look
  }
  return Attempt::kBusy;
}

/// After an attempt that failed: was this one woken for something that another has taken?
template <typename Buffer>
void BufferedChannel<Buffer>::Wait::note_overtaken() noexcept {
  if (!was_chosen_ || is_starving_ || monotonic_ns() - since_ns_ < kPatienceNs) return;
  is_starving_ = true;
  queue_.begin_starving();
}

template <typename Buffer>
Status BufferedChannel<Buffer>::transfer_until(Direction direction, std::span<Message> messages,
                                               std::size_t &count, Deadline deadline) {
  if (!side_of(direction).queue.is_starving()) {
    const Attempt attempt = this->attempt(direction, messages, count);
    if (attempt == Attempt::kDone) return {};
  }
  Wait wait(*this, direction);
  WaitResult result = WaitResult::kWoken;
  const Attempt attempt = wait.run(messages, count, deadline, result);
  if (attempt != Attempt::kBusy) return code_of(attempt);
  return result == WaitResult::kTimedOut ? Code::kETIMEDOUT : Code::kEINTERRUPTED;
}

}  // namespace interlock
