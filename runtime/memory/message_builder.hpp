// SPDX-License-Identifier: MIT
// Collects the records of a message. The first few need no memory of their own; a long message is
// not copied when it is done, since it is written where its Body will stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "memory/message.hpp"

namespace interlock {

/// Thread: one at a time. Want of memory shows at take().
class MessageBuilder {
 public:
  MessageBuilder() noexcept : first_(few_), next_(few_), limit_(few_ + kFew) {}
  MessageBuilder(const MessageBuilder &) = delete;
  MessageBuilder &operator=(const MessageBuilder &) = delete;
  ~MessageBuilder() { free_block(); }

  void put(std::uint64_t word) noexcept {
    if (next_ == limit_ && !grow(1)) [[unlikely]]
      restart_after_failure();
    *next_++ = word;
  }
  /// A header, then room for `size` bytes, which the caller writes; null for want of memory.
  [[nodiscard]] void *put_room(std::uint64_t header, std::size_t size) noexcept {
    const std::size_t words = words_for(size);
    if (words >= static_cast<std::size_t>(limit_ - next_) && !grow(1 + words)) [[unlikely]] {
      restart_after_failure();
      return nullptr;
    }
    std::uint64_t *const place = next_;
    next_ += 1 + words;
    next_[-1] = 0;  // what fills up the last word
    *place = header;
    return place + 1;
  }
  /// A header, then `size` bytes.
  void put_data(std::uint64_t header, const void *data, std::size_t size) noexcept {
    void *const room = put_room(header, size);
    if (room != nullptr && size != 0) std::memcpy(room, data, size);
  }
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(next_ - first_);
  }
  /// One of the words that were put; 0 if it went where nobody reads it, for want of memory.
  [[nodiscard]] std::uint64_t word(std::size_t index) const noexcept {
    return index < size() ? first_[index] : 0;
  }
  /// Forgets all but the first `count` words and `shared_count` of what they refer to.
  void truncate(std::size_t count, std::size_t shared_count) noexcept {
    next_ = first_ + count;
    shared.erase(shared.begin() + static_cast<std::ptrdiff_t>(shared_count), shared.end());
  }
  /// Forgets what was put.
  void clear() noexcept {
    next_ = first_;
    shared.clear();
    plain_containers = 0;
    objects = 1;
    rebuilt = 0;
    is_flat = false;
    has_failed_ = false;
  }
  /// The message; nothing is left here. False for want of memory.
  [[nodiscard]] bool take(Message &message) noexcept;

  std::vector<Ref<Shared>> shared;  // what records refer to by index
  // Of Message::Body.
  std::size_t plain_containers = 0;
  std::uint32_t objects = 1;
  std::uint32_t rebuilt = 0;
  bool is_flat = false;

 private:
  static constexpr std::size_t kFew = 64;
  static constexpr std::size_t kCopied = 512;  // words: up to so many are copied at the end

  [[nodiscard]] bool grow(std::size_t count) noexcept;
  /// Further words go where nobody will read them.
  void restart_after_failure() noexcept;
  void free_block() noexcept;

  std::uint64_t *first_;
  std::uint64_t *next_;
  std::uint64_t *limit_;
  bool has_failed_ = false;
  std::uint64_t few_[kFew];
};

}  // namespace interlock
