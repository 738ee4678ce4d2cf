// SPDX-License-Identifier: MIT
#include "channel/chain.hpp"

#include <utility>

namespace interlock {

Chain::Chain() : last_(new Block), first_(last_) {}

Chain::~Chain() {
  while (Block *const block = first_) {
    first_ = block->next;
    delete block;
  }
  delete spare_.load();
}

void Chain::append_block() {
  Block *block = spare_.exchange(nullptr);
  if (block == nullptr) block = new Block;
  last_->next = block;
  last_ = block;
  last_size_ = 0;
}

void Chain::drop_first_block() noexcept {
  Block *const drained = std::exchange(first_, first_->next);
  first_taken_ = 0;
  drained->next = nullptr;
  delete spare_.exchange(drained);
}

Attempt Chain::try_push_many(std::span<Message> messages, std::size_t &pushed) {
  MutexGuard guard(push_mutex_);
  if (is_closed()) return Attempt::kClosed;
  for (Message &message : messages) {
    if (last_size_ == kBlockSize) append_block();
    last_->messages[last_size_++] = std::move(message);
  }
  pushed = messages.size();
  // seq_cst: publishes the messages and their blocks, and is what a sleeper looks at.
  pushed_ += 2 * pushed;
  return Attempt::kDone;
}

Attempt Chain::try_pop_many(std::span<Message> messages, std::size_t &popped) noexcept {
  MutexGuard guard(pop_mutex_);
  const std::uint64_t tail = pushed_;
  // Relaxed: written under the lock that this thread holds.
  const std::uint64_t head = load_relaxed(popped_);
  const std::uint64_t there = (tail >> 1) - head;
  if (there == 0) return (tail & kClosed) != 0 ? Attempt::kClosed : Attempt::kEmpty;
  for (popped = 0; popped < messages.size() && popped < there; ++popped) {
    if (first_taken_ == kBlockSize) drop_first_block();
    messages[popped] = std::move(first_->messages[first_taken_++]);
  }
  popped_ = head + popped;
  return Attempt::kDone;
}

bool Chain::close() noexcept {
  MutexGuard guard(push_mutex_);
  return (pushed_.fetch_or(kClosed) & kClosed) == 0;
}

}  // namespace interlock
