// SPDX-License-Identifier: MIT
// A channel that holds nothing: a sender and a receiver meet, and the one that comes second moves
// the message from hand to hand, so that who is chosen is served. But an event loop's receiver is
// only told, and comes to take the message: a task that is cancelled meanwhile has taken nothing.
// Lock: mutex_ (kChannel) guards everything below it, and the waiters in the lists.
#pragma once

#include "channel/channel.hpp"
#include "lock/mutex.hpp"

namespace interlock {

class RendezvousChannel final : public Channel {
 public:
  explicit RendezvousChannel(Policy policy) noexcept : Channel(policy) {}

  [[nodiscard]] bool send_now(Message &) override { return false; }
  [[nodiscard]] bool recv_now(Message &) override { return false; }
  [[nodiscard]] Attempt attempt(Direction direction, std::span<Message> messages,
                                std::size_t &count) override;
  [[nodiscard]] bool looks_ready(Direction direction) const noexcept override {
    return peers_of(direction).waiting != 0;
  }
  [[nodiscard]] int lead(Direction) const noexcept override { return 0; }
  [[nodiscard]] bool must_queue(Direction) const noexcept override { return false; }
  [[nodiscard]] int processor_of(Direction direction) const noexcept override {
    // Relaxed: a hint for how to wait.
    return load_relaxed(side_of(direction).processor);
  }
  [[nodiscard]] bool watch(Direction direction, ChannelWaiter &waiter) override;
  [[nodiscard]] bool unwatch(Direction direction, ChannelWaiter &waiter) override;
  void pass_on(Direction direction) override;
  void close() override;
  [[nodiscard]] bool closed() const override;
  [[nodiscard]] std::size_t size() const override { return 0; }
  [[nodiscard]] std::size_t capacity() const noexcept override { return 0; }
  [[nodiscard]] Stats stats() const noexcept override;

 protected:
  void count_dropped() noexcept override {}  // there is never anything to drop
  [[nodiscard]] Status transfer_until(Direction direction, std::span<Message> messages,
                                      std::size_t &count, Deadline deadline) override;

 private:
  struct Side {
    WaitList list;
    Atomic<std::uint32_t> waiting{0};  // list.size(), for looks_ready()
    Atomic<int> processor{-1};
    std::uint64_t waits = 0;
  };
  [[nodiscard]] Side &side_of(Direction direction) noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] const Side &side_of(Direction direction) const noexcept {
    return direction == Direction::kSend ? senders_ : receivers_;
  }
  [[nodiscard]] const Side &peers_of(Direction direction) const noexcept {
    return direction == Direction::kSend ? receivers_ : senders_;
  }
  [[nodiscard]] Attempt send_locked(Message &message, Wakeup &wakeup, Message &dropped);
  [[nodiscard]] Attempt recv_locked(Message &message, Wakeup &wakeup);
  /// The longest waiting one of `side`, marked as served; null if nobody waits there but receivers
  /// of event loops.
  [[nodiscard]] ChannelWaiter *serve_locked(Side &side, Wakeup &wakeup);
  /// Lets the longest waiting receiver, an event loop's, look again: `sender` waits. Not a receiver
  /// of the same select.
  void tell_receiver_locked(const WaitContext &sender, Wakeup &wakeup);
  void add_locked(Side &side, ChannelWaiter &waiter);
  void remove_locked(Side &side, ChannelWaiter &waiter);

  mutable Mutex mutex_{LockRank::kChannel};
  Side senders_;
  Side receivers_;
  bool closed_ = false;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace interlock
