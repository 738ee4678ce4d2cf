// SPDX-License-Identifier: MIT
// The order of all locks. A thread may acquire a lock only if its rank is above every rank that the
// thread holds. With --enable-lock-checks each acquisition is checked and a breach aborts, naming
// both locks; otherwise these calls cost nothing.
#pragma once

namespace interlock {

enum class LockRank : unsigned char {
  kGlobal = 10,       // GlobalLock: what all interpreters share
  kInterpreter = 20,  // an interpreter's own lock (CPython's GIL)
  kRegistry = 30,     // the list of interpreters
  kPool = 40,         // task queues, map jobs
  kCompletion = 45,   // finished tasks on their way to a caller
  kChannel = 50,      // the ends of an unbounded channel, the state of a rendezvous
  kWaitQueue = 55,    // who waits for a condition
  kLeaf = 60,         // held for a few instructions, nothing acquired under it
};

[[nodiscard]] const char *lock_rank_name(LockRank rank) noexcept;

#ifdef INTERLOCK_LOCK_CHECKS
/// Records that the calling thread is about to acquire, or has released, a lock of `rank`.
void lock_rank_acquire(LockRank rank, const void *lock) noexcept;
void lock_rank_release(LockRank rank, const void *lock) noexcept;
/// Aborts if the calling thread holds a lock that must not be held while waiting: any but the
/// global lock, an interpreter lock least of all.
void lock_rank_check_waiting() noexcept;
/// Aborts if the calling thread holds a lock that ranks above the interpreter lock.
void lock_rank_check_entering() noexcept;
/// `probe` tells whether the calling thread holds an interpreter lock. CPython also takes and gives
/// that lock up by itself, so its holders cannot be counted here.
void lock_rank_set_interpreter_probe(bool (*probe)()) noexcept;
#else
inline void lock_rank_acquire(LockRank, const void *) noexcept {}
inline void lock_rank_release(LockRank, const void *) noexcept {}
inline void lock_rank_check_waiting() noexcept {}
inline void lock_rank_check_entering() noexcept {}
inline void lock_rank_set_interpreter_probe(bool (*)()) noexcept {}
#endif

}  // namespace interlock
