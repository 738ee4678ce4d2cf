// SPDX-License-Identifier: MIT
// A vector of plain values whose first few need no memory of their own. Want of memory is a result,
// not an exception.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace interlock {

/// T is copied as bytes. References into it are valid until it grows.
template <typename T, std::size_t kFew>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  SmallVector() noexcept : begin_(few()), end_(begin_), limit_(begin_ + kFew) {}
  SmallVector(const SmallVector &) = delete;
  SmallVector &operator=(const SmallVector &) = delete;
  ~SmallVector() {
    if (begin_ != few()) std::free(begin_);
  }

  /// A new last value, not initialised; null for want of memory, and nothing has changed.
  [[nodiscard]] T *add() noexcept {
    if (end_ == limit_ && !grow()) [[unlikely]]
      return nullptr;
    return end_++;
  }
  void pop_back() noexcept { --end_; }
  void clear() noexcept { end_ = begin_; }

  [[nodiscard]] T &back() noexcept { return end_[-1]; }
  [[nodiscard]] const T &back() const noexcept { return end_[-1]; }
  [[nodiscard]] T &operator[](std::size_t index) noexcept { return begin_[index]; }
  [[nodiscard]] const T &operator[](std::size_t index) const noexcept { return begin_[index]; }
  [[nodiscard]] std::size_t size() const noexcept {
    return static_cast<std::size_t>(end_ - begin_);
  }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] T *begin() noexcept { return begin_; }
  [[nodiscard]] T *end() noexcept { return end_; }
  [[nodiscard]] const T *begin() const noexcept { return begin_; }
  [[nodiscard]] const T *end() const noexcept { return end_; }

 private:
  [[nodiscard]] T *few() noexcept { return reinterpret_cast<T *>(few_); }

  [[nodiscard]] bool grow() noexcept {
    const std::size_t count = size();
    const bool is_few = begin_ == few();
    void *const memory = std::realloc(is_few ? nullptr : begin_, 2 * count * sizeof(T));
    if (memory == nullptr) return false;
    if (is_few) std::memcpy(memory, few_, count * sizeof(T));
    begin_ = static_cast<T *>(memory);
    end_ = begin_ + count;
    limit_ = begin_ + 2 * count;
    return true;
  }

  T *begin_;
  T *end_;
  T *limit_;
  alignas(T) unsigned char few_[kFew * sizeof(T)];
};

}  // namespace interlock
