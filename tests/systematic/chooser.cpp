// SPDX-License-Identifier: MIT
// The three strategies.
#include <algorithm>
#include <numeric>

#include "simulator.hpp"

namespace interlock::systematic {

/// splitmix64 (Steele, Lea and Flood, 2014).
std::uint64_t Chooser::next_random() {
  std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

void Chooser::begin(Strategy strategy, std::uint64_t seed, int threads, int preemptions,
                    std::uint64_t length) {
  strategy_ = strategy;
  state_ = seed;
  step_ = 0;
  threads_ = threads;
  depth_ = 0;
  preemptions_left_ = preemptions;
  spurious_ = hasty_ = slow_ = false;
  same_processor_ = true;
  if (strategy == Strategy::kSearch) return;
  spurious_ = next_random() % 4 == 0;
  same_processor_ = next_random() % 4 != 0;
  hasty_ = next_random() % 4 == 0;
  slow_ = next_random() % 4 == 0;
  constexpr std::uint64_t kStickiness[] = {0, 4, 6, 7};
  stickiness_ = kStickiness[next_random() % 4];
  if (strategy == Strategy::kRandom) return;
  priorities_.resize(static_cast<std::size_t>(3 * threads));
  std::iota(priorities_.begin(), priorities_.end(), 1);
  for (std::size_t i = priorities_.size(); i > 1; --i)
    std::swap(priorities_[i - 1], priorities_[next_random() % i]);
  lowest_ = 0;
  changes_.clear();
  for (std::uint64_t i = next_random() % 6; i > 0; --i)
    changes_.push_back(1 + next_random() % length);
}

std::size_t Chooser::choose(const std::vector<Candidate> &candidates, int running, bool relaxed) {
  ++step_;
  switch (strategy_) {
    case Strategy::kSearch:
      return choose_searching(candidates, running, relaxed);
    case Strategy::kPriorities:
      return choose_by_priority(candidates, running, relaxed);
    default:
      return choose_at_random(candidates, running, relaxed);
  }
}

std::size_t Chooser::choose_at_random(const std::vector<Candidate> &candidates, int running,
                                      bool relaxed) {
  if (running >= 0 && !relaxed && next_random() % 8 < stickiness_) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].kind == Candidate::Kind::kThread && candidates[i].thread == running)
        return i;
    }
  }
  return next_random() % candidates.size();
}

std::size_t Chooser::choose_by_priority(const std::vector<Candidate> &candidates, int running,
                                        bool relaxed) {
  const auto place_of = [&](const Candidate &candidate) {
    return static_cast<std::size_t>(static_cast<int>(candidate.kind) * threads_ + candidate.thread);
  };
  const bool changes = std::find(changes_.begin(), changes_.end(), step_) != changes_.end();
  if (running >= 0 && (relaxed || changes))
    priorities_[static_cast<std::size_t>(running)] = --lowest_;
  std::size_t best = 0;
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    if (priorities_[place_of(candidates[i])] > priorities_[place_of(candidates[best])]) best = i;
  }
  // A timer that fires before all else, again and again, would keep the others from going on.
  if (candidates[best].kind == Candidate::Kind::kTimer)
    priorities_[place_of(candidates[best])] = --lowest_;
  return best;
}

/// Going on is free; so is the choice of a thread where the running one cannot go on. All else is a
/// preemption. A thread that spins gives way to stores and to the next thread, without a choice.
std::size_t Chooser::choose_searching(const std::vector<Candidate> &candidates, int running,
                                      bool relaxed) {
  std::vector<std::size_t> free;
  std::vector<std::size_t> costly;
  std::size_t next = candidates.size();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate &each = candidates[i];
    const bool is_thread = each.kind == Candidate::Kind::kThread;
    if (relaxed && each.kind == Candidate::Kind::kStore) return i;
    if (is_thread && each.thread > running && next == candidates.size()) next = i;
    if (is_thread && (running < 0 || each.thread == running)) {
      free.push_back(i);
    } else {
      costly.push_back(i);
    }
  }
  if (relaxed) {
    if (next != candidates.size()) return next;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      if (candidates[i].kind == Candidate::Kind::kThread) return i;
    }
  }
  if (free.empty()) return costly[decide(costly.size())];
  const std::size_t count = free.size() + (preemptions_left_ > 0 ? costly.size() : 0);
  const std::size_t taken = decide(count);
  if (taken < free.size()) return free[taken];
  --preemptions_left_;
  return costly[taken - free.size()];
}

std::size_t Chooser::decide(std::size_t count) {
  if (count == 1) return 0;
  if (depth_ == decisions_.size()) decisions_.push_back({0, static_cast<std::uint32_t>(count)});
  Decision &decision = decisions_[depth_++];
  decision.count = static_cast<std::uint32_t>(count);
  return std::min<std::size_t>(decision.taken, count - 1);
}

std::size_t Chooser::any_of(std::size_t count) {
  return strategy_ == Strategy::kSearch ? 0 : next_random() % count;
}

bool Chooser::one_in(std::uint64_t count) {
  return strategy_ != Strategy::kSearch && next_random() % count == 0;
}

std::string Chooser::path() const {
  std::string text;
  for (std::size_t i = 0; i < depth_; ++i) {
    if (i != 0) text += '.';
    text += std::to_string(decisions_[i].taken);
  }
  return text;
}

void Chooser::set_path(const std::string &text) {
  decisions_.clear();
  for (std::size_t place = 0; place < text.size();) {
    std::size_t end = text.find('.', place);
    if (end == std::string::npos) end = text.size();
    decisions_.push_back(
        {static_cast<std::uint32_t>(std::stoul(text.substr(place, end - place))), 0});
    place = end + 1;
  }
}

bool Chooser::next_path() {
  decisions_.resize(std::min(depth_, decisions_.size()));
  while (!decisions_.empty()) {
    Decision &last = decisions_.back();
    if (++last.taken < last.count) return true;
    decisions_.pop_back();
  }
  return false;
}

}  // namespace interlock::systematic
