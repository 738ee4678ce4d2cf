// SPDX-License-Identifier: MIT
#include "pool/task_queue.hpp"

namespace interlock {

Status TaskQueue::push(Ref<Work> work) {
  MutexGuard guard(mutex_);
  if (!refusal_.ok()) return refusal_;
  if (idle_ != nullptr) {
    choose_locked(idle_, std::move(work));
  } else {
    queued_.push_back(std::move(work));
  }
  return {};
}

void TaskQueue::choose_locked(Idle *&link, Ref<Work> work) {
  Idle *const idle = link;
  link = idle->next;
  idle->work = std::move(work);
  idle->chosen = true;
  idle->parker->unpark();
}

Ref<Work> TaskQueue::try_take() {
  MutexGuard guard(mutex_);
  if (queued_.empty()) return {};
  Ref<Work> work = std::move(queued_.front());
  queued_.pop_front();
  return work;
}

Status TaskQueue::take(const std::atomic<bool> &stop, Ref<Work> &work) {
  Idle self{&Parker::current(), {}};
  {
    MutexGuard guard(mutex_);
    if (!queued_.empty()) {
      work = std::move(queued_.front());
      queued_.pop_front();
      return {};
    }
    if (stop || !refusal_.ok()) return {};
    self.next = idle_;
    idle_ = &self;
  }
  for (;;) {
    const WaitResult result = self.parker->park_until(Deadline::never());
    MutexGuard guard(mutex_);
    if (self.chosen) {
      work = std::move(self.work);
      return {};
    }
    if (result == WaitResult::kInterrupted) {
      forget_locked(self);
      return Code::kEINTERRUPTED;
    }
  }
}

void TaskQueue::forget_locked(Idle &idle) noexcept {
  Idle **link = &idle_;
  while (*link != &idle) link = &(*link)->next;
  *link = idle.next;
}

void TaskQueue::wake_all() {
  MutexGuard guard(mutex_);
  while (idle_ != nullptr) choose_locked(idle_, {});
}

void TaskQueue::close() {
  {
    MutexGuard guard(mutex_);
    if (refusal_.ok()) refusal_ = Status(Code::kECLOSED);
  }
  wake_all();
}

std::deque<Ref<Work>> TaskQueue::take_all() {
  MutexGuard guard(mutex_);
  return std::exchange(queued_, {});
}

std::size_t TaskQueue::cancel_all() {
  std::size_t cancelled = 0;
  for (const auto &work : take_all()) cancelled += work->cancel() ? 1 : 0;
  return cancelled;
}

std::size_t TaskQueue::size() const {
  MutexGuard guard(mutex_);
  return queued_.size();
}

void TaskQueue::add_worker() {
  MutexGuard guard(mutex_);
  ++workers_;
}

void TaskQueue::remove_worker(const Status &why) {
  {
    MutexGuard guard(mutex_);
    if (--workers_ != 0) return;
    refusal_ = why;
  }
  for (const auto &work : take_all()) work->fail(why);
}

}  // namespace interlock
