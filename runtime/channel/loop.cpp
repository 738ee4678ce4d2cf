// SPDX-License-Identifier: MIT
#include "channel/loop.hpp"

#include <algorithm>

#include "lock/wait_ladder.hpp"

namespace interlock {

/// The calling thread's use of a loop, for the life of the guard. Within a callback it is used
/// already.
class Loop::Use {
 public:
  [[nodiscard]] explicit Use(Loop &loop) : loop_(loop) {
    if (loop.process_ != process_id()) {
      status_ = Status(Code::kESTATE, "the loop was made before fork(): it is the parent's");
      return;
    }
    static thread_local char here;
    const void *user = nullptr;
    entered_ = loop.user_.compare_exchange_strong(user, &here);
    if (!entered_ && user != &here)
      status_ = Status(Code::kESTATE, "another thread is in a function of the loop");
  }
  ~Use() {
    if (entered_) loop_.user_ = nullptr;
  }
  Use(const Use &) = delete;
  Use &operator=(const Use &) = delete;
  [[nodiscard]] const Status &status() const noexcept { return status_; }

 private:
  Loop &loop_;
  Status status_;
  bool entered_ = false;
};

/// Whenever a callback may run: its waiter watches for the first operation, or it is ready, or it
/// has none.
struct Loop::Lane {
  Lane(const LaneKey &its_key, Ref<LoopWaiter> its_waiter) noexcept
      : key(its_key), waiter(std::move(its_waiter)) {
    waiter->owner = this;
  }
  Lane(const Lane &) = delete;
  Lane &operator=(const Lane &) = delete;
  ~Lane() { waiter->owner = nullptr; }

  const LaneKey key;
  const Ref<LoopWaiter> waiter;  // has the first operation's message, and the channel
  std::deque<std::unique_ptr<Operation>> operations;
  BusyLadder busy;
  bool is_ready = false;  // is in ready_
};

Result<Ref<Loop>> Loop::create() {
  auto bell = LoopBell::create(false);
  if (!bell.ok()) return bell.status();
  return Ref<Loop>(new Loop(std::move(bell.value())));
}

Status Loop::start(Ref<Channel> channel, Channel::Direction direction,
                   std::unique_ptr<Operation> &operation, std::uint64_t &id) {
  const Use use(*this);
  if (!use.status().ok()) return use.status();
  const LaneKey key(channel.get(), direction);
  std::shared_ptr<Lane> &lane = lanes_[key];
  if (lane == nullptr) {
    lane = std::make_shared<Lane>(
        key, make_ref<LoopWaiter>(bell_, std::move(channel), direction, Message()));
  }
  id = operation->id_ = ++last_id_;
  lane_of_[id] = lane.get();
  lane->operations.push_back(std::move(operation));
  if (lane->operations.size() == 1) arm(lane);
  return {};
}

void Loop::make_ready(const std::shared_ptr<Lane> &lane) {
  if (std::exchange(lane->is_ready, true)) return;
  ready_.push_back(lane);
}

void Loop::arm(const std::shared_ptr<Lane> &lane) {
  lane->waiter->message() = std::move(lane->operations.front()->message);
  if (!lane->waiter->watch()) return;
  make_ready(lane);
  bell_->ring();
}

Status Loop::dispatch() {
  const Ref<Loop> self(this);  // a callback may release it
  const Use use(*this);
  if (!use.status().ok()) return use.status();
  for (const auto &waiter : bell_->take())
    make_ready(lanes_.at(static_cast<Lane *>(waiter->owner)->key));
  for (std::size_t left = ready_.size(); left != 0 && !ready_.empty(); --left) {
    const std::shared_ptr<Lane> lane = std::move(ready_.front());
    ready_.pop_front();
    lane->is_ready = false;
    serve(lane);
  }
  if (!ready_.empty()) bell_->ring();
  return {};
}

void Loop::serve(const std::shared_ptr<Lane> &lane) {
  for (std::size_t left = lane->operations.size(); left != 0 && !lane->operations.empty(); --left) {
    const Step step = lane->waiter->start();
    if (step == Step::kBlocked) break;
    if (step == Step::kBusy) {
      make_ready(lane);
      lane->busy.sleep();
      break;
    }
    complete_first(lane);
  }
  forget_if_idle(*lane);
}

void Loop::complete_first(const std::shared_ptr<Lane> &lane) {
  const auto operation = std::move(lane->operations.front());
  lane->operations.pop_front();
  lane_of_.erase(operation->id_);
  lane->busy = BusyLadder();
  operation->message = std::move(lane->waiter->message());
  const Code code = code_of(lane->waiter->outcome());
  if (!lane->operations.empty()) arm(lane);
  operation->complete(code);
}

void Loop::forget_if_idle(const Lane &lane) {
  if (!lane.operations.empty()) return;
  const auto found = lanes_.find(lane.key);
  if (found != lanes_.end() && found->second.get() == &lane) lanes_.erase(found);
}

Status Loop::cancel(std::uint64_t id, Message &unsent) {
  const Use use(*this);
  if (!use.status().ok()) return use.status();
  const auto found = lane_of_.find(id);
  if (found == lane_of_.end()) return Status(Code::kEINVAL, "the operation is not pending");
  const std::shared_ptr<Lane> lane = lanes_.at(found->second->key);
  auto &operations = lane->operations;
  const auto operation =
      std::ranges::lower_bound(operations, id, {}, [](const auto &each) { return each->id_; });
  const bool is_first = operation == operations.begin();
  const bool receives = lane->key.second == Channel::Direction::kReceive;
  // The waiter of a receiver goes on for the next one.
  const bool is_in_queue = is_first && !(receives && operations.size() > 1);
  LoopWaiter &waiter = *lane->waiter;
  if (is_in_queue) waiter.cancel();
  if (is_first && waiter.is_over()) {
    make_ready(lane);
    bell_->ring();
    return Status(Code::kEINVAL, "the value was received; only the callback is missing");
  }
  unsent = std::move(is_first ? waiter.message() : (*operation)->message);
  operations.erase(operation);
  lane_of_.erase(found);
  if (is_in_queue && !operations.empty()) arm(lane);
  forget_if_idle(*lane);
  return {};
}

Status Loop::end() {
  const Use use(*this);
  if (!use.status().ok()) return use.status();
  for (const auto &[key, lane] : lanes_) {
    lane->waiter->cancel();
    lane->operations.clear();
  }
  ready_.clear();
  lane_of_.clear();
  lanes_.clear();
  bell_->close();
  return {};
}

}  // namespace interlock
