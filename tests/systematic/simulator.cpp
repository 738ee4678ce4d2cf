// SPDX-License-Identifier: MIT
#include "simulator.hpp"

#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace interlock::systematic {
namespace {

constexpr std::uint64_t kMostSteps = 100'000;
constexpr std::size_t kStackBytes = 256u << 10;
constexpr std::size_t kEventsShown = 400;

thread_local Run *this_run = nullptr;
thread_local Run::Thread *this_thread = nullptr;
Run *latest_run = nullptr;  // for expect() outside a thread

void wait_for(sem_t &semaphore) {
  while (sem_wait(&semaphore) != 0) continue;
}

}  // namespace

struct Run::Thread {
  enum class State : std::uint8_t { kRunnable, kWaiting, kEnded };
  Thread(Run &owner, int number, std::function<void()> function)
      : run(owner), id(number), body(std::move(function)) {}
  Run &run;
  const int id;
  const std::function<void()> body;
  State state = State::kRunnable;
  std::deque<Store> stores;
  const void *word = nullptr;  // waited for
  Deadline deadline;
  WaitResult result = WaitResult::kWoken;
  sem_t baton;
  pthread_t handle;
};

/// The first thread_local object of a thread, so the last to be destroyed: the destructors of the
/// product's thread_local objects still run under the scheduler.
struct EndOfThread {
  ~EndOfThread() {
    if (this_run != nullptr) this_run->end_thread();
  }
};

Run::Run(const Scenario &scenario, Chooser &chooser, Strategy strategy, std::uint64_t seed,
         std::uint64_t length)
    : scenario_(scenario), chooser_(chooser), strategy_(strategy), seed_(seed), length_(length) {
  latest_run = this;
}

Run::~Run() { latest_run = nullptr; }

Run *Run::current() noexcept { return this_run; }
int Run::current_thread_id() noexcept { return this_thread->id; }

void Run::thread(std::function<void()> body) {
  threads_.push_back(
      std::make_unique<Thread>(*this, static_cast<int>(threads_.size()), std::move(body)));
  sem_init(&threads_.back()->baton, 0, 0);
}

void *Run::run_thread(void *argument) {
  auto &self = *static_cast<Thread *>(argument);
  thread_local EndOfThread end;
  (void)&end;
  wait_for(self.baton);
  this_run = &self.run;
  this_thread = &self;
  self.body();
  return nullptr;
}

void Run::go() {
  sem_t ended;
  sem_init(&ended, 0, 0);
  ended_ = &ended;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (const auto &each : threads_) {
    if (pthread_create(&each->handle, &attributes, run_thread, each.get()) != 0)
      fail("cannot start a thread");
  }
  pthread_attr_destroy(&attributes);
  chooser_.begin(strategy_, seed_, static_cast<int>(threads_.size()), scenario_.preemptions,
                 length_);
  running_ = nullptr;
  Thread &first = next_thread(false);
  running_ = &first;
  sem_post(&first.baton);
  wait_for(ended);
  for (const auto &each : threads_) {
    pthread_join(each->handle, nullptr);
    sem_destroy(&each->baton);
  }
  sem_destroy(&ended);
  threads_.clear();
}

std::vector<Candidate> Run::candidates() const {
  std::vector<Candidate> found;
  std::int64_t earliest = Deadline::kNever;
  for (const auto &each : threads_) {
    if (each->state == Thread::State::kRunnable)
      found.push_back({Candidate::Kind::kThread, each->id});
    if (each->state == Thread::State::kWaiting) earliest = std::min(earliest, each->deadline.ns);
  }
  for (const auto &each : threads_) {
    if (!each->stores.empty()) found.push_back({Candidate::Kind::kStore, each->id});
    const bool due = each->deadline.ns <= now_ ||
                     (scenario_.timers == Timers::kAnyTime && each->deadline.ns == earliest);
    if (each->state == Thread::State::kWaiting && !each->deadline.is_never() && due &&
        scenario_.timers != Timers::kNever)
      found.push_back({Candidate::Kind::kTimer, each->id});
  }
  return found;
}

void Run::drain_one(Thread &thread) {
  const Store store = thread.stores.front();
  thread.stores.pop_front();
  std::memcpy(store.word, store.value, store.size);
  std::uint64_t value = 0;
  std::memcpy(&value, store.value, store.size);
  events_.push_back({thread.id, "   ...the store arrives", store.word, value, value, {}});
}

void Run::time_out(Thread &thread) {
  now_ = std::max(now_, thread.deadline.ns);
  thread.state = Thread::State::kRunnable;
  thread.result = WaitResult::kTimedOut;
  events_.push_back({thread.id, "   ...times out", thread.word, 0, 0, {}});
}

/// Nobody can run and no store is on its way.
void Run::idle() {
  Thread *first = nullptr;
  for (const auto &each : threads_) {
    if (each->state != Thread::State::kWaiting || each->deadline.is_never()) continue;
    if (first == nullptr || each->deadline.ns < first->deadline.ns) first = each.get();
  }
  if (first == nullptr) fail("lost wake-up: every thread waits");
  if (scenario_.timers == Timers::kNever)
    fail("lost wake-up: every thread waits, and only a deadline would end that");
  time_out(*first);
}

Run::Thread &Run::next_thread(bool relaxed) {
  for (;;) {
    if (++steps_ > kMostSteps) fail("no end after many steps: livelock");
    const std::vector<Candidate> all = candidates();
    if (all.empty()) {
      idle();
      continue;
    }
    const bool runs = running_ != nullptr && running_->state == Thread::State::kRunnable;
    const Candidate &chosen = all[chooser_.choose(all, runs ? running_->id : -1, relaxed)];
    Thread &thread = *threads_[static_cast<std::size_t>(chosen.thread)];
    if (chosen.kind == Candidate::Kind::kThread) return thread;
    if (chosen.kind == Candidate::Kind::kStore) {
      drain_one(thread);
    } else {
      time_out(thread);
    }
  }
}

void Run::switch_to(Thread &next) {
  Thread &self = *this_thread;
  if (&next == &self) return;
  running_ = &next;
  sem_post(&next.baton);
  wait_for(self.baton);
}

void Run::step(bool relaxed) { switch_to(next_thread(relaxed)); }

void Run::drain_all() {
  while (!this_thread->stores.empty()) drain_one(*this_thread);
}

WaitResult Run::wait(const void *word, Deadline deadline) {
  Thread &self = *this_thread;
  if (deadline.ns <= now_ && !deadline.is_never()) {
    step(true);  // the others are not held up by whoever sleeps for no time, again and again
    return WaitResult::kTimedOut;
  }
  if (chooser_.spurious() && chooser_.one_in(16)) {
    note("wait, woken for no reason", word, 0, 0, {});
    return WaitResult::kWoken;
  }
  note("wait", word, 0, 0, {});
  self.word = word;
  self.deadline = deadline;
  self.state = Thread::State::kWaiting;
  switch_to(next_thread(false));
  self.word = nullptr;
  self.deadline = Deadline::never();
  return self.result;
}

bool Run::is_asleep(int thread) const noexcept {
  return threads_[static_cast<std::size_t>(thread)]->state == Thread::State::kWaiting;
}

void Run::wake(const void *word, bool all) {
  std::vector<Thread *> waiting;
  for (const auto &each : threads_) {
    if (each->state == Thread::State::kWaiting && each->word == word) waiting.push_back(each.get());
  }
  note("wake", word, waiting.size(), waiting.size(), {});
  while (!waiting.empty()) {
    const std::size_t chosen = chooser_.any_of(waiting.size());
    waiting[chosen]->state = Thread::State::kRunnable;
    waiting[chosen]->result = WaitResult::kWoken;
    if (!all) return;
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(chosen));
  }
}

/// Looking at the clock takes time, so that spinning against it ends.
std::int64_t Run::clock() { return now_ += chooser_.slow() ? 400'000 : 2'000; }

void Run::end_thread() {
  Thread &self = *this_thread;
  self.state = Thread::State::kEnded;
  note("end", nullptr, 0, 0, {});
  const bool last = std::all_of(threads_.begin(), threads_.end(), [](const auto &each) {
    return each->state == Thread::State::kEnded;
  });
  if (!last) {
    Thread &next = next_thread(false);
    running_ = &next;
    sem_post(&next.baton);
    return;
  }
  for (const auto &each : threads_) {
    while (!each->stores.empty()) drain_one(*each);
  }
  sem_post(static_cast<sem_t *>(ended_));
}

void Run::forget(const void *word) {
  for (const auto &each : threads_) {
    auto &stores = each->stores;
    const auto is_gone = [word](const Store &store) { return store.word == word; };
    if (this_thread != each.get() && std::any_of(stores.begin(), stores.end(), is_gone))
      fail("a store of thread " + std::to_string(each->id) + " would reach memory that has ended");
    stores.erase(std::remove_if(stores.begin(), stores.end(), is_gone), stores.end());
  }
}

void Run::note(const char *operation, const void *word, std::uint64_t before, std::uint64_t after,
               Place place) {
  events_.push_back({this_thread->id, operation, word, before, after, place});
}

void Run::print_state() const {
  for (const auto &each : threads_) {
    const char *state = each->state == Thread::State::kRunnable  ? "runnable"
                        : each->state == Thread::State::kWaiting ? "waiting"
                                                                 : "ended";
    std::printf("  thread %d: %s, %zu stores on their way\n", each->id, state, each->stores.size());
  }
}

void Run::print_events() const {
  std::map<const void *, std::size_t> names;
  const std::size_t from = events_.size() > kEventsShown ? events_.size() - kEventsShown : 0;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const Event &each = events_[i];
    const std::size_t name = names.emplace(each.word, names.size()).first->second;
    if (i < from) continue;
    std::printf("  %5zu  thread %d  word%-3zu %-26s", i, each.thread, name, each.operation);
    if (each.before == each.after) {
      std::printf(" %#llx", static_cast<unsigned long long>(each.after));
    } else {
      std::printf(" %#llx -> %#llx", static_cast<unsigned long long>(each.before),
                  static_cast<unsigned long long>(each.after));
    }
    if (each.place.file != nullptr) std::printf("  %s:%d", each.place.file, each.place.line);
    std::putchar('\n');
  }
}

void Run::fail(const std::string &reason) {
  std::printf("%s: %s\n", scenario_.name, reason.c_str());
  print_events();
  print_state();
  const std::string schedule = strategy_ == Strategy::kSearch ? "--path=" + chooser_.path()
                                                              : "--seed=" + std::to_string(seed_);
  std::printf("%s after %llu steps: %s\nrepeat with: --scenario=%s --strategy=%s %s\n",
              scenario_.name, static_cast<unsigned long long>(steps_), reason.c_str(),
              scenario_.name, strategy_name(strategy_), schedule.c_str());
  std::fflush(stdout);
  _exit(kFound);
}

bool find_buffered(const void *word, void *value, std::size_t size) noexcept {
  if (this_run == nullptr) return false;
  const auto &stores = this_thread->stores;
  const auto found = std::find_if(stores.rbegin(), stores.rend(),
                                  [word](const Run::Store &store) { return store.word == word; });
  if (found == stores.rend()) return false;
  std::memcpy(value, found->value, size);
  return true;
}

bool buffer_store(void *word, const void *value, std::size_t size) noexcept {
  if (this_run == nullptr) return false;
  Run::Store store{word, {}, size};
  std::memcpy(store.value, value, size);
  this_thread->stores.push_back(store);
  return true;
}

void expect(bool condition, const char *what) {
  if (condition) return;
  if (latest_run != nullptr) latest_run->fail(std::string("expected: ") + what);
  std::printf("expected: %s\n", what);
  std::abort();
}

const char *strategy_name(Strategy strategy) noexcept {
  switch (strategy) {
    case Strategy::kRandom:
      return "random";
    case Strategy::kPriorities:
      return "priorities";
    case Strategy::kSearch:
      return "search";
  }
  return "";
}

std::vector<Scenario> &scenarios() {
  static std::vector<Scenario> all;
  return all;
}

}  // namespace interlock::systematic
