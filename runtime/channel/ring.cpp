// SPDX-License-Identifier: MIT
#include "channel/ring.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace interlock {

Ring::Ring(std::size_t capacity) noexcept
    : capacity_(capacity),
      lap_unit_(2 * std::bit_ceil(static_cast<std::uint64_t>(capacity))),
      lap_mask_(~(lap_unit_ - 1)),
      // Zeroes are cells that are free for the first lap, with empty messages.
      cells_(static_cast<Cell *>(std::calloc(capacity, sizeof(Cell)))) {}

Ring::~Ring() {
  Attempt popped = is_valid() ? Attempt::kDone : Attempt::kEmpty;
  while (popped == Attempt::kDone) {
    Message dropped;  // a new one each time: it is filled, not assigned
    popped = try_pop(dropped);
  }
  std::free(cells_);
}

Attempt Ring::try_push(Message &message) noexcept {
  for (;;) {
    if (push_if_free(message)) return Attempt::kDone;
    std::uint64_t ticket = load_relaxed(tail_);  // Relaxed: checked by what follows
    if ((ticket & kClosed) != 0) return Attempt::kClosed;
    bool again = false;
    const Attempt why = after_failed_push(ticket, load_acquire(cell_of(ticket).state), again);
    if (!again) return why;
  }
}

Attempt Ring::try_pop(Message &message) noexcept {
  for (;;) {
    if (pop_if_filled(message)) return Attempt::kDone;
    std::uint64_t ticket = load_relaxed(head_);  // Relaxed: checked by what follows
    bool again = false;
    const Attempt why = after_failed_pop(ticket, load_acquire(cell_of(ticket).state), again);
    if (!again) return why;
  }
}

Attempt Ring::try_push_many(std::span<Message> messages, std::size_t &pushed) noexcept {
  // Relaxed: a guess, which the exchange checks.
  std::uint64_t ticket = load_relaxed(tail_);
  for (bool again = true; again;) {
    if ((ticket & kClosed) != 0) return Attempt::kClosed;
    std::size_t count = count_ready(ticket, messages.size(), 0);
    if (count == 0) {
      const Attempt why = after_failed_push(ticket, load_acquire(cell_of(ticket).state), again);
      if (!again) return why;
      continue;
    }
    // Relaxed where it fails: as above.
    if (!tail_.compare_exchange_weak(ticket, advance(ticket, count), std::memory_order_seq_cst,
                                     std::memory_order_relaxed))
      continue;
    // The last one first: who waits for the first one then finds them all.
    pushed = count;
    const auto [first, second] = runs(ticket, count);
    for (const Run &run : {second, first}) {
      for (std::size_t left = run.count; left-- != 0;) {
        run.cells[left].message.fill(std::move(messages[--count]));
        // SYNC(cell filled): publishes the message.
        store_release(run.cells[left].state, run.lap | kFilled);
      }
    }
    return Attempt::kDone;
  }
  return Attempt::kBusy;
}

Attempt Ring::after_failed_push(std::uint64_t &ticket, std::uint64_t state,
                                bool &again) const noexcept {
  again = state == lap_of(ticket);  // it has become free meanwhile
  if (again) return Attempt::kBusy;
  const bool is_behind = static_cast<std::int64_t>(state - lap_of(ticket)) < 0;
  if (is_behind && head_ + lap_unit_ == ticket) return Attempt::kFull;
  const std::uint64_t now = tail_;
  again = now != std::exchange(ticket, now);
  return Attempt::kBusy;
}

Attempt Ring::try_pop_many(std::span<Message> messages, std::size_t &popped) noexcept {
  // Relaxed: a guess, which the exchange checks.
  std::uint64_t ticket = load_relaxed(head_);
  for (bool again = true; again;) {
    std::size_t count = count_ready(ticket, messages.size(), kFilled);
    if (count == 0) {
      const Attempt why = after_failed_pop(ticket, load_acquire(cell_of(ticket).state), again);
      if (!again) return why;
      continue;
    }
    // Relaxed where it fails: as above.
    if (!head_.compare_exchange_weak(ticket, advance(ticket, count), std::memory_order_seq_cst,
                                     std::memory_order_relaxed))
      continue;
    // The last one first, as above.
    popped = count;
    const auto [first, second] = runs(ticket, count);
    for (const Run &run : {second, first}) {
      for (std::size_t left = run.count; left-- != 0;) {
        messages[--count].fill(std::move(run.cells[left].message));
        // SYNC(cell free): gives the cell to the sender of the next lap.
        store_release(run.cells[left].state, run.lap + lap_unit_);
      }
    }
    return Attempt::kDone;
  }
  return Attempt::kBusy;
}

Attempt Ring::after_failed_pop(std::uint64_t &ticket, std::uint64_t state,
                               bool &again) const noexcept {
  again = state == (lap_of(ticket) | kFilled);  // it has been filled meanwhile
  if (again) return Attempt::kBusy;
  if (state == lap_of(ticket)) {
    const std::uint64_t tail = tail_;
    if (tail == ticket) return Attempt::kEmpty;
    if (tail == (ticket | kClosed)) return Attempt::kClosed;
  }
  const std::uint64_t now = head_;
  again = now != std::exchange(ticket, now);
  return Attempt::kBusy;
}

std::size_t Ring::count_ready(std::uint64_t ticket, std::size_t most,
                              std::uint64_t wanted) const noexcept {
  std::size_t count = 0;
  for (const Run &run : runs(ticket, std::min(most, capacity_))) {
    for (std::size_t i = 0; i < run.count; ++i, ++count) {
      // SYNC(cell free), SYNC(cell filled): as where one is pushed or popped.
      if (load_acquire(run.cells[i].state) != (run.lap | wanted)) return count;
    }
  }
  return count;
}

bool Ring::may_push() const noexcept {
  // The tail first: it then was full at the moment of the second load, if these say so.
  const std::uint64_t tail = tail_;
  return head_ + lap_unit_ != tail;
}

bool Ring::may_pop() const noexcept {
  const std::uint64_t head = head_;
  return tail_ != head;
}

std::size_t Ring::size() const noexcept {
  // Two words cannot be read as one: the head before and after shows whether they belong together.
  for (;;) {
    const std::uint64_t head = popped();
    const std::uint64_t tail = pushed();
    if (popped() == head) return static_cast<std::size_t>(tail - head);
  }
}

}  // namespace interlock
