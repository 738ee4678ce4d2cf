// SPDX-License-Identifier: MIT
#include "posix/library_calls.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <utility>
#include <vector>

#include "posix/finaliser.hpp"
#include "posix/library_memory.hpp"

// What the compiler calls for the destructors of static objects; Itanium C++ ABI, 3.3.6.3.
extern "C" int __cxa_atexit(void (*function)(void *), void *argument, void *library);
extern "C" void __cxa_finalize(void *library);

namespace interlock {
namespace {

/// The C library keeps it for good, so the next owner of the copy uses it again.
struct ExitCall {
  void (*function)(void *) = nullptr;
  void *argument = nullptr;
};

struct ForkCalls {
  std::uint64_t number;  // no other has it
  void (*prepare)();
  void (*parent)();
  void (*child)();
};

struct Copy {
  std::vector<std::unique_ptr<ExitCall>> at_exit;  // in the order of their registration
  std::size_t at_exit_count = 0;                   // of those that are to be called
  std::vector<ForkCalls> at_fork;
  unsigned in_fork_calls = 0;  // threads that are in one of these
  std::vector<pthread_key_t> keys;
};

using Copies = CopiesOf<Copy>;

/// Of the first address that is in a copy.
Copy *find_locked(std::initializer_list<const void *> addresses) {
  for (const void *const each : addresses) {
    if (Copy *const copy = Copies::locked().find(each)) return copy;
  }
  return nullptr;
}

const void *address_of(void (*function)()) { return reinterpret_cast<const void *>(function); }

void call(ExitCall &given) {
  ExitCall taken;
  {
    MutexGuard guard(Copies::mutex());
    taken = std::exchange(given, {});
  }
  if (taken.function != nullptr) taken.function(taken.argument);
}

int call_at_exit(void (*function)(void *), void *argument, void *library) {
  ExitCall *added = nullptr;
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = find_locked({library, reinterpret_cast<const void *>(function)});
    if (copy != nullptr) {
      const bool is_new = copy->at_exit_count == copy->at_exit.size();
      if (is_new) copy->at_exit.push_back(std::make_unique<ExitCall>());
      ExitCall &each = *copy->at_exit[copy->at_exit_count++];
      each = {function, argument};
      if (!is_new) return 0;
      added = &each;
    }
  }
  if (added == nullptr) return ::__cxa_atexit(function, argument, library);
  return ::__cxa_atexit([](void *each) { call(*static_cast<ExitCall *>(each)); }, added, nullptr);
}

int call_plain_at_exit(void (*function)()) {
  const auto call_it = [](void *given) { reinterpret_cast<void (*)()>(given)(); };
  void *const given = reinterpret_cast<void *>(function);
  return call_at_exit(call_it, given, given);
}

/// Those of the fork that the thread is in, or null. A fork may come when objects of the thread
/// have been destroyed.
thread_local std::vector<ForkCalls> *forking = nullptr;

/// What copy the calls belong to; null if its owner has ended.
Copy *find_locked(const ForkCalls &given) {
  Copy *found = nullptr;
  Copies::locked().for_each([&](Copy &each) {
    for (const ForkCalls &known : each.at_fork) {
      if (known.number == given.number) found = &each;
    }
  });
  return found;
}

/// Unless the owner of the copy has ended meanwhile.
void call_if_there(const ForkCalls &given, void (*ForkCalls::*function)()) {
  if (given.*function == nullptr) return;
  Copy *copy = nullptr;  // it stays where it is
  {
    MutexGuard guard(Copies::mutex());
    copy = find_locked(given);
    if (copy == nullptr) return;
    ++copy->in_fork_calls;
  }
  (given.*function)();
  MutexGuard guard(Copies::mutex());
  --copy->in_fork_calls;
}

void prepare_fork() {
  auto calls = std::make_unique<std::vector<ForkCalls>>();
  {
    MutexGuard guard(Copies::mutex());
    Copies::locked().for_each([&](const Copy &each) {
      calls->insert(calls->end(), each.at_fork.begin(), each.at_fork.end());
    });
  }
  std::ranges::sort(*calls, {}, &ForkCalls::number);
  forking = calls.release();
  for (const ForkCalls &each : *forking | std::views::reverse)
    call_if_there(each, &ForkCalls::prepare);
}

void end_fork(void (*ForkCalls::*function)()) {
  const std::unique_ptr<std::vector<ForkCalls>> calls(std::exchange(forking, nullptr));
  if (calls == nullptr) return;
  for (const ForkCalls &each : *calls) call_if_there(each, function);
}

void end_fork_in_child() {
  Copies::mutex().reset_after_fork();
  Copies::locked().for_each([](Copy &each) { each.in_fork_calls = 0; });  // of other threads
  end_fork(&ForkCalls::child);
}

/// `library`: as glibc's and OpenBSD's pthread_atfork(), which is part of whoever calls it, passes
/// it on; or null.
int register_at_fork(void (*prepare)(), void (*parent)(), void (*child)(), void *library) {
  static const int failed = ::pthread_atfork(
      prepare_fork, [] { end_fork(&ForkCalls::parent); }, end_fork_in_child);
  {
    MutexGuard guard(Copies::mutex());
    if (Copy *const copy =
            find_locked({library, address_of(prepare), address_of(parent), address_of(child)})) {
      static std::uint64_t last = 0;
      if (failed == 0) copy->at_fork.push_back({++last, prepare, parent, child});
      return failed;
    }
  }
  return ::pthread_atfork(prepare, parent, child);
}

int call_at_fork(void (*prepare)(), void (*parent)(), void (*child)()) {
  return register_at_fork(prepare, parent, child, nullptr);
}

// A process has 1024 keys, or 128 with musl, and a copy that is new to its owner makes them anew.

int create_key(pthread_key_t *key, void (*end)(void *)) {
  const void *const caller = __builtin_return_address(0);
  const int failed = ::pthread_key_create(key, end);
  if (failed != 0) return failed;
  MutexGuard guard(Copies::mutex());
  if (Copy *const copy = find_locked({reinterpret_cast<const void *>(end), key, caller}))
    copy->keys.push_back(*key);
  return 0;
}

int delete_key(pthread_key_t key) {
  {
    MutexGuard guard(Copies::mutex());
    Copies::locked().for_each([key](Copy &each) { std::erase(each.keys, key); });
  }
  return ::pthread_key_delete(key);
}

/// Whether the C library calls what a library has left for the exit when that library ends.
bool are_called_at_end() {
  static char library;
  static bool is_called = false;
  if (::__cxa_atexit([](void *) { is_called = true; }, nullptr, &library) != 0) return true;
  ::__cxa_finalize(&library);
  return is_called;
}

/// The C library calls one destructor after the other; one that is left is not called again.
void finalize(void *library) {
  constexpr int kMost = 10'000;
  for (int i = 0; i < kMost && !Finaliser::run([library] { ::__cxa_finalize(library); }); ++i) {
  }
}

const Redirection kRedirections[] = {
    {"__cxa_finalize", reinterpret_cast<void *>(finalize)},
    {"pthread_key_create", reinterpret_cast<void *>(create_key)},
    {"pthread_key_delete", reinterpret_cast<void *>(delete_key)},
    {"pthread_atfork", reinterpret_cast<void *>(call_at_fork)},
    {"__register_atfork", reinterpret_cast<void *>(register_at_fork)},  // glibc
    {"_thread_atfork", reinterpret_cast<void *>(register_at_fork)},     // OpenBSD
    // and where the C library takes libraries to be there for good
    {"__cxa_atexit", reinterpret_cast<void *>(call_at_exit)},
    {"atexit", reinterpret_cast<void *>(call_plain_at_exit)}};
constexpr std::size_t kAlways = 6;

}  // namespace

void LibraryCalls::add(std::span<std::byte> memory) {
  MutexGuard guard(Copies::mutex());
  Copies::locked().add(memory, {});
}

std::vector<LibraryCalls::Function> LibraryCalls::take_fork_calls(std::span<std::byte> memory) {
  std::vector<Function> taken;
  MutexGuard guard(Copies::mutex());
  Copy *const copy = Copies::locked().find(memory.data());
  if (copy == nullptr) return taken;
  for (const ForkCalls &each : copy->at_fork | std::views::reverse) {
    if (each.prepare != nullptr) taken.push_back(each.prepare);
  }
  copy->at_fork.clear();
  return taken;
}

bool LibraryCalls::is_in_fork_call(std::span<std::byte> memory) noexcept {
  MutexGuard guard(Copies::mutex());
  const Copy *const copy = Copies::locked().find(memory.data());
  return copy != nullptr && copy->in_fork_calls != 0;
}

bool LibraryCalls::call_at_exit(std::span<std::byte> memory) {
  ExitCall *last = nullptr;
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = Copies::locked().find(memory.data());
    if (copy == nullptr || copy->at_exit_count == 0) return false;
    last = copy->at_exit[--copy->at_exit_count].get();
  }
  call(*last);
  return true;
}

void LibraryCalls::forget(std::span<std::byte> memory) {
  std::vector<pthread_key_t> keys;
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = Copies::locked().find(memory.data());
    if (copy != nullptr) keys.swap(copy->keys);
  }
  for (const pthread_key_t each : keys) ::pthread_key_delete(each);
}

void LibraryCalls::reset_after_fork() noexcept { Copies::mutex().reset_after_fork(); }

std::span<const Redirection> LibraryCalls::redirections() noexcept {
  static const std::span<const Redirection> all =
      are_called_at_end() ? std::span(kRedirections).first(kAlways) : std::span(kRedirections);
  return all;
}

}  // namespace interlock
