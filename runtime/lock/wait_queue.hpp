// SPDX-License-Identifier: MIT
// Who waits for something, in order of arrival. A Waiter lives with whoever waits, mostly on the
// stack of a blocked thread; a queue never owns it. One WaitContext may stand in several queues,
// one Waiter in each (select): the first queue to choose it wins, the others pass it over.
//
// The rule that keeps wake-ups: whoever was chosen and then does not take what it was woken for
// tells the next one (pass it on). Chosen does not mean served: another thread may be faster, and
// the chosen one then waits again, at the front.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/atomic.hpp"
#include "base/ref.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"

namespace interlock {

/// What is told, where no thread is parked, that a context was chosen or an interrupt came: an
/// event loop's waiter, or its bell.
class WakeTarget : public RefCounted {
 public:
  /// Thread: any.  Locks: any may be held; takes none.  Blocks: never.
  virtual void wake() noexcept = 0;
};

/// One wait for any of several things. Thread: waits with one thread at a time.
class WaitContext {
 public:
  static constexpr std::uint32_t kWaiting = 0xffffffff;

  /// Of the calling thread, which parks.
  WaitContext() noexcept : parker_(&Parker::current()) {}
  /// Of `target`, which outlives the context.
  explicit WaitContext(WakeTarget &target) noexcept : parker_(nullptr), target_(&target) {}

  /// The index of the Waiter that was chosen, or kWaiting.
  [[nodiscard]] std::uint32_t choice() const noexcept { return choice_; }
  /// Whether it is an event loop's: who is chosen there looks again when the loop comes to it.
  [[nodiscard]] bool is_loop() const noexcept { return target_ != nullptr; }
  /// Before the next wait. Thread: the waiting one; no Waiter of the context may be in a queue.
  void rearm() noexcept { choice_ = kWaiting; }

 private:
  friend class WaitList;
  [[nodiscard]] bool choose(std::uint32_t index) noexcept {
    std::uint32_t waiting = kWaiting;
    return choice_.compare_exchange_strong(waiting, index);
  }

  Atomic<std::uint32_t> choice_{kWaiting};
  Parker *const parker_;
  WakeTarget *const target_ = nullptr;
};

/// The place of a context in one queue.
struct Waiter {
  explicit Waiter(WaitContext &its_context, std::uint32_t its_index = 0) noexcept
      : context(its_context), index(its_index) {}
  Waiter(const Waiter &) = delete;
  Waiter &operator=(const Waiter &) = delete;

  WaitContext &context;
  const std::uint32_t index;  // what choice() gives if this one is chosen
  // Guarded by the lock of the queue:
  bool linked = false;
  Waiter *previous = nullptr;
  Waiter *next = nullptr;
};

/// Somebody to be woken, once no lock is held. Owns what it needs: the waiter may be gone by then.
class Wakeup {
 public:
  Wakeup() noexcept = default;
  /// Thread: any.  Locks: best none, so that who wakes up does not meet them.  Blocks: never.
  void deliver() const noexcept {
    if (parker_ != nullptr) parker_->unpark();
    if (target_) target_->wake();
  }

 private:
  friend class WaitList;
  Wakeup(Parker *parker, WakeTarget *target) noexcept : parker_(parker), target_(target) {}
  Parker *parker_ = nullptr;
  Ref<WakeTarget> target_;
};

/// Wakeups that are delivered together at the end of the scope, which is to be outside that of the
/// lock under which they were collected. Beyond kMost they are delivered at once.
class Wakeups {
 public:
  [[nodiscard]] Wakeups() noexcept = default;
  Wakeups(const Wakeups &) = delete;
  Wakeups &operator=(const Wakeups &) = delete;
  ~Wakeups() {
    for (std::size_t i = 0; i < count_; ++i) wakeups_[i].deliver();
  }
  void add(Wakeup wakeup) noexcept {
    if (count_ == kMost) return wakeup.deliver();
    wakeups_[count_++] = std::move(wakeup);
  }

 private:
  static constexpr std::size_t kMost = 32;
  Wakeup wakeups_[kMost];
  std::size_t count_ = 0;
};

/// A doubly linked list of waiters, the longest waiting first. Its owner's lock guards it.
class WaitList {
 public:
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
  /// The longest waiting one that nobody has chosen yet, and whose context is not `own`; or null.
  /// With `threads_only`, not an event loop's.
  [[nodiscard]] Waiter *first_other(const WaitContext *own,
                                    bool threads_only = false) const noexcept {
    const auto is_meant = [own, threads_only](const WaitContext &context) noexcept {
      return &context != own && context.choice() == WaitContext::kWaiting &&
             !(threads_only && context.is_loop());
    };
    Waiter *each = first_;
    while (each != nullptr && !is_meant(each->context)) each = each->next;
    return each;
  }
  void push_back(Waiter &waiter) noexcept { insert(last_, waiter, nullptr); }
  void push_front(Waiter &waiter) noexcept { insert(nullptr, waiter, first_); }
  /// False if it was not there: it has been chosen, or passed over.
  bool remove(Waiter &waiter) noexcept;
  /// Takes out waiters from the front until one could be chosen. Those passed over have been chosen
  /// elsewhere. Null if nobody is left.
  [[nodiscard]] Waiter *choose(Wakeup &wakeup) noexcept;
  /// Takes `waiter`, which stands in it, out. False if it has been chosen elsewhere.
  [[nodiscard]] bool choose_this(Waiter &waiter, Wakeup &wakeup) noexcept;

 private:
  void insert(Waiter *before, Waiter &waiter, Waiter *after) noexcept;

  Waiter *first_ = nullptr;
  Waiter *last_ = nullptr;
  std::uint32_t size_ = 0;
};

/// A WaitList with a lock and a count, for conditions that are tested without that lock. Sleeper:
/// add(), then look at the condition, then park. Waker: change the condition, then notify. Both
/// sides' accesses to condition and count are seq_cst, so one of the two sees the other (Dekker).
/// Lock: mutex_ (kWaitQueue) guards the list.
class WaitQueue {
 public:
  /// Thread: any.  Blocks: never for long.
  void add(Waiter &waiter, bool at_front = false) noexcept;
  /// False if the waiter is no longer there; then its context has been chosen by this queue or
  /// another one.
  bool remove(Waiter &waiter) noexcept;
  /// Chooses and wakes the longest waiting one. Costs a load if nobody waits. If that is an event
  /// loop's, which may be busy for long, also the first thread: whoever is there first has it.
  void notify_one() noexcept {
    if (count_ != 0) notify_one_slow();
  }
  /// Chooses and wakes all who wait now.
  void notify_all() noexcept;
  /// Up to `count` of them.
  void notify(std::size_t count) noexcept {
    for (; count != 0 && count_ != 0; --count) notify_one_slow();
  }
  [[nodiscard]] bool has_waiters() const noexcept { return count_ != 0; }

  /// Waits that have slept, each counted once.
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return sleeps_; }
  void count_sleep() noexcept { ++sleeps_; }

  /// Somebody has waited for so long that newcomers have to queue up behind it: they register, and
  /// sleep without looking if this is still so. Whoever ends it then notifies, as above.
  [[nodiscard]] bool is_starving() const noexcept { return starving_ != 0; }
  void begin_starving() noexcept { ++starving_; }
  void end_starving() noexcept { --starving_; }

 private:
  void notify_one_slow() noexcept;

  Atomic<std::uint32_t> count_{0};  // list_.size(); written under mutex_
  Atomic<std::uint32_t> starving_{0};
  Atomic<std::uint64_t> sleeps_{0};
  Mutex mutex_{LockRank::kWaitQueue};
  WaitList list_;
};

/// Waits until a queue or list has chosen `context`, which is the calling thread's and stands in
/// one, or for `deadline`, a signal or an interrupt: spins while it is likely that whoever chooses
/// it runs on `peer`, another processor (-1: unknown), then sleeps. A choice may come together with
/// another result: unlink, look at choice(), and keep such an interrupt for the next wait.
/// Locks: none held, no interpreter lock.  Blocks: yes.
[[nodiscard]] WaitResult wait_for_choice(WaitContext &context, int peer,
                                         Deadline deadline) noexcept;

}  // namespace interlock
