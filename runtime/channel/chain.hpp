// SPDX-License-Identifier: MIT
// An unbounded buffer of messages: a chain of blocks with a lock at either end (Michael and Scott,
// 'Simple, Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms', 1996, the
// two-lock queue). Senders meet only senders, receivers only receivers; who finds a lock held by a
// thread that does not run sleeps instead of spinning. The same operations as Ring.
// Locks: push_mutex_ and pop_mutex_ (kChannel), never both at once, guard what stands below them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/atomic.hpp"
#include "channel/attempt.hpp"
#include "lock/mutex.hpp"
#include "memory/message.hpp"

namespace interlock {

class Chain {
 public:
  Chain();
  ~Chain();
  Chain(const Chain &) = delete;
  Chain &operator=(const Chain &) = delete;
  [[nodiscard]] bool is_valid() const noexcept { return true; }

  [[nodiscard]] bool push_if_free(Message &message) { return try_push(message) == Attempt::kDone; }
  [[nodiscard]] bool pop_if_filled(Message &message) noexcept {
    return may_pop() && try_pop(message) == Attempt::kDone;
  }
  [[nodiscard]] Attempt try_push(Message &message) {
    std::size_t pushed = 0;
    return try_push_many({&message, 1}, pushed);
  }
  [[nodiscard]] Attempt try_push_many(std::span<Message> messages, std::size_t &pushed);
  [[nodiscard]] Attempt try_pop(Message &message) noexcept {
    std::size_t popped = 0;
    return try_pop_many({&message, 1}, popped);
  }
  [[nodiscard]] Attempt try_pop_many(std::span<Message> messages, std::size_t &popped) noexcept;

  [[nodiscard]] bool may_push() const noexcept { return true; }
  [[nodiscard]] bool may_pop() const noexcept {
    const std::uint64_t head = popped_;
    return pushed_ != 2 * head;
  }
  [[nodiscard]] bool looks_pushable() const noexcept { return true; }
  [[nodiscard]] bool looks_poppable() const noexcept { return may_pop(); }

  bool close() noexcept;
  [[nodiscard]] bool is_closed() const noexcept { return (pushed_ & kClosed) != 0; }
  [[nodiscard]] std::size_t size() const noexcept {
    const std::uint64_t head = popped_;  // first: there never were fewer pushed than popped
    return static_cast<std::size_t>(pushed() - head);
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return SIZE_MAX; }
  /// About once in sixteen calls. Relaxed: any value will do.
  [[nodiscard]] bool is_sixteenth_push() const noexcept {
    return (load_relaxed(pushed_) & 30) == 0;
  }
  [[nodiscard]] bool is_sixteenth_pop() const noexcept { return (load_relaxed(popped_) & 15) == 0; }
  [[nodiscard]] std::uint64_t pushed() const noexcept { return pushed_ >> 1; }
  [[nodiscard]] std::uint64_t popped() const noexcept { return popped_; }

 private:
  static constexpr std::uint64_t kClosed = 1;
  static constexpr std::size_t kBlockSize = 63;
  struct Block {
    Block *next = nullptr;
    Message messages[kBlockSize];
  };
  void append_block();
  void drop_first_block() noexcept;

  Atomic<Block *> spare_{nullptr};  // a drained block, for the next one that is needed

  alignas(64) Mutex push_mutex_{LockRank::kChannel};
  Block *last_;
  std::size_t last_size_ = 0;
  Atomic<std::uint64_t> pushed_{0};  // twice the messages that have gone in; bit 0: kClosed

  alignas(64) Mutex pop_mutex_{LockRank::kChannel};
  Block *first_;
  std::size_t first_taken_ = 0;
  Atomic<std::uint64_t> popped_{0};
};

}  // namespace interlock
