// SPDX-License-Identifier: MIT
#include "support/history.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

namespace interlock::test {
namespace {

using Kind = Operation::Kind;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// A value's way through the queue.
struct Item {
  Operation send;
  Operation receive;  // if none: at kNever, by thread -1
};

std::string name(const Item &item) { return std::to_string(item.send.value); }

/// Pairs sends with receives. An empty string, or a value that was lost, doubled or made up.
std::string pair_up(const History &history, const Queue &queue, std::vector<Item> &items) {
  std::unordered_map<std::int64_t, std::size_t> places;
  for (const Operation &each : history) {
    if (each.kind != Kind::kSend) continue;
    if (!places.emplace(each.value, items.size()).second)
      return "the test sent " + std::to_string(each.value) + " twice";
    items.push_back({each, {Kind::kReceive, each.value, kNever, kNever, -1, 0}});
  }
  for (const Operation &each : history) {
    if (each.kind != Kind::kReceive) continue;
    const auto found = places.find(each.value);
    if (found == places.end()) return std::to_string(each.value) + " was received, but never sent";
    Item &item = items[found->second];
    if (item.receive.thread != -1) return name(item) + " was received twice";
    if (each.end < item.send.begin) return name(item) + " was received before it was sent";
    item.receive = each;
  }
  for (const Item &each : items) {
    if (queue.drained && each.receive.thread == -1) return name(each) + " was lost";
  }
  return {};
}

/// A later value that was received before an earlier one. `later` walks over the values in an order
/// in which `is_earlier` holds for more and more of them.
class Overtaking {
 public:
  void add(const Item &earlier) {
    if (latest_ == nullptr || earlier.receive.begin > latest_->receive.begin) latest_ = &earlier;
  }
  [[nodiscard]] std::string check(const Item &later) const {
    if (latest_ == nullptr || latest_->receive.begin <= later.receive.end) return {};
    return name(later) + " was received before " + name(*latest_) + ", which was sent first";
  }

 private:
  const Item *latest_ = nullptr;  // the earlier value that was received last
};

/// By real time: a send that ended before another began.
std::string find_overtaking(const std::vector<Item> &items) {
  std::vector<const Item *> by_begin;
  for (const Item &each : items) by_begin.push_back(&each);
  std::vector<const Item *> by_end = by_begin;
  std::ranges::sort(by_begin, {}, [](const Item *item) { return item->send.begin; });
  std::ranges::sort(by_end, {}, [](const Item *item) { return item->send.end; });
  Overtaking overtaking;
  std::size_t ended = 0;
  for (const Item *each : by_begin) {
    while (ended < by_end.size() && by_end[ended]->send.end < each->send.begin)
      overtaking.add(*by_end[ended++]);
    if (std::string problem = overtaking.check(*each); !problem.empty()) return problem;
  }
  return {};
}

/// By the order within a sender, and within a receiver, which batches keep too.
std::string find_disorder(const std::vector<Item> &items) {
  std::map<int, std::vector<const Item *>> senders;
  std::map<int, std::vector<const Item *>> receivers;
  for (const Item &each : items) {
    senders[each.send.thread].push_back(&each);
    if (each.receive.thread != -1) receivers[each.receive.thread].push_back(&each);
  }
  for (auto &[thread, sent] : senders) {
    std::ranges::sort(sent, {}, [](const Item *item) { return item->send.place; });
    Overtaking overtaking;
    for (const Item *each : sent) {
      if (std::string problem = overtaking.check(*each); !problem.empty()) return problem;
      overtaking.add(*each);
    }
  }
  for (auto &[thread, received] : receivers) {
    std::ranges::sort(received, {}, [](const Item *item) { return item->receive.place; });
    std::map<int, const Item *> last;  // received here, of each sender
    const Item *youngest = nullptr;    // received here, by the begin of its send
    for (const Item *each : received) {
      const Item *&before = last[each->send.thread];
      if (before != nullptr && before->send.place > each->send.place)
        return name(*before) + " was received before " + name(*each) + " of the same sender";
      before = each;
      if (youngest != nullptr && youngest->send.begin > each->send.end)
        return name(*youngest) + " was received before " + name(*each) + ", which was sent first";
      if (youngest == nullptr || each->send.begin > youngest->send.begin) youngest = each;
    }
  }
  return {};
}

/// More values inside at one moment than there is room for: all that had been sent for sure and not
/// yet been asked for.
std::string find_excess(const std::vector<Item> &items, const Queue &queue) {
  std::vector<std::pair<std::int64_t, int>> changes;
  for (const Item &each : items) {
    if (each.send.end >= each.receive.begin) continue;
    changes.emplace_back(each.send.end, 1);
    changes.emplace_back(each.receive.begin, -1);
  }
  std::ranges::sort(changes);
  std::size_t inside = 0;
  for (const auto &[stamp, change] : changes) {
    inside += static_cast<std::size_t>(change);
    if (change > 0 && inside > queue.capacity)
      return std::to_string(inside) + " values were inside at " + std::to_string(stamp);
  }
  return {};
}

/// Found empty although at every moment some value was inside for sure.
std::string find_false_empty(const History &history, const std::vector<Item> &items) {
  std::vector<std::pair<std::int64_t, std::int64_t>> inside;
  for (const Item &each : items) {
    if (each.send.end < each.receive.begin) inside.emplace_back(each.send.end, each.receive.begin);
  }
  std::ranges::sort(inside);
  // What overlaps becomes one stretch.
  std::vector<std::pair<std::int64_t, std::int64_t>> stretches;
  for (const auto &each : inside) {
    if (!stretches.empty() && each.first < stretches.back().second) {
      stretches.back().second = std::max(stretches.back().second, each.second);
    } else {
      stretches.push_back(each);
    }
  }
  for (const Operation &each : history) {
    if (each.kind != Kind::kFoundEmpty) continue;
    const auto after = std::ranges::upper_bound(stretches, each.begin, {},
                                                [](const auto &stretch) { return stretch.first; });
    if (after == stretches.begin()) continue;
    const auto &stretch = *std::prev(after);
    if (stretch.first < each.begin && each.end < stretch.second)
      return "found empty at " + std::to_string(each.begin) + ", and never was";
  }
  return {};
}

/// Found full although there was room for sure: fewer than its capacity could have been inside.
std::string find_false_full(const History &history, const std::vector<Item> &items,
                            const Queue &queue) {
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  for (const Item &each : items) {
    begins.push_back(each.send.begin);
    ends.push_back(each.receive.end);
  }
  std::ranges::sort(begins);
  std::ranges::sort(ends);
  for (const Operation &each : history) {
    if (each.kind != Kind::kFoundFull) continue;
    // All that may have gone in before its end, less what had surely left before its begin: an
    // upper bound of what was inside at any moment of it.
    const auto in = std::ranges::lower_bound(begins, each.end) - begins.begin();
    const auto out = std::ranges::lower_bound(ends, each.begin) - ends.begin();
    if (static_cast<std::size_t>(in - out) < queue.capacity)
      return "found full at " + std::to_string(each.begin) + ", and never was";
  }
  return {};
}

class Search {
 public:
  Search(const History &history, const Queue &queue) : history_(history), queue_(queue) {}

  [[nodiscard]] bool explains(std::uint32_t done) {
    if (done + 1 == std::uint32_t{1} << history_.size()) return !queue_.drained || inside_.empty();
    if (!seen_.emplace(done, inside_).second) return false;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const std::uint32_t bit = std::uint32_t{1} << i;
      if ((done & bit) != 0 || !may_be_next(done, i)) continue;
      if (applies(history_[i]) && explains_after(history_[i], done | bit)) return true;
    }
    return false;
  }

 private:
  /// No operation that is not done yet had to come before.
  [[nodiscard]] bool may_be_next(std::uint32_t done, std::size_t index) const {
    const Operation &next = history_[index];
    for (std::size_t i = 0; i < history_.size(); ++i) {
      const Operation &other = history_[i];
      if (i == index || (done >> i & 1) != 0) continue;
      if (other.end < next.begin) return false;
      if (other.thread == next.thread && other.place < next.place) return false;
    }
    return true;
  }
  [[nodiscard]] bool applies(const Operation &operation) const {
    switch (operation.kind) {
      case Kind::kSend:
        return inside_.size() < queue_.capacity;
      case Kind::kReceive:
        return !inside_.empty() && inside_.front() == operation.value;
      case Kind::kFoundFull:
        return inside_.size() == queue_.capacity;
      default:
        return inside_.empty();
    }
  }
  [[nodiscard]] bool explains_after(const Operation &operation, std::uint32_t done) {
    const std::deque<std::int64_t> before = inside_;
    if (operation.kind == Kind::kSend) inside_.push_back(operation.value);
    if (operation.kind == Kind::kReceive) inside_.pop_front();
    const bool explained = explains(done);
    inside_ = before;
    return explained;
  }

  const History &history_;
  const Queue &queue_;
  std::deque<std::int64_t> inside_;
  std::set<std::pair<std::uint32_t, std::deque<std::int64_t>>> seen_;
};

}  // namespace

History merge(const std::vector<Log> &logs) {
  History history;
  for (const Log &each : logs)
    history.insert(history.end(), each.operations().begin(), each.operations().end());
  return history;
}

std::string find_violation(const History &history, const Queue &queue) {
  std::vector<Item> items;
  std::string problem = pair_up(history, queue, items);
  if (problem.empty()) problem = find_overtaking(items);
  if (problem.empty()) problem = find_disorder(items);
  if (problem.empty()) problem = find_excess(items, queue);
  if (problem.empty()) problem = find_false_empty(history, items);
  if (problem.empty()) problem = find_false_full(history, items, queue);
  return problem;
}

bool is_linearizable(const History &history, const Queue &queue) {
  return Search(history, queue).explains(0);
}

}  // namespace interlock::test
