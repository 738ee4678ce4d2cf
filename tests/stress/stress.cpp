// SPDX-License-Identifier: MIT
// Random threads on random channels, round after round: sends and receives of every form, with
// deadlines that pass, interrupts, closes at any time and cancels. Every history is checked: no
// item is lost, doubled or reordered. A hang prints the state of channels and threads, and aborts.
//   stress [--seconds=N] [--seed=N] [--rounds=N]
// TAP on stdout. The seed decides what the threads try, not how the system runs them.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <vector>

#include "channel/channel.hpp"
#include "channel/select.hpp"
#include "lock/parker.hpp"
#include "support/history.hpp"

using namespace interlock;
using Direction = Channel::Direction;
using Kind = test::Operation::Kind;

namespace {

constexpr std::size_t kCapacities[] = {0, 0, 1, 1, 2, 3, 7, 64, 1000, Channel::kUnbounded};
constexpr std::size_t kMostItems = 3000;  // of a sender in a round
constexpr std::size_t kLargestBatch = 70;
constexpr int kHangSeconds = 60;

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  [[nodiscard]] std::size_t below(std::size_t limit) { return engine_() % limit; }
  [[nodiscard]] bool one_in(std::size_t count) { return below(count) == 0; }
  [[nodiscard]] Random fork() { return Random(engine_()); }

 private:
  std::mt19937_64 engine_;
};

/// One thread of a round. `doing` and `done` are for the watchdog.
struct Worker {
  Worker(int its_number, std::size_t channels, Random its_random)
      : number(its_number), random(its_random), logs(channels, test::Log(its_number)) {}
  const int number;
  Random random;
  std::vector<test::Log> logs;  // one a channel
  std::atomic<Parker *> parker{nullptr};
  std::atomic<const char *> doing{"starts"};
  std::atomic<std::uint64_t> done{0};
};

class Round {
 public:
  explicit Round(Random random);
  /// Runs it; false if a history is wrong.
  [[nodiscard]] bool run();
  [[nodiscard]] std::uint64_t progress() const;
  void print() const;
  [[nodiscard]] std::uint64_t items() const noexcept { return items_; }

 private:
  void send_all(Worker &self);
  void receive_all(Worker &self);
  void disturb(Random random);
  [[nodiscard]] Deadline deadline(Random &random, bool may_wait_for_ever) const;
  /// Sends items of `self` from `next` on by one call; how many.
  [[nodiscard]] std::size_t send_some(Worker &self, std::int64_t next, std::size_t left,
                                      bool &closed);
  [[nodiscard]] std::size_t send_by_select(Worker &self, std::int64_t value, bool &closed);
  void receive_some(Worker &self, std::vector<bool> &ended);
  void receive_by_select(Worker &self, std::vector<bool> &ended);
  void note_received(Worker &self, std::size_t index, const Message &message,
                     std::int64_t begin) const {
    const std::int64_t end = monotonic_ns();
    self.logs[index].add(Kind::kReceive, message.as_int64().value_or(-1), begin, end);
  }

  Random random_;
  std::vector<Ref<Channel>> channels_;
  std::vector<std::unique_ptr<Worker>> senders_;
  std::vector<std::unique_ptr<Worker>> receivers_;
  std::size_t items_each_;
  bool interrupts_;
  bool closes_early_;
  bool cancels_;
  std::atomic<bool> over_{false};
  std::uint64_t items_ = 0;
};

Round::Round(Random random) : random_(random) {
  const std::size_t channels = random_.one_in(2) ? 1 : 1 + random_.below(3);
  for (std::size_t i = 0; i < channels; ++i) {
    const std::size_t capacity = kCapacities[random_.below(std::size(kCapacities))];
    channels_.push_back(Channel::create(capacity).value());
  }
  const std::size_t senders = 1 + random_.below(4);
  const std::size_t receivers = 1 + random_.below(4);
  int number = 0;
  for (std::size_t i = 0; i < senders; ++i)
    senders_.push_back(std::make_unique<Worker>(number++, channels, random_.fork()));
  for (std::size_t i = 0; i < receivers; ++i)
    receivers_.push_back(std::make_unique<Worker>(number++, channels, random_.fork()));
  items_each_ = 1 + random_.below(kMostItems);
  interrupts_ = random_.one_in(2);
  closes_early_ = random_.one_in(4);
  cancels_ = random_.one_in(8);
}

Deadline Round::deadline(Random &random, bool may_wait_for_ever) const {
  if (may_wait_for_ever && !random.one_in(4)) return Deadline::never();
  return random.one_in(4) ? Deadline::past()
                          : Deadline::after_ns(static_cast<std::int64_t>(random.below(200'000)));
}

std::size_t Round::send_by_select(Worker &self, std::int64_t value, bool &closed) {
  std::vector<Message> messages(channels_.size());
  std::vector<SelectCase> cases;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    messages[i] = Message::from_int64(value);
    cases.push_back({channels_[i].get(), Direction::kSend, &messages[i], {}});
  }
  const std::int64_t begin = monotonic_ns();
  std::size_t index = 0;
  const Status status =
      select_until(cases, self.random.one_in(2), deadline(self.random, true), index);
  const std::int64_t end = monotonic_ns();
  closed = status.code() == Code::kECLOSED;
  if (!status.ok()) return 0;
  self.logs[index].add(Kind::kSend, value, begin, end);
  return 1;
}

std::size_t Round::send_some(Worker &self, std::int64_t next, std::size_t left, bool &closed) {
  Random &random = self.random;
  if (random.one_in(4)) {
    self.doing = "select of sends";
    return send_by_select(self, next, closed);
  }
  const std::size_t index = random.below(channels_.size());
  Channel &channel = *channels_[index];
  const bool only = channels_.size() == 1;
  const std::size_t batch = random.one_in(4) ? std::min(left, 1 + random.below(kLargestBatch)) : 1;
  std::vector<Message> messages(batch);
  for (std::size_t i = 0; i < batch; ++i)
    messages[i] = Message::from_int64(next + static_cast<std::int64_t>(i));
  std::size_t sent = 0;
  Status status;
  const std::int64_t begin = monotonic_ns();
  if (batch > 1) {
    self.doing = "send_many_until";
    status = channel.send_many_until(messages, sent, deadline(random, only));
  } else if (random.one_in(4)) {
    self.doing = "try_send";
    status = channel.try_send(messages[0]);
    sent = status.ok() ? 1 : 0;
  } else {
    self.doing = "send_until";
    status = channel.send_until(messages[0], deadline(random, only));
    sent = status.ok() ? 1 : 0;
  }
  const std::int64_t end = monotonic_ns();
  for (std::size_t i = 0; i < sent; ++i)
    self.logs[index].add(Kind::kSend, next + static_cast<std::int64_t>(i), begin, end);
  if (batch == 1 && status.code() == Code::kEFULL)
    self.logs[index].add(Kind::kFoundFull, 0, begin, end);
  closed = status.code() == Code::kECLOSED;
  return sent;
}

void Round::send_all(Worker &self) {
  self.parker = &Parker::current();
  const std::int64_t first = static_cast<std::int64_t>(self.number) << 32;
  bool closed = false;
  for (std::size_t sent = 0; sent < items_each_ && !closed;) {
    sent += send_some(self, first + static_cast<std::int64_t>(sent), items_each_ - sent, closed);
    ++self.done;
  }
  self.doing = "ended";
}

void Round::receive_by_select(Worker &self, std::vector<bool> &ended) {
  std::vector<Message> messages(channels_.size());
  std::vector<SelectCase> cases;
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    if (ended[i]) continue;
    cases.push_back({channels_[i].get(), Direction::kReceive, &messages[i], {}});
    indices.push_back(i);
  }
  const bool has_timer = self.random.one_in(4);
  if (has_timer) {
    const auto pause = static_cast<std::int64_t>(self.random.below(100'000));
    cases.push_back({nullptr, Direction::kReceive, nullptr, Deadline::after_ns(pause)});
  }
  const std::int64_t begin = monotonic_ns();
  std::size_t index = 0;
  const Status status =
      select_until(cases, self.random.one_in(2), deadline(self.random, true), index);
  if (status.ok() && index < indices.size())
    note_received(self, indices[index], messages[indices[index]], begin);
  if (status.code() == Code::kECLOSED) ended[indices[index]] = true;
}

void Round::receive_some(Worker &self, std::vector<bool> &ended) {
  Random &random = self.random;
  const bool only = channels_.size() == 1;
  if (random.one_in(only ? 4 : 2)) {
    self.doing = "select of receives";
    return receive_by_select(self, ended);
  }
  const std::size_t index = random.below(channels_.size());
  if (ended[index]) return;
  Channel &channel = *channels_[index];
  std::vector<Message> messages(random.one_in(3) ? 1 + random.below(kLargestBatch) : 1);
  std::size_t count = 0;
  Status status;
  const std::int64_t begin = monotonic_ns();
  if (messages.size() > 1) {
    self.doing = "recv_many_until";
    status = channel.recv_many_until(messages, count, deadline(random, only));
  } else if (random.one_in(4)) {
    self.doing = "try_recv";
    status = channel.try_recv(messages[0]);
    count = status.ok() ? 1 : 0;
  } else {
    self.doing = "recv_until";
    status = channel.recv_until(messages[0], deadline(random, only));
    count = status.ok() ? 1 : 0;
  }
  for (std::size_t i = 0; i < count; ++i) note_received(self, index, messages[i], begin);
  if (status.code() == Code::kEEMPTY)
    self.logs[index].add(Kind::kFoundEmpty, 0, begin, monotonic_ns());
  ended[index] = status.code() == Code::kECLOSED;
}

void Round::receive_all(Worker &self) {
  self.parker = &Parker::current();
  std::vector<bool> ended(channels_.size());
  while (std::ranges::find(ended, false) != ended.end()) {
    receive_some(self, ended);
    ++self.done;
  }
  self.doing = "ended";
}

/// Interrupts at random, and closes or cancels at a random moment if the round is one of those.
void Round::disturb(Random random) {
  auto closing = static_cast<std::int64_t>(random.below(20'000'000));
  while (!over_) {
    const auto pause = static_cast<std::int64_t>(random.below(300'000));
    std::this_thread::sleep_for(std::chrono::nanoseconds(pause));
    closing -= pause;
    if (interrupts_) {
      auto &side = random.one_in(2) ? senders_ : receivers_;
      if (Parker *const parker = side[random.below(side.size())]->parker) parker->interrupt();
    }
    if (closing > 0) continue;
    for (const auto &each : channels_) {
      if (cancels_) {
        each->cancel();
      } else if (closes_early_) {
        each->close();
      }
    }
  }
}

/// What cancel() took out was never inside, as far as receivers can tell, but it took up room.
void leave_out_dropped(test::History &history) {
  std::unordered_set<std::int64_t> received;
  for (const test::Operation &each : history) {
    if (each.kind == Kind::kReceive) received.insert(each.value);
  }
  std::erase_if(history, [&](const test::Operation &each) {
    return each.kind == Kind::kFoundFull ||
           (each.kind == Kind::kSend && !received.contains(each.value));
  });
}

bool Round::run() {
  std::vector<std::thread> sending;
  std::vector<std::thread> receiving;
  for (const auto &each : senders_) sending.emplace_back([&] { send_all(*each); });
  for (const auto &each : receivers_) receiving.emplace_back([&] { receive_all(*each); });
  std::thread disturbing([&, random = random_.fork()] { disturb(random); });
  for (std::thread &each : sending) each.join();
  for (const auto &each : channels_) each->close();
  for (std::thread &each : receiving) each.join();
  over_ = true;
  disturbing.join();
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    test::History history;
    for (const auto *side : {&senders_, &receivers_}) {
      for (const auto &each : *side) {
        const test::History &own = each->logs[i].operations();
        history.insert(history.end(), own.begin(), own.end());
      }
    }
    items_ += history.size();
    if (cancels_) leave_out_dropped(history);
    const std::string problem = test::find_violation(history, {channels_[i]->capacity()});
    if (problem.empty()) continue;
    std::printf("# stress: channel %zu: %s\n", i, problem.c_str());
    print();
    return false;
  }
  return true;
}

std::uint64_t Round::progress() const {
  std::uint64_t done = 0;
  for (const auto *side : {&senders_, &receivers_}) {
    for (const auto &each : *side) done += each->done;
  }
  return done;
}

void Round::print() const {
  for (std::size_t i = 0; i < channels_.size(); ++i) {
    const Channel &channel = *channels_[i];
    const Channel::Stats stats = channel.stats();
    std::printf(
        "  channel %zu: capacity %zu, size %zu%s; sent %llu, received %llu, waits %llu and %llu\n",
        i, channel.capacity(), channel.size(), channel.closed() ? ", closed" : "",
        static_cast<unsigned long long>(stats.sent),
        static_cast<unsigned long long>(stats.received),
        static_cast<unsigned long long>(stats.send_waits),
        static_cast<unsigned long long>(stats.recv_waits));
  }
  for (const auto *side : {&senders_, &receivers_}) {
    for (const auto &each : *side)
      std::printf("  %s %d: %s, %llu calls done\n", side == &senders_ ? "sender" : "receiver",
                  each->number, each->doing.load(),
                  static_cast<unsigned long long>(each->done.load()));
  }
  std::printf("  interrupts %d, closes early %d, cancels %d, %zu items a sender\n", interrupts_,
              closes_early_, cancels_, items_each_);
  std::fflush(stdout);
}

/// Aborts when a round makes no progress for too long.
class Watchdog {
 public:
  Watchdog() : thread_([this] { watch(); }) {}
  ~Watchdog() {
    over_ = true;
    thread_.join();
  }
  void set(const Round *round, std::uint64_t seed) {
    const std::lock_guard guard(mutex_);
    round_ = round;
    seed_ = seed;
    quiet_ = 0;
  }

 private:
  void watch() {
    while (!over_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const std::lock_guard guard(mutex_);
      const std::uint64_t progress = round_ != nullptr ? round_->progress() : 0;
      quiet_ = round_ != nullptr && progress == seen_ ? quiet_ + 1 : 0;
      seen_ = progress;
      if (quiet_ < 10 * kHangSeconds) continue;
      std::printf("stress: no progress for %d seconds; repeat with --seed=%llu --rounds=1\n",
                  kHangSeconds, static_cast<unsigned long long>(seed_));
      round_->print();
      std::abort();
    }
  }

  std::mutex mutex_;
  const Round *round_ = nullptr;
  std::uint64_t seed_ = 0;
  std::uint64_t seen_ = 0;
  int quiet_ = 0;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

std::uint64_t number_of(std::string_view argument, std::string_view name, std::uint64_t otherwise) {
  if (!argument.starts_with(name)) return otherwise;
  return std::stoull(std::string(argument.substr(name.size())));
}

}  // namespace

int main(int argc, char **argv) {
  std::uint64_t seconds = 10;
  std::uint64_t rounds = UINT64_MAX;
  std::uint64_t seed = std::random_device{}() % 1'000'000'000;
  for (int i = 1; i < argc; ++i) {
    seconds = number_of(argv[i], "--seconds=", seconds);
    rounds = number_of(argv[i], "--rounds=", rounds);
    seed = number_of(argv[i], "--seed=", seed);
  }
  std::printf("# stress: %llu seconds from seed %llu\n", static_cast<unsigned long long>(seconds),
              static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  const Deadline end = Deadline::after_ns(static_cast<std::int64_t>(seconds) * 1'000'000'000);
  Watchdog watchdog;
  std::uint64_t items = 0;
  std::uint64_t done = 0;
  for (; done < rounds && !end.passed(); ++done, ++seed) {
    Round round{Random(seed)};
    watchdog.set(&round, seed);
    const bool passed = round.run();
    watchdog.set(nullptr, 0);
    items += round.items();
    if (passed) continue;
    std::printf("not ok 1 - stress; repeat with --seed=%llu --rounds=1\n1..1\n",
                static_cast<unsigned long long>(seed));
    return 1;
  }
  std::printf(
      "ok 1 - stress: %llu rounds, %llu operations, nothing lost, doubled or reordered\n1..1\n",
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(items));
  return 0;
}
