// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <signal.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "platform/memory.hpp"

using namespace interlock;

namespace {
constexpr std::size_t kAlignment = std::size_t{1} << 20;
}

Test(memory, pages_are_zero_aligned_and_writable) {
  for (const std::size_t size : {page_size(), 3 * kAlignment}) {
    auto *const memory = static_cast<char *>(map_memory(size, kAlignment));
    cr_assert_not_null(memory);
    cr_assert_eq(reinterpret_cast<std::uintptr_t>(memory) % kAlignment, 0);
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) cr_assert_eq(memory[at], 0);
    std::memset(memory, 1, size);
    unmap_memory(memory, size);
  }
}

Test(memory, what_is_read_only_can_be_read_and_made_writable_again) {
  auto *const memory = static_cast<char *>(map_memory(2 * page_size(), page_size()));
  memory[0] = 5;
  cr_assert(make_read_only(memory, page_size()));
  cr_assert_eq(memory[0], 5);
  memory[page_size()] = 6;  // the next page is not meant
  cr_assert(make_writable(memory, page_size()));
  memory[0] = 7;
  cr_assert_eq(memory[0] + memory[page_size()], 13);
  unmap_memory(memory, 2 * page_size());
}

Test(memory, more_than_there_is_gives_null) {
  cr_assert_null(map_memory(SIZE_MAX / 8 * 7 / kAlignment * kAlignment, kAlignment));
  cr_assert_null(map_memory(SIZE_MAX / kAlignment * kAlignment, kAlignment));
}

Test(memory, a_write_to_a_read_only_page_ends_the_process, .signal = SIGSEGV) {
  signal(SIGSEGV, SIG_DFL);  // a sanitizer may have a handler
  auto *const memory = static_cast<volatile char *>(map_memory(page_size(), page_size()));
  cr_assert(make_read_only(const_cast<char *>(memory), page_size()));
  memory[0] = 1;
}
