// SPDX-License-Identifier: MIT
// What every C++ program of `make bench-channel` shares, ours and the peers: threads on chosen
// processors, time taken inside them, and the scenarios over a queue type Q:
//
//     explicit Q(std::size_t capacity);  void send(std::uint64_t);  std::uint64_t recv();
//
// and can(capacity); where it has them: send_many(n from a number on), recv_many(at most n, returns
// their sum), recv_either(a, b), sleep_at_once() for waits that do not spin, kOneToOne.
//
// Arguments: MILLISECONDS CPUS SCENARIO...; CPUS is "0,1" (one thread on each, in turn) or "any".
// Prints a line for each scenario: peer, scenario, placement, nanoseconds for a message or trip.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace bench {

constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kBatch = 64;
constexpr std::size_t kRoundTripCapacity = 64;
constexpr std::int64_t kIdleTripNs = 600'000;  // about, with both sleeps

using Bodies = std::vector<std::function<void()>>;

struct Placement {
  std::vector<int> cpus;  // empty: wherever the kernel likes

  explicit Placement(const char *text) {
    if (std::string_view(text) == "any") return;
    for (const char *at = text;;) {
      char *end = nullptr;
      cpus.push_back(static_cast<int>(std::strtol(at, &end, 10)));
      if (*end == '\0') return;
      at = end + 1;
    }
  }

  [[nodiscard]] bool alone() const { return cpus.empty() ? false : cpus.front() == cpus.back(); }
  [[nodiscard]] const char *name() const {
    return cpus.empty() ? "unpinned" : alone() ? "same" : "split";
  }
  /// Pins the calling thread, the `index`th of its run.
  void enter(std::size_t index) const {
    if (cpus.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<unsigned>(cpus[index % cpus.size()]), &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) std::abort();
  }
};

inline std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

inline void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// How bare rings and queues that cannot block wait. A thread that spins holds up whoever shares
/// its processor, so where threads may share one, it yields after a while.
class Backoff {
 public:
  static inline bool may_share = false;

  void wait() {
    if (may_share && ++spins_ > 64) {
      sched_yield();
    } else {
      pause();
    }
  }

 private:
  int spins_ = 0;
};

/// Runs every body on a thread of its own. Returns the nanoseconds from when the first began until
/// the last had ended, as they saw it: a thread that watches may be starved, and read anything.
inline std::int64_t run(const Placement &placement, const Bodies &bodies) {
  std::barrier start(static_cast<std::ptrdiff_t>(bodies.size()));
  std::vector<std::pair<std::int64_t, std::int64_t>> times(bodies.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    threads.emplace_back([&, i] {
      placement.enter(i);
      start.arrive_and_wait();
      const std::int64_t begin = now_ns();
      bodies[i]();
      times[i] = {begin, now_ns()};
    });
  }
  for (auto &thread : threads) thread.join();
  std::int64_t begin = times[0].first;
  std::int64_t end = times[0].second;
  for (const auto &[each_begin, each_end] : times) {
    begin = std::min(begin, each_begin);
    end = std::max(end, each_end);
  }
  return end - begin;
}

/// Grows the count until a run takes about the budget. A run in which a thread lost its processor
/// shows as far slower than an earlier one: then the median of three. `once`: count -> nanoseconds.
template <typename Once>
double measure(std::int64_t budget_ns, Once once) {
  double count = 512;
  double best = std::numeric_limits<double>::max();
  std::vector<double> long_runs;
  for (;;) {
    const auto messages = (static_cast<std::uint64_t>(count) / (4 * kBatch) + 1) * (4 * kBatch);
    const double ns = std::max(static_cast<double>(once(messages)), 1.0);
    const double each = ns / static_cast<double>(messages);
    best = std::min(best, each);
    if (ns >= static_cast<double>(budget_ns) / 2) {
      long_runs.push_back(each);
      if (each < 2 * best) return each;
      if (long_runs.size() == 3) break;
    }
    count = std::min(16 * count, static_cast<double>(budget_ns) / best);
  }
  std::sort(long_runs.begin(), long_runs.end());
  return long_runs[1];
}

inline void check(bool right, const char *what) {
  if (right) return;
  std::fprintf(stderr, "wrong result: %s\n", what);
  std::abort();
}

/// Messages 1..count of each of `pairs` senders, taken by as many receivers.
template <typename Q>
std::int64_t stream(const Placement &placement, std::size_t capacity, std::size_t pairs,
                    std::uint64_t count, bool batches) {
  Q queue(capacity);
  const std::uint64_t each = count / pairs;
  std::vector<std::uint64_t> sums(pairs);
  Bodies bodies;
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    bodies.emplace_back([&] {
      if constexpr (requires { queue.send_many(std::uint64_t{}, std::size_t{}); }) {
        if (batches) {
          for (std::uint64_t i = 1; i <= each; i += kBatch) queue.send_many(i, kBatch);
          return;
        }
      }
      for (std::uint64_t i = 1; i <= each; ++i) queue.send(i);
    });
    bodies.emplace_back([&, pair] {
      std::uint64_t sum = 0;
      if constexpr (requires(std::uint64_t & taken) { queue.recv_many(std::size_t{}, taken); }) {
        if (batches) {
          for (std::uint64_t left = each; left > 0;) {
            std::uint64_t taken = 0;
            sum += queue.recv_many(std::min<std::size_t>(left, kBatch), taken);
            left -= taken;
          }
          sums[pair] = sum;
          return;
        }
      }
      for (std::uint64_t i = 0; i < each; ++i) sum += queue.recv();
      sums[pair] = sum;
    });
  }
  const std::int64_t ns = run(placement, bodies);
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  check(sum == pairs * (each * (each + 1) / 2), "the sum of a stream");
  return ns;
}

/// A number there and back, over a queue in each direction.
template <typename Q>
std::int64_t round_trip(const Placement &placement, std::uint64_t count, bool asleep) {
  Q there(kRoundTripCapacity);
  Q back(kRoundTripCapacity);
  const auto prepare = [asleep] {
    if constexpr (requires { Q::sleep_at_once(); }) {
      if (asleep) Q::sleep_at_once();
    }
  };
  return run(placement, {[&] {
                           prepare();
                           for (std::uint64_t i = 1; i <= count; ++i) {
                             there.send(i);
                             check(back.recv() == i, "a round trip");
                           }
                         },
                         [&] {
                           prepare();
                           for (std::uint64_t i = 1; i <= count; ++i) back.send(there.recv());
                         }});
}

/// The same, but each side sleeps for a while before it sends, so that the other is asleep as well,
/// however long it spins. The sleeps are not counted.
template <typename Q>
std::int64_t round_trip_from_sleep(const Placement &placement, std::uint64_t count) {
  constexpr std::chrono::microseconds kHold{200};
  Q there(kRoundTripCapacity);
  Q back(kRoundTripCapacity);
  std::int64_t trips = 0;
  std::int64_t held = 0;
  run(placement, {[&] {
                    for (std::uint64_t i = 1; i <= count; ++i) {
                      std::this_thread::sleep_for(kHold);
                      const std::int64_t sent = now_ns();
                      there.send(i);
                      check(back.recv() == i, "a round trip");
                      trips += now_ns() - sent;
                    }
                  },
                  [&] {
                    for (std::uint64_t i = 1; i <= count; ++i) {
                      const std::uint64_t number = there.recv();
                      const std::int64_t received = now_ns();
                      std::this_thread::sleep_for(kHold);
                      held += now_ns() - received;
                      back.send(number);
                    }
                  }});
  return trips - held;
}

/// One sender to two queues in turn, one receiver that takes from whichever has a message.
template <typename Q>
std::int64_t select_of_two(const Placement &placement, std::size_t capacity, std::uint64_t count) {
  Q first(capacity);
  Q second(capacity);
  std::uint64_t sum = 0;
  const std::int64_t ns = run(placement, {[&] {
                                            for (std::uint64_t i = 1; i <= count; i += 2) {
                                              first.send(i);
                                              second.send(i + 1);
                                            }
                                          },
                                          [&] {
                                            for (std::uint64_t i = 0; i < count; ++i)
                                              sum += Q::recv_either(first, second);
                                          }});
  check(sum == count * (count + 1) / 2, "the sum of a select");
  return ns;
}

inline std::size_t capacity_of(std::string_view scenario) {
  const std::string text(scenario.substr(scenario.rfind('-') + 1));
  return text == "unbounded" ? kUnbounded : std::strtoull(text.c_str(), nullptr, 10);
}

/// Nanoseconds, or below 0 where Q has no such thing.
template <typename Q>
double measure_scenario(const Placement &placement, std::int64_t budget_ns, std::string_view name) {
  const auto starts = [name](std::string_view with) { return name.substr(0, with.size()) == with; };
  const std::size_t capacity = capacity_of(name);
  Backoff::may_share = placement.alone() || placement.cpus.empty() || starts("stream-2p2c");
  if (starts("roundtrip")) {
    if (!Q::can(kRoundTripCapacity) && !Q::can(kUnbounded)) return -1;
    if (name == "roundtrip-idle") {
      const auto count = static_cast<std::uint64_t>(budget_ns / kIdleTripNs + 1);
      return static_cast<double>(round_trip_from_sleep<Q>(placement, count)) /
             static_cast<double>(count);
    }
    const bool asleep = name == "roundtrip-parked";
    return measure(budget_ns, [&](auto count) { return round_trip<Q>(placement, count, asleep); });
  }
  if (!Q::can(capacity)) return -1;
  if (starts("select")) {
    if constexpr (requires(Q & queue) { Q::recv_either(queue, queue); })
      return measure(budget_ns, [&](auto n) { return select_of_two<Q>(placement, capacity, n); });
    return -1;
  }
  const bool batches = starts("batch");
  if constexpr (!requires(Q & queue) { queue.send_many(std::uint64_t{}, std::size_t{}); })
    if (batches) return -1;
  const std::size_t pairs = starts("stream-2p2c") ? 2 : 1;
  if constexpr (requires { Q::kOneToOne; })
    if (pairs != 1) return -1;
  return measure(budget_ns,
                 [&](auto n) { return stream<Q>(placement, capacity, pairs, n, batches); });
}

template <typename Q>
int run_main(const char *peer, int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s MILLISECONDS CPUS SCENARIO...\n", argv[0]);
    return 2;
  }
  const std::int64_t budget_ns = std::atoll(argv[1]) * 1'000'000;
  const Placement placement(argv[2]);
  for (int i = 3; i < argc; ++i) {
    const double ns = measure_scenario<Q>(placement, budget_ns, argv[i]);
    if (ns >= 0) std::printf("%s %s %s %.2f\n", peer, argv[i], placement.name(), ns);
  }
  return 0;
}

}  // namespace bench
