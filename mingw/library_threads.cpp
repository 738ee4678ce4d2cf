// SPDX-License-Identifier: MIT
// A twin of posix/library_threads.cpp: threads of Windows have handles, which tell when they have
// ended, however they did; and those of POSIX are made of them.
#include "mingw/library_threads.hpp"

#include <process.h>
#include <pthread.h>
#include <windows.h>

#include <initializer_list>
#include <memory>
#include <utility>

#include "mingw/handle.hpp"
#include "posix/library_memory.hpp"

namespace interlock {
namespace {

using mingw::Handle;

/// In the order of kRedirections.
enum Starter : unsigned char { kCreateThread, kBeginThread, kPosixThread, kStarters };

struct Copy {
  std::vector<void *> originals;
  std::vector<Handle> threads;
  unsigned starting = 0;  // threads that are not among these yet
};

using Copies = CopiesOf<Copy>;

/// Of the first address that is in a copy: a call that is the last thing in a function shows where
/// that one was called.
Copy *find_locked(std::initializer_list<const void *> addresses) {
  for (const void *const each : addresses) {
    if (Copy *const copy = Copies::locked().find(each)) return copy;
  }
  return nullptr;
}

void forget_ended(Copy &copy) {
  std::erase_if(copy.threads, [](const Handle &each) {
    return WaitForSingleObject(each.get(), 0) == WAIT_OBJECT_0;
  });
}

void count(Copy &copy, HANDLE thread) {
  forget_ended(copy);
  const HANDLE process = GetCurrentProcess();
  HANDLE own = nullptr;
  // A thread that cannot be counted is taken to run for ever.
  if (DuplicateHandle(process, thread, process, &own, SYNCHRONIZE, FALSE, 0)) {
    copy.threads.emplace_back(own);
  } else {
    ++copy.starting;
  }
}

/// Has `start(original)` start a thread, and counts it. It returns a handle, or one that fails.
template <typename Function, typename Start>
auto start_counted(Starter starter, Function *usual, std::initializer_list<const void *> addresses,
                   Start start) {
  const void *copy_at = nullptr;
  Function *original = usual;
  {
    MutexGuard guard(Copies::mutex());
    if (Copy *const copy = find_locked(addresses)) {
      for (const void *const each : addresses) {
        if (copy_at == nullptr && Copies::locked().find(each) != nullptr) copy_at = each;
      }
      ++copy->starting;
      if (void *const bound = copy->originals[starter])
        original = reinterpret_cast<Function *>(bound);
    }
  }
  const auto thread = start(original);
  if (copy_at == nullptr) return thread;
  const DWORD error = GetLastError();
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = Copies::locked().find(copy_at);
    --copy->starting;
    const auto handle = reinterpret_cast<HANDLE>(thread);
    if (handle != nullptr && handle != INVALID_HANDLE_VALUE) count(*copy, handle);
  }
  SetLastError(error);
  return thread;
}

HANDLE WINAPI create_thread(SECURITY_ATTRIBUTES *security, SIZE_T stack,
                            LPTHREAD_START_ROUTINE function, void *argument, DWORD flags,
                            DWORD *id) {
  const void *const caller = __builtin_return_address(0);
  return start_counted(
      kCreateThread, &::CreateThread, {caller, reinterpret_cast<const void *>(function)},
      [&](auto *original) { return original(security, stack, function, argument, flags, id); });
}

std::uintptr_t begin_thread(void *security, unsigned stack, _beginthreadex_proc_type function,
                            void *argument, unsigned flags, unsigned *id) {
  const void *const caller = __builtin_return_address(0);
  return start_counted(
      kBeginThread, &::_beginthreadex, {caller, reinterpret_cast<const void *>(function)},
      [&](auto *original) { return original(security, stack, function, argument, flags, id); });
}

struct Start {
  void *(*function)(void *);
  void *argument;
  const void *copy_at;
};

void *run(void *given) {
  const Start start = *std::unique_ptr<Start>(static_cast<Start *>(given));
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = Copies::locked().find(start.copy_at);
    count(*copy, GetCurrentThread());
    --copy->starting;
  }
  return start.function(start.argument);
}

/// The C library that it is bound to, of which a program may have several, gives no handle that
/// this one knows: the thread itself does.
int create_posix_thread(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*function)(void *), void *argument) {
  auto *original = &::pthread_create;
  auto start = std::make_unique<Start>(Start{function, argument, nullptr});
  {
    MutexGuard guard(Copies::mutex());
    for (const void *const each : {static_cast<const void *>(__builtin_return_address(0)),
                                   reinterpret_cast<const void *>(function)}) {
      Copy *const copy = Copies::locked().find(each);
      if (copy == nullptr) continue;
      start->copy_at = each;
      ++copy->starting;
      if (void *const bound = copy->originals[kPosixThread])
        original = reinterpret_cast<decltype(original)>(bound);
      break;
    }
  }
  if (start->copy_at == nullptr) return original(thread, attributes, function, argument);
  const int failed = original(thread, attributes, run, start.get());
  if (failed != 0) {
    MutexGuard guard(Copies::mutex());
    --Copies::locked().find(start->copy_at)->starting;
  } else {
    (void)start.release();
  }
  return failed;
}

const Redirection kRedirections[] = {
    {"CreateThread", reinterpret_cast<void *>(create_thread)},
    {"_beginthreadex", reinterpret_cast<void *>(begin_thread)},
    {"pthread_create", reinterpret_cast<void *>(create_posix_thread)}};
static_assert(std::size(kRedirections) == kStarters);

}  // namespace

void LibraryThreads::add(std::span<std::byte> memory, const std::vector<void *> &originals) {
  MutexGuard guard(Copies::mutex());
  Copies::locked().add(memory, {originals, {}, 0});
}

bool LibraryThreads::are_running(std::span<std::byte> memory) {
  MutexGuard guard(Copies::mutex());
  Copy *const copy = Copies::locked().find(memory.data());
  if (copy == nullptr) return false;
  forget_ended(*copy);
  return copy->starting != 0 || !copy->threads.empty();
}

std::span<const Redirection> LibraryThreads::redirections() noexcept { return kRedirections; }

}  // namespace interlock
