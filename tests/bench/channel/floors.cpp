// SPDX-License-Identifier: MIT
// What the hardware and the kernel allow, by the method of the other programs: a cache line there
// and back, a futex there and back, and two bare rings with the cells of a channel, which can only
// spin. `floors cacheline|futex|spsc|mpmc ...`.
#include <atomic>
#include <memory>

#include "harness.hpp"
#include "platform/wait.hpp"

using namespace interlock;

namespace {

constexpr std::size_t kLine = 64;

/// Two words in two cache lines. The other thread may share the processor: then it yields.
class Line {
 public:
  static bool can(std::size_t) { return true; }
  explicit Line(std::size_t) {}

  void send(std::uint64_t number) { word_.store(number, std::memory_order_release); }
  std::uint64_t recv() {
    const std::uint64_t wanted = ++last_;
    bench::Backoff backoff;
    while (word_.load(std::memory_order_acquire) != wanted) backoff.wait();
    return wanted;
  }

 private:
  alignas(kLine) std::atomic<std::uint64_t> word_{0};
  alignas(kLine) std::uint64_t last_ = 0;
};

/// Sleeps in the kernel for every message.
class SleepingWord {
 public:
  static bool can(std::size_t) { return true; }
  explicit SleepingWord(std::size_t) {}

  void send(std::uint64_t number) {
    word_ = static_cast<std::uint32_t>(number);
    wake_one(word_);
  }
  std::uint64_t recv() {
    const std::uint32_t old = last_++;
    while (word_ == old) (void)wait_on_address(word_, old, Deadline::never());
    return last_;
  }

 private:
  alignas(kLine) Atomic<std::uint32_t> word_{0};
  alignas(kLine) std::uint32_t last_ = 0;
};

/// One sender, one receiver: the state of a cell tells whose turn it is.
class SlotRing {
 public:
  static constexpr bool kOneToOne = true;
  static bool can(std::size_t capacity) { return capacity != 0 && capacity != bench::kUnbounded; }
  explicit SlotRing(std::size_t capacity) : size_(capacity), cells_(new Cell[capacity]) {}

  void send(std::uint64_t number) {
    Cell &cell = cells_[tail_];
    bench::Backoff backoff;
    while (cell.full.load(std::memory_order_acquire) != 0) backoff.wait();
    cell.value = number;
    cell.full.store(1, std::memory_order_release);
    if (++tail_ == size_) tail_ = 0;
  }
  std::uint64_t recv() {
    Cell &cell = cells_[head_];
    bench::Backoff backoff;
    while (cell.full.load(std::memory_order_acquire) == 0) backoff.wait();
    const std::uint64_t number = cell.value;
    cell.full.store(0, std::memory_order_release);
    if (++head_ == size_) head_ = 0;
    return number;
  }

 private:
  struct Cell {
    std::atomic<std::uint64_t> full{0};
    std::uint64_t value = 0;
  };
  const std::size_t size_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kLine) std::size_t tail_ = 0;
  alignas(kLine) std::size_t head_ = 0;
};

/// Many senders, many receivers: Dmitry Vyukov's bounded MPMC queue. Capacities are powers of two.
class TicketRing {
 public:
  static bool can(std::size_t capacity) { return capacity > 1 && capacity != bench::kUnbounded; }
  explicit TicketRing(std::size_t capacity) : mask_(capacity - 1), cells_(new Cell[capacity]) {
    for (std::size_t i = 0; i < capacity; ++i) cells_[i].turn.store(i);
  }

  void send(std::uint64_t number) {
    std::uint64_t ticket = 0;
    Cell &cell = claim(tail_, 0, ticket);
    cell.value = number;
    cell.turn.store(ticket + 1, std::memory_order_release);
  }
  std::uint64_t recv() {
    std::uint64_t ticket = 0;
    Cell &cell = claim(head_, 1, ticket);
    const std::uint64_t number = cell.value;
    cell.turn.store(ticket + mask_ + 1, std::memory_order_release);
    return number;
  }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn{0};
    std::uint64_t value = 0;
  };

  Cell &claim(std::atomic<std::uint64_t> &word, std::uint64_t offset, std::uint64_t &ticket) {
    bench::Backoff backoff;
    ticket = word.load(std::memory_order_relaxed);
    for (;;) {
      Cell &cell = cells_[ticket & mask_];
      const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == ticket + offset) {
        if (word.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed)) return cell;
      } else {
        if (turn < ticket + offset) backoff.wait();
        ticket = word.load(std::memory_order_relaxed);
      }
    }
  }

  const std::uint64_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(kLine) std::atomic<std::uint64_t> tail_{0};
  alignas(kLine) std::atomic<std::uint64_t> head_{0};
};

}  // namespace

int main(int argc, char **argv) {
  const std::string_view which = argc > 1 ? argv[1] : "";
  const auto go = [&]<typename Q>(const char *name) {
    return bench::run_main<Q>(name, argc - 1, argv + 1);
  };
  if (which == "cacheline") return go.operator()<Line>("cacheline");
  if (which == "futex") return go.operator()<SleepingWord>("futex");
  if (which == "spsc") return go.operator()<SlotRing>("bare-spsc");
  if (which == "mpmc") return go.operator()<TicketRing>("bare-mpmc");
  std::fprintf(stderr, "usage: %s cacheline|futex|spsc|mpmc MILLISECONDS CPUS SCENARIO...\n",
               argv[0]);
  return 2;
}
