// SPDX-License-Identifier: MIT
#include "posix/library_forks.hpp"

#include <pthread.h>

#include <mutex>
#include <ranges>

#include "lock/mutex.hpp"
#include "posix/library_threads.hpp"

namespace interlock {
namespace {

using Function = LibraryForks::Function;

struct Handlers {
  const std::byte *code;  // in the copy
  Function before;
  Function in_parent;
  Function in_child;
};

// Leaked on purpose: a fork may come when static destructors have run. The mutex guards the list.
Mutex &handlers_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::vector<Handlers> &handlers_locked() {
  static auto *const all = new std::vector<Handlers>;  // the latest last
  return *all;
}

/// Those of the fork that the thread is in: handlers may change the list.
thread_local std::vector<Handlers> called;

void call(Function function) {
  if (function != nullptr) function();
}
void before_fork() {
  {
    MutexGuard guard(handlers_mutex());
    called = handlers_locked();
  }
  for (const Handlers &each : called | std::views::reverse) call(each.before);
}
void in_parent() {
  for (const Handlers &each : called) call(each.in_parent);
  called.clear();
}
void in_child() {
  handlers_mutex().reset_after_fork();
  for (const Handlers &each : called) call(each.in_child);
  called.clear();
}

int add(const Handlers &handlers) {
  static std::once_flag once;
  std::call_once(once, [] { (void)::pthread_atfork(before_fork, in_parent, in_child); });
  MutexGuard guard(handlers_mutex());
  handlers_locked().push_back(handlers);
  return 0;
}

/// glibc: pthread_atfork() is part of whoever calls it, and calls this with an address of its own.
int register_at_fork(Function before, Function in_parent, Function in_child, void *code) {
  return add({static_cast<const std::byte *>(code), before, in_parent, in_child});
}

/// A call that is the last thing in a function seems to come from its caller, which may be no copy.
int at_fork(Function before, Function in_parent, Function in_child) {
  const void *const caller = __builtin_return_address(0);
  if (!LibraryThreads::is_copy(caller)) return ::pthread_atfork(before, in_parent, in_child);
  return add({static_cast<const std::byte *>(caller), before, in_parent, in_child});
}

const Redirection kRedirections[] = {
    {"__register_atfork", reinterpret_cast<void *>(register_at_fork)},
    {"pthread_atfork", reinterpret_cast<void *>(at_fork)}};

}  // namespace

std::vector<LibraryForks::Function> LibraryForks::take(std::span<std::byte> memory) {
  std::vector<Function> taken;
  MutexGuard guard(handlers_mutex());
  std::erase_if(handlers_locked(), [&](const Handlers &each) {
    const bool is_own = each.code >= memory.data() && each.code < memory.data() + memory.size();
    if (is_own && each.before != nullptr) taken.insert(taken.begin(), each.before);
    return is_own;
  });
  return taken;
}

std::span<const Redirection> LibraryForks::redirections() noexcept { return kRedirections; }

}  // namespace interlock
