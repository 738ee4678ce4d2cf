// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <signal.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "memory/arena.hpp"
#include "memory/message.hpp"
#include "memory/message_builder.hpp"

using namespace interlock;

namespace {

constexpr std::uint64_t kUnlimited = UINT64_MAX;

Ref<ArenaMemory> new_memory(std::uint64_t limit = kUnlimited) {
  return make_ref<ArenaMemory>(limit);
}

/// `count` pieces of `size` bytes each, written in one go.
std::vector<char *> write(ArenaMemory &memory, std::size_t size, std::size_t count, char value) {
  std::vector<char *> pieces;
  ArenaMemory::Writer writer(memory);
  for (std::size_t i = 0; i < count; ++i) {
    auto *const piece = static_cast<char *>(writer.allocate(size));
    cr_assert_not_null(piece);
    std::memset(piece, value, size);
    pieces.push_back(piece);
  }
  cr_assert(writer.commit());
  return pieces;
}

bool is_filled(const char *piece, std::size_t size, char value) {
  for (std::size_t i = 0; i < size; ++i) {
    if (piece[i] != value) return false;
  }
  return true;
}

}  // namespace

Test(arena, what_is_written_is_aligned_and_stays) {
  const Ref<ArenaMemory> memory = new_memory();
  const std::vector<char *> first = write(*memory, 24, 1000, 1);
  const std::vector<char *> second = write(*memory, 100, 20000, 2);
  const std::vector<char *> large = write(*memory, std::size_t{5} << 20, 2, 3);
  cr_assert_eq(memory->used(), 1000 * 32 + 20000 * 112 + (10 << 20));
  for (const char *each : first) cr_assert(is_filled(each, 24, 1));
  for (const char *each : second) cr_assert(is_filled(each, 100, 2));
  for (const char *each : large) cr_assert(is_filled(each, std::size_t{5} << 20, 3));
  for (const auto &all : {first, second, large}) {
    for (const char *each : all) {
      cr_assert_eq(reinterpret_cast<std::uintptr_t>(each) % ArenaMemory::kAlignment, 0);
      cr_assert_eq(ArenaMemory::of(each), memory.get());
    }
  }
}

Test(arena, small_writes_share_pages) {
  const Ref<ArenaMemory> memory = new_memory();
  const char *const first = write(*memory, 16, 1, 1)[0];
  for (int i = 1; i < 1000; ++i) cr_assert_eq(write(*memory, 16, 1, 1)[0], first + 16 * i);
}

Test(arena, other_addresses_are_in_none) {
  int local = 0;
  cr_assert_null(ArenaMemory::of(&local));
  const Ref<ArenaMemory> memory = new_memory();
  const char *const piece = write(*memory, 16, 1, 1)[0];
  cr_assert_null(ArenaMemory::of(&local));
  cr_assert_null(ArenaMemory::of(nullptr));
  cr_assert_null(ArenaMemory::of(reinterpret_cast<void *>(UINTPTR_MAX)));
  const Ref<ArenaMemory> other = new_memory();
  cr_assert_eq(ArenaMemory::of(write(*other, 16, 1, 1)[0]), other.get());
  cr_assert_eq(ArenaMemory::of(piece), memory.get());
}

Test(arena, a_write_that_is_not_committed_leaves_nothing) {
  const Ref<ArenaMemory> memory = new_memory();
  const char *const first = write(*memory, 16, 1, 1)[0];
  const char *far = nullptr;
  {
    ArenaMemory::Writer writer(*memory);
    cr_assert_eq(writer.allocate(16), first + 16);
    far = static_cast<char *>(writer.allocate(std::size_t{3} << 20));
    cr_assert_eq(ArenaMemory::of(far), memory.get());
  }
  cr_assert_null(ArenaMemory::of(far));
  cr_assert_eq(memory->used(), 16);
  cr_assert(is_filled(first, 16, 1));
  cr_assert_eq(write(*memory, 16, 1, 2)[0], first + 16);
}

Test(arena, a_limit_is_kept) {
  const Ref<ArenaMemory> memory = new_memory(100);
  (void)write(*memory, 48, 1, 1);
  ArenaMemory::Writer writer(*memory);
  cr_assert_not_null(writer.allocate(48));
  cr_assert(!writer.is_at_limit());
  cr_assert_null(writer.allocate(1));
  cr_assert(writer.is_at_limit());
  const Ref<ArenaMemory> unlimited = new_memory();
  ArenaMemory::Writer large(*unlimited);
  cr_assert_null(large.allocate(SIZE_MAX));
  cr_assert_null(large.allocate(SIZE_MAX / 8 * 7));  // even of 32 bits
  cr_assert(!large.is_at_limit());
}

Test(arena, writers_at_the_same_time_do_not_meet) {
  const Ref<ArenaMemory> memory = new_memory();
  constexpr int kThreads = 4;
  std::vector<std::vector<char *>> pieces(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 200; ++k) {
        for (char *each : write(*memory, 40, 10, static_cast<char>(i + 1)))
          pieces[static_cast<std::size_t>(i)].push_back(each);
      }
    });
  }
  for (std::thread &each : threads) each.join();
  for (int i = 0; i < kThreads; ++i) {
    for (const char *each : pieces[static_cast<std::size_t>(i)])
      cr_assert(is_filled(each, 40, static_cast<char>(i + 1)));
  }
  cr_assert_eq(memory->used(), kThreads * 200 * 10 * 48);
}

Test(arena, its_objects_cannot_be_written, .signal = SIGSEGV) {
  signal(SIGSEGV, SIG_DFL);  // a sanitizer may have a handler
  const Ref<ArenaMemory> memory = new_memory();
  volatile char *const piece = write(*memory, 16, 1, 1)[0];
  piece[0] = 2;
}

Test(arena, nor_those_before_the_last_write, .signal = SIGSEGV) {
  signal(SIGSEGV, SIG_DFL);  // a sanitizer may have a handler
  const Ref<ArenaMemory> memory = new_memory();
  volatile char *const piece = write(*memory, 16, 1, 1)[0];
  { const ArenaMemory::Writer undone(*memory); }
  piece[0] = 2;
}

Test(arena, closing_it_leaves_the_memory_to_who_has_objects) {
  const Ref<Arena> arena = make_ref<Arena>(kUnlimited);
  const char *const piece = write(*arena->memory(), 16, 1, 1)[0];
  Message message = Message::from_frozen(piece, *ArenaMemory::of(piece));
  MessageBuilder builder;
  builder.shared.emplace_back(arena->memory().get());
  builder.put(make_header(Tag::kNone));
  Message other;
  cr_assert(builder.take(other));
  arena->close();
  cr_assert(!arena->memory());
  cr_assert_not_null(ArenaMemory::of(piece));
  message = {};
  cr_assert_not_null(ArenaMemory::of(piece));
  other = {};
  cr_assert_null(ArenaMemory::of(piece));
}

Test(arena, a_message_of_a_frozen_object_is_its_address) {
  const Ref<ArenaMemory> memory = new_memory();
  const char *const piece = write(*memory, 16, 1, 1)[0];
  Message message = Message::from_frozen(piece, *ArenaMemory::of(piece));
  cr_assert(!message.empty());
  cr_assert(message.is_inline());
  cr_assert_null(message.body());
  cr_assert(message.type() == Message::Type::kOther);
  cr_assert(tag_of(message.header()) == Tag::kFrozen);
  cr_assert_eq(operand_of(message.header()), reinterpret_cast<std::uintptr_t>(piece));
  const Message moved = std::move(message);
  cr_assert(message.empty());
  cr_assert(!moved.as_int64());
  cr_assert(!moved.as_bytes());
  cr_assert_eq(moved.size(), sizeof moved);
}

Test(arena, a_copy_of_a_message_holds_it_too) {
  Ref<ArenaMemory> memory = new_memory();
  const char *const piece = write(*memory, 16, 1, 1)[0];
  Message message = Message::from_frozen(piece, *ArenaMemory::of(piece));
  Message copy = message.copy();
  memory = {};
  message = {};
  cr_assert_eq(operand_of(copy.header()), reinterpret_cast<std::uintptr_t>(piece));
  cr_assert_not_null(ArenaMemory::of(piece));
  copy = {};
  cr_assert_null(ArenaMemory::of(piece));
}

Test(arena, one_that_refers_to_another_keeps_it) {
  Ref<ArenaMemory> first = new_memory();
  Ref<ArenaMemory> second = new_memory();
  const char *const piece = write(*second, 16, 1, 1)[0];
  cr_assert(first->hold(*second));
  cr_assert(first->hold(*second));
  cr_assert(first->hold(*first));
  cr_assert(!second->hold(*first), "they would keep each other for ever");
  second = {};
  cr_assert_not_null(ArenaMemory::of(piece));
  first = {};
  cr_assert_null(ArenaMemory::of(piece));
}
