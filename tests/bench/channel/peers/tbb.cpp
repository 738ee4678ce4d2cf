// SPDX-License-Identifier: MIT
// tbb::concurrent_bounded_queue.
#include <tbb/concurrent_queue.h>

#include "../harness.hpp"

namespace {

class Queue {
 public:
  static bool can(std::size_t capacity) { return capacity != 0; }
  explicit Queue(std::size_t capacity) {
    if (capacity != bench::kUnbounded) queue_.set_capacity(static_cast<std::ptrdiff_t>(capacity));
  }

  void send(std::uint64_t number) { queue_.push(number); }
  std::uint64_t recv() {
    std::uint64_t number = 0;
    queue_.pop(number);
    return number;
  }

 private:
  tbb::concurrent_bounded_queue<std::uint64_t> queue_;
};

}  // namespace

int main(int argc, char **argv) { return bench::run_main<Queue>("tbb", argc, argv); }
