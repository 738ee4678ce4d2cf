// SPDX-License-Identifier: MIT
// What the hardware and the kernel allow: the median time of a round trip between two threads, once
// by spinning on a cache line, once by sleeping in the kernel. Prints both in microseconds.
#include <algorithm>
#include <cstdio>
#include <thread>
#include <vector>

#include "platform/clock.hpp"
#include "platform/wait.hpp"

using namespace interlock;

namespace {

constexpr int kRounds = 5000;
std::atomic<std::uint32_t> word{0};

void wait_spinning(std::uint32_t wanted) {
  while (word != wanted) {
  }
}

void wait_sleeping(std::uint32_t wanted) {
  for (std::uint32_t seen = word; seen != wanted; seen = word)
    (void)wait_on_address(word, seen, Deadline::never());
}

double median_us(void (*wait)(std::uint32_t), bool wake) {
  const auto pass = [&](std::uint32_t value) {
    word = value;
    if (wake) wake_one(word);
  };
  word = 0;
  std::thread other([&] {
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      wait(2 * i + 1);
      pass(2 * i + 2);
    }
  });
  std::vector<std::int64_t> times;
  for (std::uint32_t i = 0; i < kRounds; ++i) {
    const std::int64_t start = monotonic_ns();
    pass(2 * i + 1);
    wait(2 * i + 2);
    times.push_back(monotonic_ns() - start);
  }
  other.join();
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  return static_cast<double>(times[kRounds / 2]) / 1e3;
}

}  // namespace

int main() {
  std::printf("%.3f %.3f\n", median_us(wait_spinning, false), median_us(wait_sleeping, true));
}
