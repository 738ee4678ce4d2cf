// SPDX-License-Identifier: MIT
#include "channel/loop_bell.hpp"

#include <algorithm>
#include <utility>

namespace interlock {

Result<Ref<LoopBell>> LoopBell::create(bool as_socket) {
  auto bell = make_ref<LoopBell>();
  if (Status status = bell->doorbell_.open(as_socket); !status.ok()) return status;
  return bell;
}

void LoopBell::hang(LoopWaiter &waiter) noexcept {
  if (waiter.is_hung_.exchange(true)) return;
  waiter.retain();  // unhang() takes it over
  LoopWaiter *first = hung_;
  do {
    if (first == closed()) return waiter.release();
    waiter.next_hung_ = first;
  } while (!hung_.compare_exchange_weak(first, &waiter));
  // After the waiter hangs there: the loop arms before it looks, so one of the two sees the other.
  ring();
}

Ref<LoopWaiter> LoopBell::unhang(LoopWaiter *&list) noexcept {
  Ref<LoopWaiter> waiter(list);
  list = list->next_hung_;
  waiter->is_hung_ = false;  // from here on it may be hung again
  waiter->release();
  return waiter;
}

void LoopBell::ring() noexcept {
  if (is_armed_.exchange(0) != 0) doorbell_.ring();
}

void LoopBell::close() noexcept {
  LoopWaiter *hung = hung_.exchange(closed());
  if (hung == closed()) return;
  while (hung != nullptr) (void)unhang(hung);
}

std::vector<Ref<LoopWaiter>> LoopBell::take() {
  doorbell_.silence();
  is_armed_ = 1;
  std::vector<Ref<LoopWaiter>> chosen;
  for (LoopWaiter *hung = hung_.exchange(nullptr); hung != nullptr;) {
    const Ref<LoopWaiter> waiter = unhang(hung);
    // Some have been served, or have given up, since they were chosen.
    if (waiter->is_watching_ && waiter->context_.choice() != WaitContext::kWaiting)
      chosen.push_back(waiter);
  }
  std::ranges::reverse(chosen);
  return chosen;
}

LoopWaiter::LoopWaiter(Ref<LoopBell> bell, Ref<Channel> channel, Channel::Direction direction,
                       Message message) noexcept
    : bell_(std::move(bell)),
      channel_(std::move(channel)),
      direction_(direction),
      message_(std::move(message)) {}

Step LoopWaiter::start() {
  if (is_over_ || leave_queue()) return Step::kDone;
  BusyLadder busy;
  for (;;) {
    std::size_t count = 0;
    outcome_ = channel_->attempt(direction_, {&message_, 1}, count);
    if (outcome_ == Attempt::kBusy) {
      if (busy.climb()) continue;
      settle();
      return Step::kBusy;
    }
    const bool refuses = channel_->policy() == Channel::Policy::kRefuse;
    if (outcome_ != Attempt::kEmpty && (outcome_ != Attempt::kFull || refuses)) {
      settle();
      is_over_ = true;
      return Step::kDone;
    }
    if (!watch()) {
      owes_ = false;  // there is nothing to tell of
      return Step::kBlocked;
    }
    // It may have become possible meanwhile.
    if (leave_queue()) return Step::kDone;
  }
}

Step LoopWaiter::resume() { return is_watching_ ? start() : Step::kDone; }

bool LoopWaiter::watch() {
  context_.rearm();
  is_watching_ = true;
  is_over_ = false;
  const bool drops =
      direction_ == Channel::Direction::kSend && channel_->policy() != Channel::Policy::kWait;
  return channel_->watch(direction_, waiter_) || drops;
}

bool LoopWaiter::leave_queue() {
  if (!std::exchange(is_watching_, false)) return false;
  const bool served = channel_->unwatch(direction_, waiter_);
  if (served) {
    outcome_ = Attempt::kDone;
    is_over_ = true;
  } else if (context_.choice() != WaitContext::kWaiting) {
    owes_ = true;
  }
  return served;
}

void LoopWaiter::settle() {
  if (std::exchange(owes_, false)) channel_->pass_on(direction_);
}

void LoopWaiter::cancel() {
  (void)leave_queue();  // a receiver is never served: it has taken nothing
  settle();
}

}  // namespace interlock
