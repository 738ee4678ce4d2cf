// SPDX-License-Identifier: MIT
#include "pool/worker.hpp"

#include <optional>

#include "interpreter/detached.hpp"
#include "interpreter/returns.hpp"
#include "lock/interpreter_lock.hpp"
#include "platform/clock.hpp"

namespace interlock {

Worker::Worker(Ref<TaskQueue> queue, Ref<CallTask> set_up)
    : queue_(std::move(queue)), set_up_(std::move(set_up)) {
  queue_->add_worker(this);
}

bool Worker::set_up(Interpreter &interpreter) {
  run(interpreter, set_up_);
  return set_up_->state() == CallTask::State::kDone;
}

void Worker::serve(Interpreter &interpreter) {
  while (Ref<Work> work = wait_for_work()) run(interpreter, std::move(work));
}

Ref<Work> Worker::wait_for_work() {
  if (Ref<Work> work = queue_->try_take(this)) return work;
  PyInterpreterState *const interpreter = PyInterpreterState_Get();
  for (;;) {
    Ref<Work> work;
    // What is given back from here on interrupts the wait; what came before is seen now.
    std::optional<DetachedWait> wait(std::in_place, interpreter);
    Returns::drain_current();
    const LeaveInterpreter leave;
    const Status status = queue_->take(this, stopping_, work);
    wait.reset();
    if (status.ok()) return work;
  }
}

void Worker::run(Interpreter &interpreter, Ref<Work> work) {
  {
    MutexGuard guard(mutex_);
    current_ = work;
  }
  const std::int64_t start = monotonic_ns();
  interpreter.begin_work();
  work->run();
  interpreter.end_work();
  // Relaxed: see the members.
  store_relaxed(busy_ns_, load_relaxed(busy_ns_) + (monotonic_ns() - start));
  fetch_add_relaxed(tasks_, 1);
  MutexGuard guard(mutex_);
  current_ = {};
}

void Worker::stop() {
  stopping_ = true;
  queue_->wake_all();
}

void Worker::ended(const Status &why) {
  if (gone_.exchange(true)) return;  // abandoned first, ended after all
  set_up_->fail(why);
  Ref<Work> current;
  {
    MutexGuard guard(mutex_);
    current = current_;
  }
  if (current) current->fail(why);
  queue_->remove_worker(this, why);
}

}  // namespace interlock
