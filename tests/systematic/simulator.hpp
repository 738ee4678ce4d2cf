// SPDX-License-Identifier: MIT
// Runs the threads of a scenario one at a time, on OS threads that pass a baton, so that
// thread_local state is the product's own. At every access to an Atomic it decides who goes on: a
// thread, the oldest entry of a thread's store buffer, or a timer. Decisions follow a seed: a
// random walk; random priorities that change at a few places (PCT: Burckhardt et al., 'A Randomized
// Scheduler with Probabilistic Guarantees of Finding Bugs', ASPLOS 2010); or a search of all
// schedules with at most a few preemptions (Musuvathi and Qadeer, 'Iterative Context Bounding',
// PLDI 2007).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/atomic.hpp"
#include "platform/clock.hpp"
#include "platform/wait.hpp"

namespace interlock::systematic {

enum class Strategy : std::uint8_t { kRandom, kPriorities, kSearch };
[[nodiscard]] const char *strategy_name(Strategy strategy) noexcept;

/// What the process of a scenario exits with when a schedule has failed.
constexpr int kFound = 3;

/// When a wait with a deadline may time out.
enum class Timers : std::uint8_t {
  kNever,     // never: a deadline must not hide a lost wake-up
  kWhenIdle,  // when nothing else can happen
  kAnyTime,   // whenever the scheduler likes
};

class Run;

struct Scenario {
  const char *name;
  Timers timers;
  int preemptions;  // for kSearch
  void (*body)(Run &);
};

/// Of a thread or a timer, or of the oldest store in a buffer.
struct Candidate {
  enum class Kind : std::uint8_t { kThread, kTimer, kStore };
  Kind kind;
  int thread;
};

/// What a strategy decides. Thread: the one with the baton.
class Chooser {
 public:
  void begin(Strategy strategy, std::uint64_t seed, int threads, int preemptions,
             std::uint64_t length);
  /// `running`: the thread that asks, -1 if it cannot go on; `relaxed`: it spins.
  [[nodiscard]] std::size_t choose(const std::vector<Candidate> &candidates, int running,
                                   bool relaxed);
  /// One of `count`, where fairness plays no part.
  [[nodiscard]] std::size_t any_of(std::size_t count);
  [[nodiscard]] bool one_in(std::uint64_t count);
  [[nodiscard]] bool spurious() const noexcept { return spurious_; }
  [[nodiscard]] bool hasty() const noexcept { return hasty_; }
  /// Time passes fast, as seen by threads that are slow: patience ends.
  [[nodiscard]] bool slow() const noexcept { return slow_; }
  [[nodiscard]] bool same_processor() const noexcept { return same_processor_; }

  /// kSearch: the decisions so far as text, and on to the next schedule; false after the last.
  [[nodiscard]] std::string path() const;
  void set_path(const std::string &text);
  [[nodiscard]] bool next_path();

 private:
  struct Decision {
    std::uint32_t taken;
    std::uint32_t count;
  };
  [[nodiscard]] std::uint64_t next_random();
  [[nodiscard]] std::size_t choose_searching(const std::vector<Candidate> &candidates, int running,
                                             bool relaxed);
  [[nodiscard]] std::size_t choose_by_priority(const std::vector<Candidate> &candidates,
                                               int running, bool relaxed);
  [[nodiscard]] std::size_t choose_at_random(const std::vector<Candidate> &candidates, int running,
                                             bool relaxed);
  [[nodiscard]] std::size_t decide(std::size_t count);

  Strategy strategy_ = Strategy::kRandom;
  std::uint64_t state_ = 1;
  std::uint64_t step_ = 0;
  int threads_ = 0;
  bool spurious_ = false;
  bool hasty_ = false;
  bool slow_ = false;
  bool same_processor_ = true;
  std::uint64_t stickiness_ = 0;  // of 8
  std::vector<std::int64_t> priorities_;
  std::int64_t lowest_ = 0;
  std::vector<std::uint64_t> changes_;
  int preemptions_left_ = 0;
  std::size_t depth_ = 0;
  std::vector<Decision> decisions_;
};

/// One execution of a scenario.
class Run {
 public:
  /// `length`: about how many steps there will be, for kPriorities.
  Run(const Scenario &scenario, Chooser &chooser, Strategy strategy, std::uint64_t seed,
      std::uint64_t length);
  ~Run();
  Run(const Run &) = delete;
  Run &operator=(const Run &) = delete;

  /// Adds a thread; it starts with go().
  void thread(std::function<void()> body);
  /// Runs the threads until all have ended.
  void go();
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  /// A stamp that grows with every step.
  [[nodiscard]] std::int64_t stamp() noexcept { return static_cast<std::int64_t>(++stamps_); }

  /// Prints the schedule and how to repeat it, and ends the process.
  [[noreturn]] void fail(const std::string &reason);

  // For the simulated platform and the Atomic; on a thread of this run.
  void step(bool relaxed);
  /// For the threads of a scenario: lets others run.
  void pause() { step(true); }
  /// Moves time on.
  void let_pass(std::int64_t ns) noexcept { now_ += ns; }
  /// Whether `thread`, counted from 0 in the order of thread(), sleeps and nobody has woken it.
  [[nodiscard]] bool is_asleep(int thread) const noexcept;
  [[nodiscard]] WaitResult wait(const void *word, Deadline deadline);
  void wake(const void *word, bool all);
  [[nodiscard]] std::int64_t clock();
  void drain_all();

  struct Thread;
  struct Store {
    void *word;
    std::uint8_t value[8];
    std::size_t size;
  };
  struct Event {
    int thread;
    const char *operation;
    const void *word;
    std::uint64_t before;
    std::uint64_t after;
    Place place;
  };
  void note(const char *operation, const void *word, std::uint64_t before, std::uint64_t after,
            Place place);
  /// The run that the calling thread is of, or null.
  [[nodiscard]] static Run *current() noexcept;
  [[nodiscard]] static int current_thread_id() noexcept;
  [[nodiscard]] Chooser &chooser() noexcept { return chooser_; }
  void forget(const void *word);

 private:
  friend struct EndOfThread;
  static void *run_thread(void *argument);
  [[nodiscard]] std::vector<Candidate> candidates() const;
  void drain_one(Thread &thread);
  void time_out(Thread &thread);
  /// Decides until a thread is to run; the caller hands over to it.
  [[nodiscard]] Thread &next_thread(bool relaxed);
  void idle();
  void switch_to(Thread &next);
  void end_thread();
  void print_state() const;
  void print_events() const;

  const Scenario &scenario_;
  Chooser &chooser_;
  const Strategy strategy_;
  const std::uint64_t seed_;
  const std::uint64_t length_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Event> events_;
  Thread *running_ = nullptr;
  void *ended_ = nullptr;  // sem_t
  std::uint64_t steps_ = 0;
  std::uint64_t stamps_ = 0;
  std::int64_t now_ = 1'000'000'000;
};

/// What available_parallelism() says: with 1, the product does not spin. Before the first run.
void set_processors(unsigned count) noexcept;

/// Fails the run unless `condition`. Thread: any of a run, or the one that called go().
void expect(bool condition, const char *what);

/// Registered scenarios.
[[nodiscard]] std::vector<Scenario> &scenarios();
struct Registration {
  Registration(const Scenario &scenario) { scenarios().push_back(scenario); }  // NOLINT
};

/// SCENARIO(name, timers, preemptions) { ... run ... }
#define SCENARIO(name, timers, preemptions)                                          \
  void scenario_##name([[maybe_unused]] interlock::systematic::Run &run);            \
  const interlock::systematic::Registration registration_##name{                     \
      {#name, interlock::systematic::Timers::timers, preemptions, scenario_##name}}; \
  void scenario_##name([[maybe_unused]] interlock::systematic::Run &run)

}  // namespace interlock::systematic
