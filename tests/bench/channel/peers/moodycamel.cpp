// SPDX-License-Identifier: MIT
// moodycamel::BlockingConcurrentQueue, without tokens. It has no bounds, and keeps the order of one
// sender's items only.
#include <array>
#include <memory>
#if __has_include(<concurrentqueue/moodycamel/blockingconcurrentqueue.h>)
#include <concurrentqueue/moodycamel/blockingconcurrentqueue.h>
#else
#include <concurrentqueue/blockingconcurrentqueue.h>
#endif

#include "../harness.hpp"

namespace {

class Queue {
 public:
  static bool can(std::size_t capacity) { return capacity == bench::kUnbounded; }
  explicit Queue(std::size_t) {}

  void send(std::uint64_t number) { queue_.enqueue(number); }
  std::uint64_t recv() {
    std::uint64_t number = 0;
    queue_.wait_dequeue(number);
    return number;
  }
  void send_many(std::uint64_t first, std::size_t count) {
    std::array<std::uint64_t, bench::kBatch> numbers;
    for (std::size_t i = 0; i < count; ++i) numbers[i] = first + i;
    queue_.enqueue_bulk(numbers.begin(), count);
  }
  std::uint64_t recv_many(std::size_t most, std::uint64_t &taken) {
    std::array<std::uint64_t, bench::kBatch> numbers;
    taken = queue_.wait_dequeue_bulk(numbers.begin(), most);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < taken; ++i) sum += numbers[i];
    return sum;
  }

 private:
  moodycamel::BlockingConcurrentQueue<std::uint64_t> queue_;
};

}  // namespace

int main(int argc, char **argv) { return bench::run_main<Queue>("moodycamel", argc, argv); }
