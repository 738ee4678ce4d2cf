// SPDX-License-Identifier: MIT
// What an interpreter's home thread does: runs its set-up call, then takes work from a queue until
// it is told to stop or the queue is closed and empty. Lock: mutex_ (kPool) guards current_.
#pragma once

#include "interpreter/interpreter.hpp"
#include "pool/call_task.hpp"
#include "pool/task_queue.hpp"

namespace interlock {

class Worker final : public HomeService {
 public:
  /// What a worker has done. Times in nanoseconds.
  struct Stats {
    std::uint64_t tasks;
    std::int64_t busy_ns;
  };

  /// `set_up` runs before all else; the interpreter ends if it raises.
  Worker(Ref<TaskQueue> queue, Ref<CallTask> set_up);

  [[nodiscard]] bool set_up(Interpreter &interpreter) override;
  void serve(Interpreter &interpreter) override;
  void stop() override;
  void ended(const Status &why) override;

  [[nodiscard]] TaskQueue &queue() noexcept { return *queue_; }
  [[nodiscard]] CallTask &set_up_task() noexcept { return *set_up_; }
  /// What its interpreter has sent.
  [[nodiscard]] const Ref<Tally> &sent() const noexcept { return sent_; }
  [[nodiscard]] Stats stats() const noexcept {
    return {load_relaxed(tasks_), load_relaxed(busy_ns_)};
  }

 private:
  void run(Interpreter &interpreter, Ref<Work> work);
  [[nodiscard]] Ref<Work> wait_for_work();

  const Ref<TaskQueue> queue_;
  const Ref<CallTask> set_up_;
  const Ref<Tally> sent_ = make_ref<Tally>();
  std::atomic<bool> stopping_{false};
  std::atomic<bool> gone_{false};
  Mutex mutex_{LockRank::kPool};
  Ref<Work> current_;
  // Written by the home thread alone, read for statistics: nothing is published by them.
  std::atomic<std::uint64_t> tasks_{0};
  std::atomic<std::int64_t> busy_ns_{0};
};

}  // namespace interlock
