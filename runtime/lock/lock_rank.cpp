// SPDX-License-Identifier: MIT
// The checker keeps, for each thread, the stack of locks that it holds.
#include "lock/lock_rank.hpp"

#include <cstdio>
#include <cstdlib>

namespace interlock {

const char *lock_rank_name(LockRank rank) noexcept {
  switch (rank) {
    case LockRank::kGlobal:
      return "global lock";
    case LockRank::kInterpreter:
      return "interpreter lock";
    case LockRank::kRegistry:
      return "registry lock";
    case LockRank::kPool:
      return "pool lock";
    case LockRank::kCompletion:
      return "completion lock";
    case LockRank::kChannel:
      return "channel lock";
    case LockRank::kWaitQueue:
      return "wait queue lock";
    case LockRank::kLeaf:
      return "leaf lock";
  }
  return "unknown lock";
}

#ifdef INTERLOCK_LOCK_CHECKS
namespace {

struct Held {
  LockRank rank;
  const void *lock;
};

constexpr int kMostHeld = 32;
thread_local Held held_stack[kMostHeld];
thread_local int held_count = 0;
bool (*interpreter_probe)() = nullptr;

bool in_interpreter() { return interpreter_probe != nullptr && interpreter_probe(); }

[[noreturn]] void report(const char *problem, LockRank wanted, const void *lock, const Held &held) {
  std::fprintf(stderr, "interlock: lock order: %s %s (%p) while holding %s (%p)\n", problem,
               lock_rank_name(wanted), lock, lock_rank_name(held.rank), held.lock);
  std::abort();
}

}  // namespace

void lock_rank_acquire(LockRank rank, const void *lock) noexcept {
  if (rank < LockRank::kInterpreter && in_interpreter()) {
    report("acquiring", rank, lock, {LockRank::kInterpreter, nullptr});
  }
  for (int i = 0; i < held_count; ++i) {
    if (held_stack[i].rank >= rank) report("acquiring", rank, lock, held_stack[i]);
  }
  if (held_count == kMostHeld) report("too many locks, acquiring", rank, lock, held_stack[0]);
  held_stack[held_count++] = {rank, lock};
}

void lock_rank_release(LockRank rank, const void *lock) noexcept {
  for (int i = held_count; i-- > 0;) {
    if (held_stack[i].lock != lock || held_stack[i].rank != rank) continue;
    for (int j = i + 1; j < held_count; ++j) held_stack[j - 1] = held_stack[j];
    --held_count;
    return;
  }
  std::fprintf(stderr,
               "interlock: lock order: releasing %s (%p), which this thread does not hold\n",
               lock_rank_name(rank), lock);
  std::abort();
}

void lock_rank_check_waiting() noexcept {
  if (in_interpreter()) {
    std::fprintf(stderr, "interlock: waiting while holding an interpreter lock\n");
    std::abort();
  }
  lock_rank_check_entering();
}

void lock_rank_check_entering() noexcept {
  for (int i = 0; i < held_count; ++i) {
    if (held_stack[i].rank == LockRank::kGlobal) continue;
    std::fprintf(stderr, "interlock: lock order: waiting while holding %s (%p)\n",
                 lock_rank_name(held_stack[i].rank), held_stack[i].lock);
    std::abort();
  }
}

void lock_rank_set_interpreter_probe(bool (*probe)()) noexcept { interpreter_probe = probe; }
#endif

}  // namespace interlock
