// SPDX-License-Identifier: MIT
// A twin of posix/thread_end.cpp, because MinGW-w64 runs the destructors of thread_local objects
// after it has freed their memory: GCC's emulation frees it in a destructor of a pthread key, which
// comes before the thread's end that the C library is told of. So this is a pthread key, too.
#include <pthread.h>

#include "base/check.hpp"
#include "platform/thread.hpp"

namespace interlock {
namespace {

struct Call {
  void (*function)(void *) noexcept;
  void *argument;
  Call *next;
};

void run_calls(void *first) {
  auto *next = static_cast<Call *>(first);
  while (next != nullptr) {
    const std::unique_ptr<Call> call(next);
    next = call->next;
    call->function(call->argument);
  }
}

pthread_key_t key() {
  static const pthread_key_t made = [] {
    pthread_key_t fresh;
    CHECK(pthread_key_create(&fresh, run_calls) == 0);
    return fresh;
  }();
  return made;
}

}  // namespace

void call_at_thread_end(void (*function)(void *) noexcept, void *argument) noexcept {
  auto *const later = static_cast<Call *>(pthread_getspecific(key()));
  CHECK(pthread_setspecific(key(), new Call{function, argument, later}) == 0);
}

}  // namespace interlock
