// SPDX-License-Identifier: MIT
#include "channel/rendezvous.hpp"

#include <utility>

#include "platform/thread.hpp"

namespace interlock {

ChannelWaiter *RendezvousChannel::serve_locked(Side &side, Wakeup &wakeup) {
  ChannelWaiter *served = nullptr;
  while (served == nullptr) {
    Waiter *const first = side.list.first_other(nullptr, &side == &receivers_);
    if (first == nullptr) break;
    if (side.list.choose_this(*first, wakeup)) served = static_cast<ChannelWaiter *>(first);
  }
  side.waiting = side.list.size();
  if (served != nullptr) served->served = true;
  return served;
}

void RendezvousChannel::tell_receiver_locked(const WaitContext &sender, Wakeup &wakeup) {
  Waiter *first = receivers_.list.first_other(&sender);
  while (first != nullptr && !receivers_.list.choose_this(*first, wakeup))
    first = receivers_.list.first_other(&sender);
  receivers_.waiting = receivers_.list.size();
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
  ChannelWaiter *const sender = serve_locked(senders_, wakeup);
  if (sender == nullptr) return closed_ ? Attempt::kClosed : Attempt::kEmpty;
  message = std::move(sender->message);
  ++sent_;
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
  Wakeup wakeup;
  bool may;
  {
    MutexGuard guard(mutex_);
    add_locked(side_of(direction), waiter);
    // A select may stand on both sides; it cannot meet itself.
    const bool sends = direction == Direction::kSend;
    may = closed_ || peers_of(direction).list.first_other(&waiter.context, sends) != nullptr;
    if (sends && !may) tell_receiver_locked(waiter.context, wakeup);
  }
  wakeup.deliver();
  return may;
}

bool RendezvousChannel::unwatch(Direction direction, ChannelWaiter &waiter) {
  MutexGuard guard(mutex_);
  remove_locked(side_of(direction), waiter);
  return waiter.served;
}

void RendezvousChannel::pass_on(Direction direction) {
  Wakeup wakeup;
  {
    MutexGuard guard(mutex_);
    Side &own = side_of(direction);
    if (!closed_ && peers_of(direction).list.first_other(nullptr) == nullptr) return;
    (void)own.list.choose(wakeup);
    own.waiting = own.list.size();
  }
  wakeup.deliver();
}

Status RendezvousChannel::transfer_until(Direction direction, std::span<Message> messages,
                                         std::size_t &count, Deadline deadline) {
  Side &own = side_of(direction);
  const bool sends = direction == Direction::kSend;
  const int processor = current_processor();
  count = 1;
  for (;;) {
    WaitContext context;
    ChannelWaiter waiter(context, 0, messages[0]);
    Wakeup wakeup;
    Message dropped;  // ends after the lock's
    Attempt attempt;
    {
      MutexGuard guard(mutex_);
      store_relaxed(own.processor, processor);  // Relaxed: a hint
      attempt =
          sends ? send_locked(messages[0], wakeup, dropped) : recv_locked(messages[0], wakeup);
      const bool refuses = sends && policy() == Policy::kRefuse;
      if ((attempt == Attempt::kFull || attempt == Attempt::kEmpty) && !refuses) {
        add_locked(own, waiter);
        ++own.waits;
        attempt = Attempt::kBusy;
        if (sends) tell_receiver_locked(context, wakeup);
      }
    }
    wakeup.deliver();
    if (attempt != Attempt::kBusy) return code_of(attempt);

    const int peer = load_relaxed(peers_of(direction).processor);  // Relaxed: a hint
    const WaitResult result = wait_for_choice(context, peer, deadline);
    const bool served = unwatch(direction, waiter);
    const bool was_chosen = context.choice() != WaitContext::kWaiting;
    // An interrupt that came with the choice is for the caller's next wait: nothing gets lost.
    if (was_chosen && result == WaitResult::kInterrupted) Parker::current().interrupt();
    if (served) return {};
    // Chosen and not served: closed, or told to look again.
    if (was_chosen) continue;
    return result == WaitResult::kTimedOut ? Code::kETIMEDOUT : Code::kEINTERRUPTED;
  }
}

void RendezvousChannel::close() {
  Wakeups wakeups;
  MutexGuard guard(mutex_);
  if (std::exchange(closed_, true)) return;
  for (Side *const side : {&senders_, &receivers_}) {
    for (Wakeup wakeup; side->list.choose(wakeup) != nullptr;) wakeups.add(std::move(wakeup));
    side->waiting = 0;
  }
}

bool RendezvousChannel::closed() const {
  MutexGuard guard(mutex_);
  return closed_;
}

Channel::Stats RendezvousChannel::stats() const noexcept {
  MutexGuard guard(mutex_);
  return {sent_ + dropped_, received_, dropped_, senders_.waits, receivers_.waits};
}

}  // namespace interlock
