// SPDX-License-Identifier: MIT
// A flag that threads of any interpreter set and wait for. Looking at it costs a load, setting it
// one atomic operation if nobody waits.
// Lock: none but that of the queue.
#pragma once

#include <cstdint>

#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/wait_queue.hpp"
#include "platform/clock.hpp"

namespace interlock {

class Event final : public Shared {
 public:
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kEvent; }

  /// Sets the flag and wakes all who wait.  Thread: any, attached or not.  Blocks: never.
  void set() noexcept;
  /// Thread: any, attached or not.  Blocks: never.
  void clear() noexcept;
  [[nodiscard]] bool is_set() const noexcept { return is_set_at(changes_); }

  /// How often the flag has changed; it is clear at first, so that odd means set.
  using Moment = std::uint64_t;
  [[nodiscard]] Moment now() const noexcept { return changes_; }
  /// Whether the flag was set at `start` or at any time since, if only for a moment.
  [[nodiscard]] bool was_set_since(Moment start) const noexcept {
    return is_set_at(start) || changes_ != start;
  }

  /// Until the flag was set, at `start` or since.
  /// Thread: any.  Locks: none held, no interpreter lock.  Blocks: until `deadline`.
  /// Errors: kETIMEDOUT, kEINTERRUPTED.
  [[nodiscard]] Status wait_until(Deadline deadline, Moment start) noexcept;
  [[nodiscard]] Status wait_until(Deadline deadline) noexcept {
    return wait_until(deadline, now());
  }

  /// The processor that the flag was last set on, -1 if unknown: a hint for how to wait.
  [[nodiscard]] int peer_processor() const noexcept {
    // Relaxed: a hint.
    return load_relaxed(processor_);
  }
  /// Waits that have slept.
  [[nodiscard]] std::uint64_t sleeps() const noexcept { return queue_.sleeps(); }

 private:
  struct Source;
  [[nodiscard]] static bool is_set_at(Moment moment) noexcept { return (moment & 1) != 0; }

  Atomic<Moment> changes_{0};
  WaitQueue queue_;
  Atomic<int> processor_{-1};
};

}  // namespace interlock
