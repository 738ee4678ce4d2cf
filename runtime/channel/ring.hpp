// SPDX-License-Identifier: MIT
// A bounded buffer of messages for many senders and receivers: a ring of cells whose states say
// whose turn it is (Vyukov, 'Bounded MPMC queue', 2010), with laps as crossbeam-channel counts them
// so that any capacity works, also 1. Lock-free but for a cell that is claimed and not yet done
// (kBusy). CHANNEL.md argues it.
//
// A ticket is a place in the sequence of all messages: the lap in the high bits, the index of the
// cell below it, and bit 0, which only tail_ uses: kClosed. The state of a cell is its lap (the
// cell is free for that lap), or the lap with bit 0 set (it holds that lap's message). So a ring of
// zeroes is an empty one, and its memory is touched only as it fills.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/atomic.hpp"
#include "channel/attempt.hpp"
#include "memory/message.hpp"

namespace interlock {

class Ring {
 public:
  /// The largest capacity that can be asked for; memory for it may still be lacking.
  static constexpr std::size_t kMostCapacity = std::size_t{1} << (sizeof(std::size_t) * 8 - 6);

  /// `capacity` from 1 to kMostCapacity. Without memory for it, is_valid() is false.
  explicit Ring(std::size_t capacity) noexcept;
  ~Ring();
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;
  [[nodiscard]] bool is_valid() const noexcept { return cells_ != nullptr; }

  /// Moves `message` in if the next cell is free. False if it is not, or the ring is closed:
  /// without a look at what belongs to the receivers. Thread: any.  Blocks: never.
  [[nodiscard]] bool push_if_free(Message &message) noexcept;
  /// The same for taking the oldest message.
  [[nodiscard]] bool pop_if_filled(Message &message) noexcept;
  /// Moves `message` in; else leaves it alone and says why. Thread: any.  Blocks: never.
  [[nodiscard]] Attempt try_push(Message &message) noexcept;
  /// Moves as many of `messages` in as fit, at least one, in one piece; kDone with their number.
  [[nodiscard]] Attempt try_push_many(std::span<Message> messages, std::size_t &pushed) noexcept;
  /// Takes the oldest message. Thread: any.  Blocks: never.
  [[nodiscard]] Attempt try_pop(Message &message) noexcept;
  /// Fills `messages` from the front, in one piece; kDone with their number, at least one.
  [[nodiscard]] Attempt try_pop_many(std::span<Message> messages, std::size_t &popped) noexcept;

  /// For sleepers: false only if the ring is full, and open. seq_cst on the tickets, never on a
  /// cell, whose state is published too late to be relied on (CHANNEL.md).
  [[nodiscard]] bool may_push() const noexcept;
  /// False only if it is empty, and open.
  [[nodiscard]] bool may_pop() const noexcept;
  /// For spinning: touches only what changes when the operation becomes possible. A hint.
  [[nodiscard]] bool looks_pushable() const noexcept;
  [[nodiscard]] bool looks_poppable() const noexcept;

  /// Refuses further pushes. True the first time.
  bool close() noexcept { return (tail_.fetch_or(kClosed) & kClosed) == 0; }
  [[nodiscard]] bool is_closed() const noexcept { return (tail_ & kClosed) != 0; }
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  /// About once in sixteen calls. Relaxed: any value will do.
  [[nodiscard]] bool is_sixteenth_push() const noexcept { return (load_relaxed(tail_) & 30) == 0; }
  [[nodiscard]] bool is_sixteenth_pop() const noexcept { return (load_relaxed(head_) & 30) == 0; }
  /// Messages that have gone in, or come out, since the beginning.
  [[nodiscard]] std::uint64_t pushed() const noexcept { return count_of(tail_); }
  [[nodiscard]] std::uint64_t popped() const noexcept { return count_of(head_); }

 private:
  static constexpr std::uint64_t kClosed = 1;
  static constexpr std::uint64_t kFilled = 1;
  struct Cell {
    Atomic<std::uint64_t> state;
    Message message;
  };

  [[nodiscard]] Cell &cell_of(std::uint64_t ticket) const noexcept {
    return cells_[(ticket & ~lap_mask_) >> 1];
  }
  [[nodiscard]] std::uint64_t lap_of(std::uint64_t ticket) const noexcept {
    return ticket & lap_mask_;
  }
  /// The ticket `by` places on; `by` is at most the capacity.
  [[nodiscard]] std::uint64_t advance(std::uint64_t ticket, std::size_t by) const noexcept {
    const std::uint64_t index = ((ticket & ~lap_mask_) >> 1) + by;
    if (index < capacity_) return ticket + 2 * by;
    return lap_of(ticket) + lap_unit_ + 2 * (index - capacity_);
  }
  /// The ticket after `ticket`.
  [[nodiscard]] std::uint64_t next(std::uint64_t ticket) const noexcept {
    const bool is_last = (ticket & ~lap_mask_) >> 1 == capacity_ - 1;
    return is_last ? lap_of(ticket) + lap_unit_ : ticket + 2;
  }
  [[nodiscard]] std::uint64_t count_of(std::uint64_t ticket) const noexcept {
    return lap_of(ticket) / lap_unit_ * capacity_ + ((ticket & ~lap_mask_) >> 1);
  }
  // Why the cell of `ticket` was not to be had: kBusy with `again` true if the ticket, now renewed,
  // was old.
  [[nodiscard]] Attempt after_failed_push(std::uint64_t &ticket, std::uint64_t state,
                                          bool &again) const noexcept;
  [[nodiscard]] Attempt after_failed_pop(std::uint64_t &ticket, std::uint64_t state,
                                         bool &again) const noexcept;
  /// Cells of one lap that lie one after the other.
  struct Run {
    Cell *cells;
    std::size_t count;
    std::uint64_t lap;
  };
  /// The `count` cells from `ticket` on, at most the capacity: up to the ring's end, and from its
  /// beginning.
  [[nodiscard]] std::array<Run, 2> runs(std::uint64_t ticket, std::size_t count) const noexcept {
    const std::size_t index = (ticket & ~lap_mask_) >> 1;
    const std::size_t before_end = std::min(count, capacity_ - index);
    return {{{cells_ + index, before_end, lap_of(ticket)},
             {cells_, count - before_end, lap_of(ticket) + lap_unit_}}};
  }
  /// Cells from `ticket` on, at most `most`, whose state is their lap plus `wanted`.
  [[nodiscard]] std::size_t count_ready(std::uint64_t ticket, std::size_t most,
                                        std::uint64_t wanted) const noexcept;

  const std::size_t capacity_;
  const std::uint64_t lap_unit_;  // twice the capacity, rounded up to a power of two
  const std::uint64_t lap_mask_;
  Cell *cells_;
  alignas(64) Atomic<std::uint64_t> tail_{0};  // the next ticket to send with
  alignas(64) Atomic<std::uint64_t> head_{0};  // the next ticket to receive with
};

// The steps of a message are inline: they are all that most operations are.

inline bool Ring::push_if_free(Message &message) noexcept {
  // Relaxed: a guess, which the exchange checks.
  std::uint64_t ticket = load_relaxed(tail_);
  for (;;) {
    Cell &cell = cell_of(ticket);
    // SYNC(cell free): after the receiver of the lap before has taken its message out.
    const std::uint64_t state = load_acquire(cell.state);
    if (state != lap_of(ticket) || (ticket & kClosed) != 0) return false;
    // Relaxed where it fails: as above. seq_cst where it succeeds: see may_pop().
    if (!tail_.compare_exchange_weak(ticket, next(ticket), std::memory_order_seq_cst,
                                     std::memory_order_relaxed))
      continue;
    cell.message.fill(std::move(message));
    // SYNC(cell filled): publishes the message.
    store_release(cell.state, state | kFilled);
    return true;
  }
}

inline bool Ring::pop_if_filled(Message &message) noexcept {
  // Relaxed: a guess, which the exchange checks.
  std::uint64_t ticket = load_relaxed(head_);
  for (;;) {
    Cell &cell = cell_of(ticket);
    // SYNC(cell filled): after its sender has put the message in.
    const std::uint64_t state = load_acquire(cell.state);
    if (state != (lap_of(ticket) | kFilled)) return false;
    // Relaxed where it fails: as above. seq_cst where it succeeds: see may_push().
    if (!head_.compare_exchange_weak(ticket, next(ticket), std::memory_order_seq_cst,
                                     std::memory_order_relaxed))
      continue;
    message.fill(std::move(cell.message));
    // SYNC(cell free): gives the cell to the sender of the next lap.
    store_release(cell.state, lap_of(ticket) + lap_unit_);
    return true;
  }
}

inline bool Ring::looks_pushable() const noexcept {
  // Relaxed: a hint; whoever acts on it looks again.
  const std::uint64_t ticket = load_relaxed(tail_);
  return (ticket & kClosed) != 0 || load_relaxed(cell_of(ticket).state) == lap_of(ticket);
}

inline bool Ring::looks_poppable() const noexcept {
  // Relaxed: as above. The head moves only if another receiver was faster.
  const std::uint64_t ticket = load_relaxed(head_);
  return load_relaxed(cell_of(ticket).state) == (lap_of(ticket) | kFilled);
}

}  // namespace interlock
