// SPDX-License-Identifier: MIT
// boost::lockfree: `boost queue|spsc MILLISECONDS CPUS SCENARIO...`. Neither can block: here they
// spin.
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include "../harness.hpp"

namespace {

template <typename Try>
void until(Try attempt) {
  bench::Backoff backoff;
  while (!attempt()) backoff.wait();
}

class Queue {
 public:
  static bool can(std::size_t capacity) { return capacity != 0; }
  explicit Queue(std::size_t capacity)
      : bounded_(capacity != bench::kUnbounded), queue_(bounded_ ? capacity : 1024) {}

  void send(std::uint64_t number) {
    until([&] { return bounded_ ? queue_.bounded_push(number) : queue_.push(number); });
  }
  std::uint64_t recv() {
    std::uint64_t number = 0;
    until([&] { return queue_.pop(number); });
    return number;
  }

 private:
  const bool bounded_;
  boost::lockfree::queue<std::uint64_t> queue_;
};

class OneToOne {
 public:
  static constexpr bool kOneToOne = true;
  static bool can(std::size_t capacity) { return capacity != 0 && capacity != bench::kUnbounded; }
  explicit OneToOne(std::size_t capacity) : queue_(capacity) {}

  void send(std::uint64_t number) {
    until([&] { return queue_.push(number); });
  }
  std::uint64_t recv() {
    std::uint64_t number = 0;
    until([&] { return queue_.pop(number); });
    return number;
  }

 private:
  boost::lockfree::spsc_queue<std::uint64_t> queue_;
};

}  // namespace

int main(int argc, char **argv) {
  if (argc > 1 && std::string_view(argv[1]) == "spsc")
    return bench::run_main<OneToOne>("boost-spsc", argc - 1, argv + 1);
  return bench::run_main<Queue>("boost", argc - 1, argv + 1);
}
