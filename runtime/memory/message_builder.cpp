// SPDX-License-Identifier: MIT
#include "memory/message_builder.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace interlock {
namespace {

constexpr std::size_t kHead = sizeof(Message::Body);

[[nodiscard]] void *block_of(std::uint64_t *first) noexcept {
  return reinterpret_cast<char *>(first) - kHead;
}

[[nodiscard]] std::uint64_t *words_of(void *block) noexcept {
  return reinterpret_cast<std::uint64_t *>(static_cast<char *>(block) + kHead);
}

}  // namespace

bool MessageBuilder::take(Message &message) noexcept {
  if (has_failed_) return false;
  const std::size_t count = size();
  if (count == 1 && shared.empty() && rebuilt == 0 && Message::fits_inline(*first_)) {
    message = Message::from_header(*first_);
    clear();
    return true;
  }
  void *block = nullptr;
  if (first_ == few_ || count <= kCopied) {
    block = std::malloc(kHead + count * sizeof(std::uint64_t));
    if (block == nullptr) return false;
    std::memcpy(words_of(block), first_, count * sizeof(std::uint64_t));
  } else {
    void *const whole = block_of(first_);
    block = std::realloc(whole, kHead + count * sizeof(std::uint64_t));
    if (block == nullptr) block = whole;  // too large, but as good
    first_ = few_;
    limit_ = few_ + kFew;
  }
  auto *const body = new (block) Message::Body(count);
  if (!shared.empty())
    body->shared_ = std::make_unique<const std::vector<Ref<Shared>>>(std::move(shared));
  body->plain_containers =
      static_cast<std::uint32_t>(std::min(plain_containers, std::size_t{UINT32_MAX}));
  body->objects = objects;
  body->rebuilt = rebuilt;
  body->is_flat = is_flat;
  message = Message(body);
  clear();
  return true;
}

bool MessageBuilder::grow(std::size_t count) noexcept {
  const std::size_t used = size();
  const std::size_t room = std::max(2 * static_cast<std::size_t>(limit_ - first_), used + count);
  if (room > (SIZE_MAX - kHead) / sizeof(std::uint64_t)) return false;
  const bool is_few = first_ == few_;
  void *const block =
      std::realloc(is_few ? nullptr : block_of(first_), kHead + room * sizeof(std::uint64_t));
  if (block == nullptr) return false;
  first_ = words_of(block);
  if (is_few) std::memcpy(first_, few_, used * sizeof(std::uint64_t));
  next_ = first_ + used;
  limit_ = first_ + room;
  return true;
}

void MessageBuilder::restart_after_failure() noexcept {
  has_failed_ = true;
  next_ = first_;
}

void MessageBuilder::free_block() noexcept {
  if (first_ != few_) std::free(block_of(first_));
}

}  // namespace interlock
