// SPDX-License-Identifier: MIT
// A message goes straight from hand to hand where somebody waits for it: a sender fills the longest
// waiting receiver's message, a receiver that makes room takes over the longest waiting sender's.
// So a chosen waiter has what it waited for, and no wake-up can be lost or stolen.
#include "channel/channel.hpp"

namespace interlock {

void Channel::WaiterList::append(Waiter &waiter) noexcept {
  *last_ = &waiter;
  last_ = &waiter.next;
}

void Channel::WaiterList::remove(Waiter &waiter) noexcept {
  Waiter **link = &first_;
  while (*link != &waiter) link = &(*link)->next;
  *link = waiter.next;
  if (last_ == &waiter.next) last_ = link;
}

void Channel::WaiterList::choose_first(Status outcome) {
  Waiter &waiter = *first_;
  remove(waiter);
  waiter.outcome = std::move(outcome);
  waiter.chosen = true;
  waiter.parker->unpark();  // under the channel's lock: the waiter cannot leave before
}

Status Channel::try_send_locked(Message &message) {
  if (closed_) return Code::kECLOSED;
  if (!receivers_.empty()) {
    *receivers_.first().message = std::move(message);
    receivers_.choose_first({});
    return {};
  }
  if (messages_.size() == capacity_) return Code::kEFULL;
  messages_.push_back(std::move(message));
  return {};
}

Status Channel::try_recv_locked(Message &message) {
  if (messages_.empty()) return closed_ ? Code::kECLOSED : Code::kEEMPTY;
  message = std::move(messages_.front());
  messages_.pop_front();
  if (!senders_.empty()) {
    messages_.push_back(std::move(*senders_.first().message));
    senders_.choose_first({});
  }
  return {};
}

Status Channel::try_send(Message &message) {
  MutexGuard guard(mutex_);
  return try_send_locked(message);
}

Status Channel::try_recv(Message &message) {
  MutexGuard guard(mutex_);
  return try_recv_locked(message);
}

template <typename Attempt>
Status Channel::wait(WaiterList &list, Message &message, Deadline deadline, Code would_block,
                     Attempt attempt) {
  Waiter waiter{&Parker::current(), &message};
  {
    MutexGuard guard(mutex_);
    Status status = attempt();
    if (status.code() != would_block) return status;
    list.append(waiter);
  }
  for (;;) {
    const WaitResult result = waiter.parker->park_until(deadline);
    MutexGuard guard(mutex_);
    if (waiter.chosen) {
      // An interrupt that came with the choice is for the caller's next wait: nothing gets lost.
      if (result == WaitResult::kInterrupted) waiter.parker->interrupt();
      return std::move(waiter.outcome);
    }
    if (result == WaitResult::kWoken) continue;
    list.remove(waiter);
    return result == WaitResult::kTimedOut ? Code::kETIMEDOUT : Code::kEINTERRUPTED;
  }
}

Status Channel::send_until(Message &message, Deadline deadline) {
  return wait(senders_, message, deadline, Code::kEFULL,
              [&]() -> Status { return try_send_locked(message); });
}

Status Channel::recv_until(Message &message, Deadline deadline) {
  return wait(receivers_, message, deadline, Code::kEEMPTY,
              [&]() -> Status { return try_recv_locked(message); });
}

void Channel::close() {
  MutexGuard guard(mutex_);
  if (closed_) return;
  closed_ = true;
  while (!receivers_.empty()) receivers_.choose_first(Code::kECLOSED);
  while (!senders_.empty()) senders_.choose_first(Code::kECLOSED);
}

bool Channel::closed() const {
  MutexGuard guard(mutex_);
  return closed_;
}

std::size_t Channel::size() const {
  MutexGuard guard(mutex_);
  return messages_.size();
}

}  // namespace interlock
