// SPDX-License-Identifier: MIT
// The checks of histories, on histories known to be good and bad.
#include <criterion/criterion.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "support/history.hpp"

using namespace interlock::test;
using Kind = Operation::Kind;

namespace {

struct Step {
  int thread;
  Kind kind;
  std::int64_t value;
  std::int64_t begin;
  std::int64_t end;
};

History history_of(const std::vector<Step> &steps) {
  std::vector<Log> logs;
  for (int i = 0; i < 4; ++i) logs.emplace_back(i);
  for (const Step &each : steps)
    logs[static_cast<std::size_t>(each.thread)].add(each.kind, each.value, each.begin, each.end);
  return merge(logs);
}

/// Both checks must find it good, or bad.
void assert_good(const std::vector<Step> &steps, std::size_t capacity = SIZE_MAX,
                 bool drained = true) {
  const History history = history_of(steps);
  const std::string violation = find_violation(history, {capacity, drained});
  cr_assert(violation.empty(), "%s", violation.c_str());
  cr_assert(is_linearizable(history, {capacity, drained}));
}

void assert_bad(const std::vector<Step> &steps, const char *violation,
                std::size_t capacity = SIZE_MAX) {
  const History history = history_of(steps);
  const std::string found = find_violation(history, {capacity});
  cr_assert(found.find(violation) != std::string::npos, "'%s' instead of '%s'", found.c_str(),
            violation);
  cr_assert_not(is_linearizable(history, {capacity}));
}

}  // namespace

Test(history, of_one_thread_is_good) {
  assert_good({{0, Kind::kFoundEmpty, 0, 1, 2},
               {0, Kind::kSend, 1, 3, 4},
               {0, Kind::kSend, 2, 5, 6},
               {0, Kind::kFoundFull, 0, 7, 8},
               {0, Kind::kReceive, 1, 9, 10},
               {0, Kind::kReceive, 2, 11, 12},
               {0, Kind::kFoundEmpty, 0, 13, 14}},
              2);
}

Test(history, of_sends_at_the_same_time_may_be_received_in_any_order) {
  assert_good({{0, Kind::kSend, 1, 1, 4},
               {1, Kind::kSend, 2, 2, 3},
               {2, Kind::kReceive, 2, 5, 6},
               {2, Kind::kReceive, 1, 7, 8}});
}

Test(history, of_receives_at_the_same_time_may_overtake) {
  assert_good({{0, Kind::kSend, 1, 1, 2},
               {0, Kind::kSend, 2, 3, 4},
               {1, Kind::kReceive, 2, 5, 8},
               {2, Kind::kReceive, 1, 6, 9}});
}

Test(history, may_leave_values_inside_if_it_says_so) {
  assert_good({{0, Kind::kSend, 1, 1, 2}}, SIZE_MAX, false);
  assert_bad({{0, Kind::kSend, 1, 1, 2}}, "was lost");
}

Test(history, with_a_value_received_twice_or_made_up_is_bad) {
  assert_bad(
      {{0, Kind::kSend, 1, 1, 2}, {1, Kind::kReceive, 1, 3, 4}, {2, Kind::kReceive, 1, 3, 4}},
      "received twice");
  assert_bad({{1, Kind::kReceive, 1, 3, 4}}, "never sent");
  assert_bad({{1, Kind::kReceive, 1, 1, 2}, {0, Kind::kSend, 1, 3, 4}}, "before it was sent");
}

Test(history, with_a_value_overtaken_in_real_time_is_bad) {
  assert_bad({{0, Kind::kSend, 1, 1, 2},
              {1, Kind::kSend, 2, 3, 4},
              {2, Kind::kReceive, 2, 5, 6},
              {3, Kind::kReceive, 1, 7, 8}},
             "which was sent first");
}

Test(history, with_a_batch_out_of_order_is_bad) {
  assert_bad({{0, Kind::kSend, 1, 1, 4},
              {0, Kind::kSend, 2, 1, 4},
              {2, Kind::kReceive, 2, 5, 6},
              {3, Kind::kReceive, 1, 7, 8}},
             "which was sent first");
  assert_bad({{0, Kind::kSend, 1, 1, 4},
              {0, Kind::kSend, 2, 1, 4},
              {2, Kind::kReceive, 2, 5, 6},
              {2, Kind::kReceive, 1, 5, 6}},
             "of the same sender");
  assert_bad({{0, Kind::kSend, 1, 1, 2},
              {1, Kind::kSend, 2, 3, 4},
              {2, Kind::kReceive, 2, 5, 6},
              {2, Kind::kReceive, 1, 5, 6}},
             "which was sent first");
}

Test(history, with_more_inside_than_fit_is_bad) {
  assert_bad({{0, Kind::kSend, 1, 1, 2},
              {0, Kind::kSend, 2, 3, 4},
              {1, Kind::kReceive, 1, 5, 6},
              {1, Kind::kReceive, 2, 7, 8}},
             "2 values were inside", 1);
}

Test(history, with_a_false_empty_is_bad) {
  // At each moment of the look one of the two is inside.
  assert_bad({{0, Kind::kSend, 1, 1, 2},
              {0, Kind::kSend, 2, 4, 5},
              {1, Kind::kReceive, 1, 6, 7},
              {2, Kind::kFoundEmpty, 0, 3, 9},
              {1, Kind::kReceive, 2, 10, 11}},
             "found empty");
  assert_good({{0, Kind::kSend, 1, 1, 2},
               {1, Kind::kReceive, 1, 4, 5},
               {2, Kind::kFoundEmpty, 0, 3, 9},
               {0, Kind::kSend, 2, 6, 7},
               {1, Kind::kReceive, 2, 10, 11}});
}

Test(history, with_a_false_full_is_bad) {
  assert_bad(
      {{0, Kind::kSend, 1, 1, 2}, {1, Kind::kReceive, 1, 3, 4}, {0, Kind::kFoundFull, 0, 5, 6}},
      "found full", 1);
}

/// Histories of a real queue under a lock are good; with two values exchanged both checks say so,
/// or the exchange was harmless: then both say that.
Test(history, checks_agree_on_random_histories) {
  std::mt19937 random(1);
  int bad = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<Step> steps;
    std::vector<std::int64_t> inside;
    std::int64_t busy_until[4] = {};
    std::int64_t next = 1;
    for (std::int64_t now = 10; steps.size() < 9; now += 10) {
      const int thread = static_cast<int>(random() % 4);
      // The operation happens at `now`; what the caller sees of it is wider.
      const auto before = static_cast<std::int64_t>(random() % 30);
      const std::int64_t begin = std::max(now - before, busy_until[thread] + 1);
      if (begin > now) continue;
      const std::int64_t end = now + static_cast<std::int64_t>(random() % 30);
      busy_until[thread] = end;
      if (random() % 2 == 0) {
        steps.push_back({thread, Kind::kSend, next, begin, end});
        inside.push_back(next++);
      } else if (inside.empty()) {
        steps.push_back({thread, Kind::kFoundEmpty, 0, begin, end});
      } else {
        steps.push_back({thread, Kind::kReceive, inside.front(), begin, end});
        inside.erase(inside.begin());
      }
    }
    assert_good(steps, SIZE_MAX, false);
    Step &one = steps[random() % steps.size()];
    Step &other = steps[random() % steps.size()];
    if (one.kind != Kind::kReceive) continue;
    if (other.kind == Kind::kReceive) {
      std::swap(one.value, other.value);
    } else {
      one.kind = Kind::kFoundEmpty;
    }
    const History history = history_of(steps);
    const bool good = is_linearizable(history, {SIZE_MAX, false});
    const std::string violation = find_violation(history, {SIZE_MAX, false});
    cr_assert_eq(violation.empty(), good, "round %d: %s", round, violation.c_str());
    bad += good ? 0 : 1;
  }
  cr_assert_gt(bad, 100, "the exchanges make bad histories, too");
}
