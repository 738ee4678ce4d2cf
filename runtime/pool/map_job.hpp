// SPDX-License-Identifier: MIT
// One function over many arguments on the workers of a queue, results in order. Workers claim items
// in runs, about kRunNs long by what items took so far, so that trivial items cost little; a worker
// that finds nothing to claim takes half of what another has claimed and not begun, so that no item
// waits behind another while a worker is idle (guided self-scheduling, Polychronopoulos and Kuck
// 1987, with stealing).
// Lock: mutex_ (kPool) guards everything but the states of items, which are atomic.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "base/python_compat.hpp"
#include "memory/message.hpp"
#include "pool/task_queue.hpp"

namespace interlock {

class MapJob final : public RefCounted {
 public:
  enum class ItemState : std::uint8_t { kWaiting, kDone, kRaised, kFailed };

  struct Item {
    Message message;  // a tuple of arguments, later the result or the exception
    std::atomic<ItemState> state{ItemState::kWaiting};
  };

  /// `function`: an encoded callable. `workers`: how many of the queue's workers may help.
  /// `run_length`: items that a worker claims at once; 0 for the automatic length.
  MapJob(Ref<TaskQueue> queue, Message function, unsigned workers, std::size_t run_length)
      : queue_(std::move(queue)),
        function_(std::move(function)),
        workers_(workers),
        fixed_run_length_(run_length) {}

  /// Adds items, taking them from `arguments`. Thread: the owner.  Errors: as TaskQueue::push.
  [[nodiscard]] Status add(std::vector<Message> &arguments);
  /// Waits until the first item has an outcome. Thread: the owner.  Locks: none, no interpreter
  /// lock. Errors: kETIMEDOUT, kEINTERRUPTED, kEEMPTY (no item is left).
  [[nodiscard]] Status wait_first(Deadline deadline);
  /// Removes the first item if it has an outcome, else returns null. Thread: the owner.
  [[nodiscard]] std::unique_ptr<Item> try_pop_first();
  [[nodiscard]] std::size_t size() const;
  /// Items that have not begun fail for the reason `why`. Thread: any.
  void fail_pending(const Status &why);
  /// Why items have kFailed.
  [[nodiscard]] Status failure() const;

 private:
  class Share;

  /// What one worker has claimed: items that it has not begun, the next one last; others may take
  /// from the front. `current` is the one that it has begun.
  struct Run {
    std::vector<Item *> items;
    Item *current = nullptr;
  };

  /// Fills `run`; false, and the run no longer counts, if there is nothing to do.
  [[nodiscard]] bool claim(Run &run, std::size_t wanted);
  void steal_locked(Run &run);
  [[nodiscard]] bool begin_next(Run &run, Message &arguments);
  void finish_current(Run &run, ItemState state, Message outcome);
  void fail_item_locked(Item *item, const Status &why);
  void notify_locked(bool run_is_over);
  [[nodiscard]] std::size_t run_length(std::int64_t mean_ns) const;
  [[nodiscard]] Item *first_locked() const;

  const Ref<TaskQueue> queue_;
  const Message function_;
  const unsigned workers_;
  const std::size_t fixed_run_length_;

  mutable Mutex mutex_{LockRank::kPool};
  std::deque<std::unique_ptr<Item>> items_;
  std::size_t unclaimed_ = 0;  // how many of items_, counted from the end, nobody has claimed
  std::vector<Run *> runs_;    // of the workers that help now
  unsigned shares_ = 0;        // Share objects queued or running
  Status failure_;
  Parker *waiter_ = nullptr;  // the owner, waiting for the first item
  bool eager_ = false;        // it wants to be woken for each item, not only at the end of a run
};

}  // namespace interlock
