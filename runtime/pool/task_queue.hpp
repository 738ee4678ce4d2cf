// SPDX-License-Identifier: MIT
// Work waiting for a home thread. An interpreter has a queue of its own, or shares one with the
// other workers of a pool. Lock: mutex_ (kPool) guards everything.
#pragma once

#include <atomic>
#include <deque>
#include <vector>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"

namespace interlock {

/// Something a home thread can run.
class Work : public RefCounted {
 public:
  /// Thread: home, attached, within Interpreter::begin_work() and end_work().
  virtual void run() = 0;
  /// It will not be run. Thread: any.  Locks: none.
  virtual void fail(const Status &why) = 0;
  /// True if it had not begun: it will not be run. Thread: any.  Locks: none.
  virtual bool cancel() = 0;
};

class TaskQueue final : public RefCounted {
 public:
  /// `only_for`: the worker that alone may take it, also after close(); null for any of them.
  /// Thread: any.  Blocks: never.  Errors: kECLOSED; kEENDED once that worker, or the last one, has
  /// ended.
  [[nodiscard]] Status push(Ref<Work> work, const void *only_for = nullptr);

  /// The oldest work for `worker`, or null. Thread: any.  Blocks: never.
  [[nodiscard]] Ref<Work> try_take(const void *worker);
  /// The oldest work, waiting for it; null once `stop` is true, or the queue is closed and empty.
  /// Thread: home.  Locks: none, no interpreter lock.  Blocks: yes.  Errors: kEINTERRUPTED, which
  /// tells an idle thread only to look around.
  [[nodiscard]] Status take(const void *worker, const std::atomic<bool> &stop, Ref<Work> &work);
  /// Lets every take() look at its `stop` again.
  void wake_all();

  /// Refuses further work; what is queued is still handed out. Idempotent.
  void close();
  /// Cancels what has not begun and is for any worker; how many tasks.
  std::size_t cancel_all();
  [[nodiscard]] std::size_t size() const;

  void add_worker(const void *worker);
  /// What is left for it alone is failed, for the reason `why`; with the last worker everything,
  /// and more is refused.
  void remove_worker(const void *worker, const Status &why);

 private:
  struct Queued {
    Ref<Work> work;
    const void *only_for;
  };
  struct Idle {
    Parker *parker;
    const void *worker;
    Ref<Work> work;
    bool chosen = false;
    Idle *next = nullptr;
  };
  void choose_locked(Idle *&link, Ref<Work> work);
  [[nodiscard]] Ref<Work> take_locked(const void *worker);
  void forget_locked(Idle &idle) noexcept;
  template <typename Chosen>
  [[nodiscard]] std::vector<Ref<Work>> take_all_locked(Chosen chosen);

  mutable Mutex mutex_{LockRank::kPool};
  std::deque<Queued> queued_;
  Idle *idle_ = nullptr;  // newest first: its caches are warm
  Status refusal_;        // why push() fails; success while it does not
  std::vector<const void *> workers_;
};

}  // namespace interlock
