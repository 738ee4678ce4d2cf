// SPDX-License-Identifier: MIT
// Histories of a first-in-first-out queue: who called what, from when to when, with what outcome.
// All values that are sent differ. The checks need stamps that grow in real time over all threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace interlock::test {

struct Operation {
  enum class Kind : std::uint8_t {
    kSend,
    kReceive,
    kFoundFull,   // sent nothing, because it was full
    kFoundEmpty,  // received nothing, because it was empty; also: closed and drained
  };
  Kind kind;
  std::int64_t value;  // of kSend and kReceive
  std::int64_t begin;
  std::int64_t end;
  int thread = 0;
  std::size_t place = 0;  // among the operations of its thread, in the order of a batch, too
};

using History = std::vector<Operation>;

/// What one thread does. Thread: that one.
class Log {
 public:
  explicit Log(int thread) : thread_(thread) {}
  void add(Operation::Kind kind, std::int64_t value, std::int64_t begin, std::int64_t end) {
    operations_.push_back({kind, value, begin, end, thread_, operations_.size()});
  }
  [[nodiscard]] const History &operations() const noexcept { return operations_; }

 private:
  const int thread_;
  History operations_;
};

[[nodiscard]] History merge(const std::vector<Log> &logs);

struct Queue {
  std::size_t capacity;  // SIZE_MAX: unbounded
  bool drained = true;   // at the end: every value sent was received
};

/// Looks for the patterns that no queue can show: Henzinger, Sezgin and Vafeiadis, 'Aspect-Oriented
/// Linearizability Proofs', CONCUR 2013, which are complete for an unbounded queue; and necessary
/// conditions for bounds. An empty string, or what is wrong. Time: n log n, but for kFoundEmpty.
[[nodiscard]] std::string find_violation(const History &history, const Queue &queue);

/// Searches for an order that explains the history: Wing and Gong, 'Testing and Verifying
/// Concurrent Objects', 1993, with the memory of Lowe, 'Testing for Linearizability', 2017.
/// Exponential: for at most 20 operations, and capacities from 1.
[[nodiscard]] bool is_linearizable(const History &history, const Queue &queue);

}  // namespace interlock::test
