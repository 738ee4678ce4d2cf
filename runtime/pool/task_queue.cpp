// SPDX-License-Identifier: MIT
#include "pool/task_queue.hpp"

#include <algorithm>

namespace interlock {

Status TaskQueue::push(Ref<Work> work, const void *only_for) {
  MutexGuard guard(mutex_);
  if (only_for == nullptr && !refusal_.ok()) return refusal_;
  if (only_for != nullptr && std::ranges::find(workers_, only_for) == workers_.end())
    return Code::kEENDED;
  Idle **link = &idle_;
  while (*link != nullptr && only_for != nullptr && (*link)->worker != only_for)
    link = &(*link)->next;
  if (*link != nullptr) {
    choose_locked(*link, std::move(work));
  } else {
    queued_.push_back({std::move(work), only_for});
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

Ref<Work> TaskQueue::take_locked(const void *worker) {
  for (auto each = queued_.begin(); each != queued_.end(); ++each) {
    if (each->only_for != nullptr && each->only_for != worker) continue;
    Ref<Work> work = std::move(each->work);
    queued_.erase(each);
    return work;
  }
  return {};
}

Ref<Work> TaskQueue::try_take(const void *worker) {
  MutexGuard guard(mutex_);
  return take_locked(worker);
}

Status TaskQueue::take(const void *worker, const std::atomic<bool> &stop, Ref<Work> &work) {
  Idle self{&Parker::current(), worker, {}};
  {
    MutexGuard guard(mutex_);
    work = take_locked(worker);
    if (work) return {};
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

template <typename Chosen>
std::vector<Ref<Work>> TaskQueue::take_all_locked(Chosen chosen) {
  std::vector<Ref<Work>> taken;
  for (Queued &each : queued_) {
    if (chosen(each.only_for)) taken.push_back(std::move(each.work));
  }
  std::erase_if(queued_, [](const Queued &each) { return !each.work; });
  return taken;
}

std::size_t TaskQueue::cancel_all() {
  std::vector<Ref<Work>> taken;
  {
    MutexGuard guard(mutex_);
    taken = take_all_locked([](const void *only_for) { return only_for == nullptr; });
  }
  std::size_t cancelled = 0;
  for (const auto &work : taken) cancelled += work->cancel() ? 1 : 0;
  return cancelled;
}

std::size_t TaskQueue::size() const {
  MutexGuard guard(mutex_);
  return queued_.size();
}

void TaskQueue::add_worker(const void *worker) {
  MutexGuard guard(mutex_);
  workers_.push_back(worker);
}

void TaskQueue::remove_worker(const void *worker, const Status &why) {
  std::vector<Ref<Work>> failed;
  {
    MutexGuard guard(mutex_);
    std::erase(workers_, worker);
    const bool is_last = workers_.empty();
    if (is_last) refusal_ = why;
    failed = take_all_locked([&](const void *only_for) { return is_last || only_for == worker; });
  }
  for (const auto &work : failed) work->fail(why);
}

}  // namespace interlock
