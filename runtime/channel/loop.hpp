// SPDX-License-Identifier: MIT
// Operations of channels for an event loop that is told by calls: what the C ABI offers, over a
// LoopBell. The operations of a loop on one channel in one direction are a lane: they complete in
// the order in which they were started, and the first alone stands in the channel's queue. Nothing
// is sent or taken but in dispatch(), or by the other side of a rendezvous.
// Lock: none; one thread at a time uses a loop, and another one that meets it there is refused.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>

#include "channel/loop_bell.hpp"
#include "platform/process.hpp"

namespace interlock {

/// Thread: one at a time. Errors of all: kESTATE (another thread is in it, or it is the parent's).
class Loop final : public RefCounted {
 public:
  /// One operation, and who is told of its end.
  class Operation {
   public:
    virtual ~Operation() = default;
    /// kOk, kECLOSED, or kEFULL (a policy). message: what was received, or could not be sent.
    /// Thread: the loop's, in dispatch().
    virtual void complete(Code code) noexcept = 0;

    Message message;

   private:
    friend class Loop;
    std::uint64_t id_ = 0;
  };

  /// Errors: kESYSTEM.
  [[nodiscard]] static Result<Ref<Loop>> create();

  /// Readable when dispatch() has something to do.
  [[nodiscard]] std::intptr_t descriptor() const noexcept { return bell_->descriptor(); }
  /// Sends the operation's message, or receives. `id`: of no other operation of this loop, not 0.
  /// Blocks: never.  Owns: the operation, only if it succeeds.
  [[nodiscard]] Status start(Ref<Channel> channel, Channel::Direction direction,
                             std::unique_ptr<Operation> &operation, std::uint64_t &id);
  /// Completes what is possible now; what complete() starts is for the next time. complete() may
  /// call every function here.  Blocks: for a millisecond at most, and only if another thread is in
  /// the middle of a cell.
  [[nodiscard]] Status dispatch();
  /// Gives an operation up that has not completed; nothing gets lost: its message is the caller's.
  /// Errors: kEINVAL if it is over, or was received by the other side of a rendezvous and only
  /// complete() is missing.
  [[nodiscard]] Status cancel(std::uint64_t id, Message &unsent);
  /// Gives all operations up, for good: complete() is not called any more.
  [[nodiscard]] Status end();

 private:
  class Use;
  struct Lane;
  using LaneKey = std::pair<Channel *, Channel::Direction>;

  explicit Loop(Ref<LoopBell> bell) noexcept : bell_(std::move(bell)) {}
  ~Loop() override { (void)end(); }
  /// Has the lane looked at in the next dispatch().
  void make_ready(const std::shared_ptr<Lane> &lane);
  /// A lane with operations whose waiter stands nowhere: registers the first one.
  void arm(const std::shared_ptr<Lane> &lane);
  void serve(const std::shared_ptr<Lane> &lane);
  /// Takes the first operation of the lane, which is over, and calls complete().
  void complete_first(const std::shared_ptr<Lane> &lane);
  void forget_if_idle(const Lane &lane);

  const Ref<LoopBell> bell_;
  const long process_ = process_id();
  Atomic<const void *> user_{nullptr};  // the thread that is in a function of the loop
  std::uint64_t last_id_ = 0;
  std::map<LaneKey, std::shared_ptr<Lane>> lanes_;  // an idle one is forgotten: it has a channel
  std::deque<std::shared_ptr<Lane>> ready_;
  std::unordered_map<std::uint64_t, Lane *> lane_of_;  // by operation
};

}  // namespace interlock
