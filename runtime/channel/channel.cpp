// SPDX-License-Identifier: MIT
#include "channel/channel.hpp"

#include <utility>

#include "base/check.hpp"
#include "channel/buffered.hpp"
#include "channel/chain.hpp"
#include "channel/rendezvous.hpp"
#include "channel/ring.hpp"
#include "lock/wait_ladder.hpp"

namespace interlock {
namespace {

template <typename Buffer, typename... Args>
Result<Ref<Channel>> create_buffered(Channel::Policy policy, Args... args) {
  const auto channel = make_ref<BufferedChannel<Buffer>>(policy, args...);
  if (!channel->is_valid()) return Code::kENOMEM;
  return Ref<Channel>(channel);
}

}  // namespace

Code code_of(Attempt attempt) noexcept {
  switch (attempt) {
    case Attempt::kFull:
      return Code::kEFULL;
    case Attempt::kEmpty:
      return Code::kEEMPTY;
    case Attempt::kClosed:
      return Code::kECLOSED;
    default:
      CHECK(attempt == Attempt::kDone);
      return Code::kOk;
  }
}

Result<Ref<Channel>> Channel::create(std::size_t capacity, Policy policy) {
  if (capacity == kUnbounded) return create_buffered<Chain>(policy);
  if (capacity == 0) {
    if (policy == Policy::kDropOldest)
      return Status(Code::kEINVAL, "a rendezvous (capacity 0) has nothing to drop the oldest of");
    return Ref<Channel>(make_ref<RendezvousChannel>(policy));
  }
  if (capacity > Ring::kMostCapacity)
    return Status(Code::kEINVAL, "no memory could hold that capacity; let it be unbounded instead");
  return create_buffered<Ring>(policy, capacity);
}

Status Channel::try_transfer(Direction direction, Message &message) {
  std::size_t count = 0;
  BusyLadder busy;
  for (;;) {
    const Attempt attempted = attempt(direction, {&message, 1}, count);
    if (attempted != Attempt::kBusy) return code_of(attempted);
    busy.climb_or_sleep();
  }
}

Status Channel::try_send(Message &message) { return try_transfer(Direction::kSend, message); }

Status Channel::try_recv(Message &message) {
  message = Message();
  return try_transfer(Direction::kReceive, message);
}

Status Channel::send_until(Message &message, Deadline deadline) {
  if (send_now(message)) return {};
  std::size_t sent = 0;
  return transfer_until(Direction::kSend, {&message, 1}, sent, deadline);
}

Channel::~Channel() {
  for (OwnedTally *each = tallies_; each != nullptr;) delete std::exchange(each, each->next);
}

Tally &Channel::tally_of(std::int64_t owner) {
  // SYNC(tally): what others have added is whole.
  OwnedTally *first = load_acquire(tallies_);
  for (OwnedTally *each = first; each != nullptr; each = each->next) {
    if (each->owner == owner) return each->tally;
  }
  auto *const added = new OwnedTally{.owner = owner, .tally = {}, .next = first};
  // Nobody else adds one for the same owner meanwhile, which has one lock.
  while (!tallies_.compare_exchange_weak(added->next, added)) {
  }
  return added->tally;
}

Contents Channel::sent_contents() const noexcept {
  Contents sum;
  // SYNC(tally): as above.
  for (const OwnedTally *each = load_acquire(tallies_); each != nullptr; each = each->next)
    each->tally.add_to(sum);
  return sum;
}

Status Channel::send_many_until(std::span<Message> messages, std::size_t &sent, Deadline deadline) {
  sent = 0;
  while (sent != messages.size()) {
    std::size_t count = 0;
    const Status status = transfer_until(Direction::kSend, messages.subspan(sent), count, deadline);
    if (!status.ok()) return status;
    sent += count;
  }
  return {};
}

Status Channel::recv_until(Message &message, Deadline deadline) {
  message = Message();
  if (recv_now(message)) return {};
  std::size_t received = 0;
  return transfer_until(Direction::kReceive, {&message, 1}, received, deadline);
}

Status Channel::recv_many_until(std::span<Message> messages, std::size_t &received,
                                Deadline deadline) {
  received = 0;
  if (messages.empty()) return {};
  for (Message &message : messages) message = Message();
  std::size_t count = 0;
  Status status = transfer_until(Direction::kReceive, messages, count, deadline);
  if (status.ok()) received = count;
  return status;
}

void Channel::cancel() {
  close();
  // Senders that were in the middle of it when it closed may still add theirs, up to the last.
  Message dropped;
  while (try_recv(dropped).ok()) count_dropped();
}

}  // namespace interlock
