// SPDX-License-Identifier: MIT
// What one writes by hand: a std::deque under a std::mutex, with a condition variable for each
// side.
#include <condition_variable>
#include <deque>
#include <mutex>

#include "../harness.hpp"

namespace {

class Queue {
 public:
  static bool can(std::size_t capacity) { return capacity != 0; }
  explicit Queue(std::size_t capacity) : capacity_(capacity) {}

  void send(std::uint64_t number) {
    {
      std::unique_lock lock(mutex_);
      has_room_.wait(lock, [this] { return numbers_.size() < capacity_; });
      numbers_.push_back(number);
    }
    has_number_.notify_one();
  }
  std::uint64_t recv() {
    std::uint64_t number = 0;
    {
      std::unique_lock lock(mutex_);
      has_number_.wait(lock, [this] { return !numbers_.empty(); });
      number = numbers_.front();
      numbers_.pop_front();
    }
    has_room_.notify_one();
    return number;
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable has_room_;
  std::condition_variable has_number_;
  std::deque<std::uint64_t> numbers_;
};

}  // namespace

int main(int argc, char **argv) { return bench::run_main<Queue>("condvar", argc, argv); }
