// SPDX-License-Identifier: MIT
#include "posix/thread_creation.hpp"

#include <dlfcn.h>
#include <errno.h>

#include "base/check.hpp"
#include "platform/thread_heritage.hpp"
#include "posix/thread_records.hpp"

// Clang has the sanitizers' pthread_create() in the program, where it must be the only one.
#if defined(INTERLOCK_WITH_PYTHON) && !defined(_WIN32) && \
    !(defined(__clang__) && (defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)))
#define SEES_ALL_THREADS 1
#endif

namespace interlock {
namespace {

/// Set once; null function: threads inherit nothing.
struct {
  ThreadHeritage heritage;
  pthread_key_t key;
} known;

struct Start {
  void *(*function)(void *);
  void *argument;
  void *given;
  int rounds_left;  // of the destructors of thread-specific data, which may create threads
  Start *next;      // of those that nobody has
};
using Starts = ThreadRecords<Start>;

void end(void *value) {
  auto *const start = static_cast<Start *>(value);
  if (--start->rounds_left > 0 && pthread_setspecific(known.key, start) == 0) return;
  known.heritage.drop(start->given);
  Starts::give_back(start);
}

void *run(void *argument) {
  auto *const start = static_cast<Start *>(argument);
  // It only fails for want of memory: the thread then has nothing.
  if (pthread_setspecific(known.key, start) != 0) known.heritage.drop(start->given);
  return start->function(start->argument);
}

}  // namespace

void set_thread_heritage(const ThreadHeritage &heritage) noexcept {
  CHECK(known.heritage.give == nullptr);
  if (pthread_key_create(&known.key, end) == 0) known.heritage = heritage;
}

void *thread_heritage() noexcept {
  if (known.heritage.give == nullptr) return nullptr;
  const auto *const start = static_cast<Start *>(pthread_getspecific(known.key));
  return start != nullptr ? start->given : nullptr;
}

void reset_thread_creation_after_fork() noexcept { Starts::reset_after_fork(); }

int create_plain_thread(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*function)(void *), void *argument) noexcept {
#ifdef SEES_ALL_THREADS
  using Create = int(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  static Create *const original = reinterpret_cast<Create *>(dlsym(RTLD_NEXT, "pthread_create"));
  CHECK(original != nullptr);
  return original(thread, attributes, function, argument);
#else
  return ::pthread_create(thread, attributes, function, argument);
#endif
}

int create_heir(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                void *argument) noexcept {
  void *const given = known.heritage.give != nullptr ? known.heritage.give() : nullptr;
  if (given == nullptr) return create_plain_thread(thread, attributes, function, argument);
  Start *const start = Starts::take();
  int failed = EAGAIN;
  if (start != nullptr) {
    *start = {function, argument, given, kDestructorRounds, nullptr};
    failed = create_plain_thread(thread, attributes, run, start);
  }
  if (failed == 0) return 0;
  if (start != nullptr) Starts::give_back(start);
  known.heritage.drop(given);
  return failed;
}

}  // namespace interlock

#ifdef SEES_ALL_THREADS
/// Called by every library: the program, or libinterlock, comes before the C library in the order
/// of symbol lookup. By another name here, for some C libraries declare theirs without noexcept.
extern "C" __attribute__((visibility("default"))) int create_thread_of_anybody(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
    void *argument) noexcept __asm__("pthread_create");
extern "C" int create_thread_of_anybody(pthread_t *thread, const pthread_attr_t *attributes,
                                        void *(*function)(void *), void *argument) noexcept {
  return interlock::create_heir(thread, attributes, function, argument);
}
#endif
