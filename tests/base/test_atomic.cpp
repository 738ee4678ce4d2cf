// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "base/atomic.hpp"

using namespace interlock;

static_assert(Atomic<std::uint32_t>::is_always_lock_free, "threads wait on such words");
static_assert(Atomic<void *>::is_always_lock_free);

Test(atomic, words_of_64_bits_need_no_lock) {
  const Atomic<std::uint64_t> word{0};
  cr_assert(word.is_lock_free());
}

Test(atomic, words_of_64_bits_are_whole, .timeout = 60) {
  // Both halves of each value are the same; a torn one would show.
  constexpr std::uint64_t kBoth = 0x1'0000'0001;
  Atomic<std::uint64_t> word{0};
  Atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint32_t half = 0; !stop; ++half) word = half * kBoth;
  });
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t value = word;
    cr_assert_eq(value >> 32, value & 0xffff'ffff);
  }
  stop = true;
  writer.join();
}

Test(atomic, words_of_64_bits_count, .timeout = 60) {
  constexpr std::uint64_t kStart = 0xffff'ff00;  // carries into the upper half
  Atomic<std::uint64_t> word{kStart};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      // Relaxed: join() publishes.
      for (int i = 0; i < 20'000; ++i) fetch_add_relaxed(word, 1);
    });
  }
  for (auto &thread : threads) thread.join();
  cr_assert_eq(word.load(), kStart + 60'000);
}
