// SPDX-License-Identifier: MIT
// platform/wait in plain POSIX: a table of buckets chosen by address, each a pthread mutex and a
// list of the threads that wait there. A thread waits on a semaphore of its own rather than on a
// condition variable, because sem_timedwait() returns when a signal handler has run and Ctrl-C
// needs that.
#include "platform/wait.hpp"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include <cstddef>
#include <limits>

#include "base/check.hpp"

namespace interlock {
namespace {

struct Sleeper {
  const void *address;
  sem_t semaphore;
  bool listed = true;
  Sleeper *next = nullptr;
};

struct Bucket {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  Sleeper *first = nullptr;  // in order of arrival
};

constexpr std::size_t kBuckets = 257;
Bucket buckets[kBuckets];

Bucket &bucket_of(const void *address) noexcept {
  return buckets[(reinterpret_cast<std::uintptr_t>(address) >> 2) % kBuckets];
}

void append(Bucket &bucket, Sleeper &sleeper) noexcept {
  Sleeper **link = &bucket.first;
  while (*link != nullptr) link = &(*link)->next;
  *link = &sleeper;
}

void remove(Bucket &bucket, Sleeper &sleeper) noexcept {
  for (Sleeper **link = &bucket.first; *link != nullptr; link = &(*link)->next) {
    if (*link != &sleeper) continue;
    *link = sleeper.next;
    return;
  }
}

/// The same moment on CLOCK_REALTIME, the only clock that every sem_timedwait() knows.
timespec realtime_of(Deadline deadline) noexcept {
  timespec now{};
  CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
  std::int64_t left = deadline.ns - monotonic_ns();
  if (left < 0) left = 0;
  const std::int64_t nanoseconds = now.tv_nsec + left % 1'000'000'000;
  const std::int64_t seconds = now.tv_sec + left / 1'000'000'000 + nanoseconds / 1'000'000'000;
  // Seconds may have 32 bits. Whoever wakes then looks at the monotonic clock and sleeps on.
  constexpr std::int64_t kLatest = std::numeric_limits<time_t>::max();
  now.tv_sec = static_cast<time_t>(seconds < kLatest ? seconds : kLatest);
  now.tv_nsec = static_cast<long>(nanoseconds % 1'000'000'000);
  return now;
}

WaitResult sleep_until(sem_t &semaphore, Deadline deadline) noexcept {
  for (;;) {
    int result;
    if (deadline.is_never()) {
      result = sem_wait(&semaphore);
    } else {
      const timespec until = realtime_of(deadline);
      result = sem_timedwait(&semaphore, &until);
    }
    if (result == 0) return WaitResult::kWoken;
    if (errno == EINTR) return WaitResult::kInterrupted;
    CHECK(errno == ETIMEDOUT);
    // The wall clock may have been set forward: only the monotonic one decides.
    if (deadline.passed()) return WaitResult::kTimedOut;
  }
}

void wake(const Atomic<std::uint32_t> &word, bool all) noexcept {
  Bucket &bucket = bucket_of(&word);
  pthread_mutex_lock(&bucket.mutex);
  Sleeper **link = &bucket.first;
  while (*link != nullptr) {
    Sleeper &sleeper = **link;
    if (sleeper.address != &word) {
      link = &sleeper.next;
      continue;
    }
    *link = sleeper.next;
    sleeper.listed = false;
    // Under the mutex: once it is free, the sleeper may leave and its semaphore end.
    sem_post(&sleeper.semaphore);
    if (!all) break;
  }
  pthread_mutex_unlock(&bucket.mutex);
}

}  // namespace

WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  const int saved = errno;
  Bucket &bucket = bucket_of(&word);
  pthread_mutex_lock(&bucket.mutex);
  if (word != expected) {
    pthread_mutex_unlock(&bucket.mutex);
    return WaitResult::kWoken;
  }
  Sleeper sleeper{&word, {}};
  CHECK(sem_init(&sleeper.semaphore, 0, 0) == 0);
  append(bucket, sleeper);
  pthread_mutex_unlock(&bucket.mutex);

  WaitResult result = sleep_until(sleeper.semaphore, deadline);
  pthread_mutex_lock(&bucket.mutex);
  if (sleeper.listed) {
    remove(bucket, sleeper);
  } else {
    result = WaitResult::kWoken;
  }
  pthread_mutex_unlock(&bucket.mutex);
  sem_destroy(&sleeper.semaphore);
  errno = saved;
  return result;
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept { wake(word, false); }

void wake_all(const Atomic<std::uint32_t> &word) noexcept { wake(word, true); }

}  // namespace interlock
