// SPDX-License-Identifier: MIT
#include "channel/select.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "lock/wait_ladder.hpp"

namespace interlock {
namespace {

class Select {
 public:
  Select(std::span<SelectCase> cases, bool biased) noexcept : cases_(cases) {
    static thread_local std::uint32_t turn = 0;
    if (!biased && !cases.empty()) start_ = turn++ % cases.size();
  }

  /// Tries every case once. kDone, kClosed or kFull with index(); kEmpty; kBusy if it must be tried
  /// again.
  [[nodiscard]] Attempt poll();
  /// Until something may be possible, or has been done: then kDone.
  [[nodiscard]] Attempt wait(Deadline deadline, WaitResult &result);
  /// Spins until a case looks possible. False: time to sleep.
  [[nodiscard]] bool climb(WaitLadder &ladder) const;
  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  /// A processor that the other side of a case was last seen on.
  [[nodiscard]] int peer() const noexcept;

 private:
  /// kFull only where the channel refuses what it has no room for; else that is kEmpty.
  [[nodiscard]] Attempt attempt(std::size_t index);
  [[nodiscard]] Deadline first_timer() const noexcept;
  /// Puts the context into all queues. True if something may be possible already.
  [[nodiscard]] bool watch_all();
  /// And out of them. True if the other side completed a case: index().
  [[nodiscard]] bool unwatch_all();

  std::span<SelectCase> cases_;
  std::size_t start_ = 0;
  std::size_t index_ = 0;
  WaitContext context_;
  std::unique_ptr<std::optional<ChannelWaiter>[]> waiters_;  // one a case, made when first needed
};

Attempt Select::attempt(std::size_t index) {
  const SelectCase &each = cases_[index];
  index_ = index;
  if (each.channel == nullptr) return each.at.passed() ? Attempt::kDone : Attempt::kEmpty;
  std::size_t count = 0;
  const Attempt attempted = each.channel->attempt(each.direction, {each.message, 1}, count);
  const bool waits = each.channel->policy() != Channel::Policy::kRefuse;
  return attempted == Attempt::kFull && waits ? Attempt::kEmpty : attempted;
}

/// Whether the select ends with it.
bool is_end(Attempt attempt) noexcept {
  return attempt == Attempt::kDone || attempt == Attempt::kClosed || attempt == Attempt::kFull;
}

Attempt Select::poll() {
  Attempt outcome = Attempt::kEmpty;
  std::size_t refused = 0;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    const Attempt attempted = attempt((start_ + i) % cases_.size());
    if (attempted == Attempt::kDone || attempted == Attempt::kClosed) return attempted;
    if (attempted == Attempt::kFull && outcome == Attempt::kEmpty) {
      refused = index_;
      outcome = attempted;
    }
    if (attempted == Attempt::kBusy) outcome = attempted;
  }
  index_ = refused;
  return outcome;
}

int Select::peer() const noexcept {
  for (const SelectCase &each : cases_) {
    if (each.channel == nullptr) continue;
    const bool sends = each.direction == Channel::Direction::kSend;
    return each.channel->processor_of(sends ? Channel::Direction::kReceive
                                            : Channel::Direction::kSend);
  }
  return current_processor();  // timers only: nobody to spin for
}

bool Select::climb(WaitLadder &ladder) const {
  return ladder.climb([this]() noexcept {
    return std::ranges::any_of(cases_, [](const SelectCase &each) {
      return each.channel != nullptr && each.channel->looks_ready(each.direction);
    });
  });
}

Deadline Select::first_timer() const noexcept {
  Deadline first = Deadline::never();
  for (const SelectCase &each : cases_) {
    if (each.channel == nullptr) first.ns = std::min(first.ns, each.at.ns);
  }
  return first;
}

bool Select::watch_all() {
  if (waiters_ == nullptr)
    waiters_ = std::make_unique<std::optional<ChannelWaiter>[]>(cases_.size());
  context_.rearm();
  bool may = false;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    const SelectCase &each = cases_[i];
    if (each.channel == nullptr) continue;
    waiters_[i].emplace(context_, static_cast<std::uint32_t>(i), *each.message);
    if (each.channel->watch(each.direction, *waiters_[i])) may = true;
  }
  return may;
}

bool Select::unwatch_all() {
  bool served = false;
  for (std::size_t i = 0; i < cases_.size(); ++i) {
    const SelectCase &each = cases_[i];
    if (each.channel == nullptr || !each.channel->unwatch(each.direction, *waiters_[i])) continue;
    served = true;
    index_ = i;
  }
  return served;
}

Attempt Select::wait(Deadline deadline, WaitResult &result) {
  const Deadline until{std::min(deadline.ns, first_timer().ns)};
  Parker &parker = Parker::current();
  result = WaitResult::kWoken;
  if (!watch_all()) {
    do {
      result = parker.sleep_until(until);
    } while (result == WaitResult::kWoken && context_.choice() == WaitContext::kWaiting);
  }
  const bool served = unwatch_all();
  const std::uint32_t chosen = context_.choice();
  if (chosen == WaitContext::kWaiting) {
    // The end of a timer is a case's, not the call's.
    if (result == WaitResult::kTimedOut && !deadline.passed()) result = WaitResult::kWoken;
    return Attempt::kEmpty;
  }
  // An interrupt that came with the choice is for the caller's next wait: nothing gets lost.
  if (result == WaitResult::kInterrupted) parker.interrupt();
  result = WaitResult::kWoken;
  if (served) return Attempt::kDone;
  // Chosen by that channel: what it has is for this one, or for the next in its queue.
  const Attempt attempted = attempt(chosen);
  cases_[chosen].channel->pass_on(cases_[chosen].direction);
  return attempted;
}

}  // namespace

Status try_select(std::span<SelectCase> cases, bool biased, std::size_t &index) {
  Select select(cases, biased);
  const Attempt attempted = select.poll();
  index = select.index();
  return is_end(attempted) ? code_of(attempted) : Code::kEEMPTY;
}

Status select_until(std::span<SelectCase> cases, bool biased, Deadline deadline,
                    std::size_t &index) {
  if (cases.empty() && deadline.is_never())
    return Status(Code::kEINVAL, "a select of no cases, without a timeout, would never end");
  Select select(cases, biased);
  WaitLadder ladder(select.peer(), deadline);
  BusyLadder busy;
  for (;;) {
    Attempt attempted = select.poll();
    WaitResult result = WaitResult::kWoken;
    if (attempted == Attempt::kBusy) {
      busy.climb_or_sleep();
    } else if (attempted == Attempt::kEmpty && !select.climb(ladder)) {
      attempted = select.wait(deadline, result);
    }
    if (is_end(attempted)) {
      index = select.index();
      return code_of(attempted);
    }
    if (result == WaitResult::kTimedOut) return Code::kETIMEDOUT;
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
  }
}

}  // namespace interlock
