// SPDX-License-Identifier: MIT
#include "pool/map_job.hpp"

#include <algorithm>

#include "interpreter/end.hpp"
#include "platform/clock.hpp"
#include "pool/call_task.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

constexpr std::int64_t kRunNs = 200'000;       // how long a run should take
constexpr std::size_t kLongestRun = 256;       // items
constexpr std::int64_t kLazyWaitNs = 500'000;  // how long results may be held back for company

}  // namespace

/// One worker's part in a job: a place in the queue.
class MapJob::Share final : public Work {
 public:
  explicit Share(Ref<MapJob> job) : job_(std::move(job)) {}

  void run() override;
  void fail(const Status &why) override;
  bool cancel() override {
    fail(Code::kECANCELLED);
    return true;
  }

 private:
  void run_claimed(PyRef &function);
  [[nodiscard]] bool run_item(PyRef &function, const Message &arguments, Message &outcome);

  const Ref<MapJob> job_;
  Run run_;  // guarded by job_->mutex_
  std::int64_t mean_ns_ = 0;
};

Status MapJob::add(std::vector<Message> &arguments) {
  std::size_t starting = 0;
  {
    MutexGuard guard(mutex_);
    if (!failure_.ok()) return failure_;
    for (Message &each : arguments) {
      items_.push_back(std::make_unique<Item>());
      items_.back()->message = std::move(each);
    }
    unclaimed_ += arguments.size();
    if (shares_ < workers_) starting = std::min<std::size_t>(workers_ - shares_, unclaimed_);
    shares_ += static_cast<unsigned>(starting);
  }
  arguments.clear();
  for (; starting != 0; --starting) {
    const Ref<Share> share = make_ref<Share>(Ref<MapJob>(this));
    if (Status status = queue_->push(share); !status.ok()) {
      share->fail(status);
      return status;
    }
  }
  return {};
}

MapJob::Item *MapJob::first_locked() const {
  return items_.empty() ? nullptr : items_.front().get();
}

Status MapJob::wait_first(Deadline deadline) {
  Parker *const self = &Parker::current();
  self->set_ladder(Parker::Ladder::kSleep);  // the workers want the processors
  bool eager = false;
  for (;;) {
    const Deadline lazy = Deadline::after_ns(kLazyWaitNs);
    const Deadline until = eager || deadline.ns < lazy.ns ? deadline : lazy;
    {
      MutexGuard guard(mutex_);
      if (items_.empty()) return Code::kEEMPTY;
      if (first_locked()->state != ItemState::kWaiting) return {};
      waiter_ = self;
      eager_ = eager;
    }
    const WaitResult result = self->park_until(until);
    MutexGuard guard(mutex_);
    waiter_ = nullptr;
    if (first_locked()->state != ItemState::kWaiting) return {};
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
    if (result != WaitResult::kTimedOut) continue;
    if (deadline.passed()) return Code::kETIMEDOUT;
    eager = true;
  }
}

std::unique_ptr<MapJob::Item> MapJob::try_pop_first() {
  MutexGuard guard(mutex_);
  Item *const first = first_locked();
  if (first == nullptr || first->state == ItemState::kWaiting) return nullptr;
  std::unique_ptr<Item> popped = std::move(items_.front());
  items_.pop_front();
  return popped;
}

std::size_t MapJob::size() const {
  MutexGuard guard(mutex_);
  return items_.size();
}

Status MapJob::failure() const {
  MutexGuard guard(mutex_);
  return failure_;
}

void MapJob::fail_item_locked(Item *item, const Status &why) {
  if (failure_.ok()) failure_ = why;
  item->message = {};
  item->state = ItemState::kFailed;
}

void MapJob::fail_pending(const Status &why) {
  MutexGuard guard(mutex_);
  if (failure_.ok()) failure_ = why;
  for (; unclaimed_ != 0; --unclaimed_) {
    fail_item_locked(items_[items_.size() - unclaimed_].get(), why);
  }
  for (Run *const run : runs_) {
    for (Item *const item : run->items) fail_item_locked(item, why);
    run->items.clear();
  }
  notify_locked(true);
}

void MapJob::notify_locked(bool run_is_over) {
  if (waiter_ == nullptr || !(run_is_over || eager_)) return;
  if (first_locked() != nullptr && first_locked()->state != ItemState::kWaiting) waiter_->unpark();
}

std::size_t MapJob::run_length(std::int64_t mean_ns) const {
  if (fixed_run_length_ != 0) return fixed_run_length_;
  if (mean_ns == 0) return 1;
  return std::clamp<std::size_t>(static_cast<std::size_t>(kRunNs / mean_ns), 1, kLongestRun);
}

bool MapJob::claim(Run &run, std::size_t wanted) {
  MutexGuard guard(mutex_);
  if (unclaimed_ == 0) {
    steal_locked(run);
    if (!run.items.empty()) return true;
    // In the same critical section as the look at unclaimed_: else add() could count on this share.
    std::erase(runs_, &run);
    --shares_;
    return false;
  }
  if (fixed_run_length_ == 0) wanted = std::min(wanted, unclaimed_ / (2 * workers_) + 1);
  const std::size_t count = std::min(wanted, unclaimed_);
  const std::size_t first = items_.size() - unclaimed_;
  for (std::size_t i = count; i-- > 0;) run.items.push_back(items_[first + i].get());
  unclaimed_ -= count;
  return true;
}

void MapJob::steal_locked(Run &run) {
  Run *richest = nullptr;
  for (Run *const other : runs_) {
    if (other != &run && (richest == nullptr || other->items.size() > richest->items.size()))
      richest = other;
  }
  if (richest == nullptr) return;
  const auto half = static_cast<std::ptrdiff_t>((richest->items.size() + 1) / 2);
  run.items.assign(richest->items.begin(), richest->items.begin() + half);
  richest->items.erase(richest->items.begin(), richest->items.begin() + half);
}

bool MapJob::begin_next(Run &run, Message &arguments) {
  MutexGuard guard(mutex_);
  if (run.items.empty()) return false;
  run.current = run.items.back();
  run.items.pop_back();
  arguments = std::move(run.current->message);
  return true;
}

void MapJob::finish_current(Run &run, ItemState state, Message outcome) {
  MutexGuard guard(mutex_);
  if (run.current == nullptr) return;  // failed meanwhile: nobody waits for it
  run.current->message = std::move(outcome);
  run.current->state = state;
  run.current = nullptr;
  notify_locked(false);
}

void MapJob::Share::run() {
  {
    MutexGuard guard(job_->mutex_);
    job_->runs_.push_back(&run_);
  }
  PyRef function;
  while (job_->claim(run_, job_->run_length(mean_ns_))) run_claimed(function);
}

void MapJob::Share::fail(const Status &why) {
  job_->fail_pending(why);
  MutexGuard guard(job_->mutex_);
  if (run_.current == nullptr) return;
  job_->fail_item_locked(run_.current, why);
  run_.current = nullptr;
  job_->notify_locked(true);
}

void MapJob::Share::run_claimed(PyRef &function) {
  const std::int64_t start = monotonic_ns();
  std::int64_t count = 0;
  for (Message arguments; job_->begin_next(run_, arguments); ++count) {
    Message outcome;
    const bool succeeded = run_item(function, arguments, outcome);
    job_->finish_current(run_, succeeded ? ItemState::kDone : ItemState::kRaised,
                         std::move(outcome));
  }
  flush_standard_streams();
  if (count != 0) mean_ns_ = std::max<std::int64_t>(1, (monotonic_ns() - start) / count);
  MutexGuard guard(job_->mutex_);
  job_->notify_locked(true);
}

bool MapJob::Share::run_item(PyRef &function, const Message &arguments, Message &outcome) {
  if (!function) function = PyRef::steal(decode(job_->function_));
  if (function) {
    const PyRef decoded = PyRef::steal(decode(arguments));
    if (decoded) return run_call(function.get(), decoded.get(), Py_None, outcome);
  }
  outcome = encode_raised();
  return false;
}

}  // namespace interlock
