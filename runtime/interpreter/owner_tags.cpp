// SPDX-License-Identifier: MIT
#include "interpreter/owner_tags.hpp"

#ifdef INTERLOCK_OWNER_TAGS
#include <cstdio>

#include "base/python_compat.hpp"

namespace interlock::owner_tags {
namespace {

constexpr std::int64_t kNobody = -1;
constexpr std::uint64_t kLive = 0x5ec7a91e0b1ec7ed;
constexpr std::uint64_t kFreed = 0xdeadb10cdeadb10c;

/// In front of each block. The allocator may write its own into the first word once it is freed.
struct alignas(16) Tag {
  std::int64_t owner;
  std::uint64_t magic;
};

PyMemAllocatorEx object_allocator;
PyMemAllocatorEx memory_allocator;

[[nodiscard]] std::int64_t current() noexcept {
  PyThreadState *const state = PyThreadState_GetUnchecked();
  return state != nullptr ? PyInterpreterState_GetID(PyThreadState_GetInterpreter(state)) : kNobody;
}

[[nodiscard]] Tag *tag_before(const void *block) noexcept {
  return static_cast<Tag *>(const_cast<void *>(block)) - 1;
}

/// What stands before memory that the allocator did not give is anything, but hardly the magic.
__attribute__((no_sanitize("address"))) [[nodiscard]] std::uint64_t magic_of(
    const void *block) noexcept {
  return *const_cast<volatile std::uint64_t *>(&tag_before(block)->magic);
}

[[nodiscard]] bool has_tag(const void *block) noexcept {
  return block != nullptr && magic_of(block) == kLive;
}

struct Name {
  explicit Name(std::int64_t owner) {
    if (owner == kNobody) std::snprintf(text, sizeof text, "nobody");
    if (owner != kNobody)
      std::snprintf(text, sizeof text, "interpreter %lld", static_cast<long long>(owner));
  }
  char text[40];
};

[[noreturn]] void report(const void *block, const char *what, const char *done) noexcept {
  std::fprintf(stderr, "interlock: the ownership law is broken: %s of %s at %p: %s %s\n", what,
               Name(tag_before(block)->owner).text, block, done, Name(current()).text);
  std::abort();
}

void check_own(void *block, const char *done) noexcept {
  const std::int64_t owner = tag_before(block)->owner;
  if (owner != kNobody && owner != current()) report(block, "memory", done);
}

[[nodiscard]] void *tagged(void *memory) noexcept {
  if (memory == nullptr) return nullptr;
  auto *const tag = static_cast<Tag *>(memory);
  *tag = {current(), kLive};
  return tag + 1;
}

void *allocate(void *context, std::size_t size) {
  if (size > PY_SSIZE_T_MAX - sizeof(Tag)) return nullptr;
  const auto &under = *static_cast<PyMemAllocatorEx *>(context);
  return tagged(under.malloc(under.ctx, size + sizeof(Tag)));
}

void *allocate_zeroed(void *context, std::size_t count, std::size_t size) {
  if (size != 0 && count > (PY_SSIZE_T_MAX - sizeof(Tag)) / size) return nullptr;
  const auto &under = *static_cast<PyMemAllocatorEx *>(context);
  return tagged(under.calloc(under.ctx, 1, count * size + sizeof(Tag)));
}

void release(void *context, void *block) {
  if (block == nullptr) return;
  const auto &under = *static_cast<PyMemAllocatorEx *>(context);
  if (magic_of(block) == kFreed) report(block, "memory", "was freed twice, now by");
  if (!has_tag(block)) return under.free(under.ctx, block);  // from before install()
  check_own(block, "was freed by");
  tag_before(block)->magic = kFreed;
  under.free(under.ctx, tag_before(block));
}

void *resize(void *context, void *block, std::size_t size) {
  if (block == nullptr) return allocate(context, size);
  if (size > PY_SSIZE_T_MAX - sizeof(Tag)) return nullptr;
  const auto &under = *static_cast<PyMemAllocatorEx *>(context);
  if (!has_tag(block)) return under.realloc(under.ctx, block, size);
  check_own(block, "was resized by");
  void *const memory = under.realloc(under.ctx, tag_before(block), size + sizeof(Tag));
  return memory != nullptr ? static_cast<Tag *>(memory) + 1 : nullptr;
}

void put_around(PyMemAllocatorDomain domain, PyMemAllocatorEx &under) {
  PyMem_GetAllocator(domain, &under);
  PyMemAllocatorEx ours = {&under, allocate, allocate_zeroed, resize, release};
  PyMem_SetAllocator(domain, &ours);
}

}  // namespace

void install() noexcept {
  if (!SharedAllocator::is_in_use()) return;
  put_around(PYMEM_DOMAIN_OBJ, object_allocator);
  put_around(PYMEM_DOMAIN_MEM, memory_allocator);
  SharedAllocator::adopt();
}

void leave(void *block, const char *what) noexcept {
  if (!has_tag(block)) return;
  if (tag_before(block)->owner != current()) report(block, what, "was given away by");
  tag_before(block)->owner = kNobody;
}

void arrive(void *block, const char *what) noexcept {
  if (!has_tag(block)) return;
  if (tag_before(block)->owner == current()) return;  // made here for a place that was left open
  if (tag_before(block)->owner != kNobody) report(block, what, "was received by");
  tag_before(block)->owner = current();
}

void check(const void *block, const char *what, const char *holder) noexcept {
  if (!has_tag(block) || tag_before(block)->owner == current()) return;
  char done[200];
  std::snprintf(done, sizeof done, "was reached from %s of", holder);
  report(block, what, done);
}

}  // namespace interlock::owner_tags
#endif
