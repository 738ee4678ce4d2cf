// SPDX-License-Identifier: MIT
#include "channel/rendezvous.hpp"

#include <utility>

#include "platform/thread.hpp"

namespace interlock {

ChannelWaiter *RendezvousChannel::serve_locked(Side &side, Wakeup &wakeup) {
  auto *const waiter = static_cast<ChannelWaiter *>(side.list.choose(wakeup));
  side.waiting = side.list.size();
  if (waiter != nullptr) waiter->served = true;
  return waiter;
}

Attempt RendezvousChannel::send_locked(Message &message, Wakeup &wakeup, Message &dropped) {
  if (closed_) return Attempt::kClosed;
  if (ChannelWaiter *const receiver = serve_locked(receivers_, wakeup)) {
    receiver->message = std::move(message);
    ++received_;
  } else if (policy() == Policy::kDropNewest) {
    dropped = std::move(message);
    ++dropped_;
    return Attempt::kDone;
  } else {
    return Attempt::kFull;
  }
  ++sent_;
  return Attempt::kDone;
}

Attempt RendezvousChannel::recv_locked(Message &message, Wakeup &wakeup) {
  if (!returned_.empty()) {
    message = std::move(returned_.front());
    returned_.pop_front();
  } else if (ChannelWaiter *const sender = serve_locked(senders_, wakeup)) {
    message = std::move(sender->message);
    ++sent_;
  } else {
    return closed_ ? Attempt::kClosed : Attempt::kEmpty;
  }
  ++received_;
  return Attempt::kDone;
}

Attempt RendezvousChannel::attempt(Direction direction, std::span<Message> messages,
                                   std::size_t &count) {
  count = 0;
  Attempt attempt = Attempt::kDone;
  while (count < messages.size() && attempt == Attempt::kDone) {
    Wakeup wakeup;
    Message dropped;  // ends after the lock's
    {
      MutexGuard guard(mutex_);
      attempt = direction == Direction::kSend ? send_locked(messages[count], wakeup, dropped)
                                              : recv_locked(messages[count], wakeup);
    }
    wakeup.deliver();
    if (attempt == Attempt::kDone) ++count;
  }
  return count != 0 ? Attempt::kDone : attempt;
}

void RendezvousChannel::add_locked(Side &side, ChannelWaiter &waiter) {
  waiter.served = false;
  side.list.push_back(waiter);
  side.waiting = side.list.size();
}

void RendezvousChannel::remove_locked(Side &side, ChannelWaiter &waiter) {
  side.list.remove(waiter);
  side.waiting = side.list.size();
}

bool RendezvousChannel::watch(Direction direction, ChannelWaiter &waiter) {
  MutexGuard guard(mutex_);
  add_locked(side_of(direction), waiter);
  // A select may stand on both sides; it cannot meet itself.
  const bool can_meet = peers_of(direction).list.has_other(waiter.context);
  return can_meet || closed_ || (direction == Direction::kReceive && !returned_.empty());
}

bool RendezvousChannel::unwatch(Direction direction, ChannelWaiter &waiter) {
  MutexGuard guard(mutex_);
  remove_locked(side_of(direction), waiter);
  return waiter.served;
}

void RendezvousChannel::give_back(Message message) {
  Wakeup wakeup;
  {
    MutexGuard guard(mutex_);
    if (ChannelWaiter *const receiver = serve_locked(receivers_, wakeup)) {
      receiver->message = std::move(message);
    } else {
      returned_.push_front(std::move(message));
      --received_;
    }
  }
  wakeup.deliver();
}

Status RendezvousChannel::transfer_until(Direction direction, std::span<Message> messages,
                                         std::size_t &count, Deadline deadline) {
  Side &own = side_of(direction);
  const int processor = current_processor();
  WaitContext context;
  ChannelWaiter waiter(context, 0, messages[0]);
  Wakeup wakeup;
  Message dropped;  // ends after the lock's
  Attempt attempt;
  {
    MutexGuard guard(mutex_);
    store_relaxed(own.processor, processor);  // Relaxed: a hint
    attempt = direction == Direction::kSend ? send_locked(messages[0], wakeup, dropped)
                                            : recv_locked(messages[0], wakeup);
    const bool refuses = direction == Direction::kSend && policy() == Policy::kRefuse;
    if ((attempt == Attempt::kFull || attempt == Attempt::kEmpty) && !refuses) {
      add_locked(own, waiter);
      ++own.waits;
      attempt = Attempt::kBusy;
    }
  }
  wakeup.deliver();
  count = 1;
  if (attempt != Attempt::kBusy) return code_of(attempt);

  const int peer = load_relaxed(peers_of(direction).processor);  // Relaxed: a hint
  const WaitResult result = wait_for_choice(context, peer, deadline);
  const bool served = unwatch(direction, waiter);
  const bool was_chosen = context.choice() != WaitContext::kWaiting;
  // An interrupt that came with the choice is for the caller's next wait: nothing gets lost.
  if (was_chosen && result == WaitResult::kInterrupted) Parker::current().interrupt();
  if (served) return {};
  if (was_chosen) return Code::kECLOSED;
  return result == WaitResult::kTimedOut ? Code::kETIMEDOUT : Code::kEINTERRUPTED;
}

void RendezvousChannel::close() {
  MutexGuard guard(mutex_);
  if (std::exchange(closed_, true)) return;
  Wakeup wakeup;
  for (Side *const side : {&senders_, &receivers_}) {
    while (side->list.choose(wakeup) != nullptr) wakeup.deliver();
    side->waiting = 0;
  }
}

bool RendezvousChannel::closed() const {
  MutexGuard guard(mutex_);
  return closed_;
}

std::size_t RendezvousChannel::size() const {
  MutexGuard guard(mutex_);
  return returned_.size();
}

Channel::Stats RendezvousChannel::stats() const noexcept {
  MutexGuard guard(mutex_);
  return {sent_ + dropped_, received_, dropped_, senders_.waits, receivers_.waits};
}

}  // namespace interlock
