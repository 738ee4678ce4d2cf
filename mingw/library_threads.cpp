// SPDX-License-Identifier: MIT
// A twin of posix/library_threads.cpp: threads of Windows have handles, which tell when they have
// ended, however they did; and those of POSIX are made of them.
#include "mingw/library_threads.hpp"

#include <process.h>
#include <pthread.h>
#include <windows.h>

#include <array>
#include <memory>

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

/// A thread that is to be started.
template <typename Function>
struct Begun {
  const void *code = nullptr;  // of the copy that it is counted for, or null
  Function *original;          // what starts it
};

/// For the copy that has the first of these addresses: a call that is the last thing in a function
/// shows where that one was called, and the function that the thread runs is mostly its own.
template <typename Function>
Begun<Function> begin(Starter starter, Function *usual, std::array<const void *, 2> addresses) {
  MutexGuard guard(Copies::mutex());
  for (const void *const each : addresses) {
    Copy *const copy = Copies::locked().find(each);
    if (copy == nullptr) continue;
    ++copy->starting;
    void *const bound = copy->originals[starter];
    return {each, bound != nullptr ? reinterpret_cast<Function *>(bound) : usual};
  }
  return {nullptr, usual};
}

/// `thread`: null if it could not be started.
void end_begin(const void *code, HANDLE thread) {
  const DWORD error = GetLastError();
  {
    MutexGuard guard(Copies::mutex());
    Copy *const copy = Copies::locked().find(code);
    if (thread != nullptr) count(*copy, thread);
    --copy->starting;
  }
  SetLastError(error);
}

HANDLE WINAPI create_thread(SECURITY_ATTRIBUTES *security, SIZE_T stack,
                            LPTHREAD_START_ROUTINE function, void *argument, DWORD flags,
                            DWORD *id) {
  const auto begun = begin(kCreateThread, &::CreateThread,
                           {__builtin_return_address(0), reinterpret_cast<void *>(function)});
  const HANDLE thread = begun.original(security, stack, function, argument, flags, id);
  if (begun.code != nullptr) end_begin(begun.code, thread);
  return thread;
}

std::uintptr_t begin_thread(void *security, unsigned stack, _beginthreadex_proc_type function,
                            void *argument, unsigned flags, unsigned *id) {
  const auto begun = begin(kBeginThread, &::_beginthreadex,
                           {__builtin_return_address(0), reinterpret_cast<void *>(function)});
  const std::uintptr_t thread = begun.original(security, stack, function, argument, flags, id);
  if (begun.code != nullptr) end_begin(begun.code, reinterpret_cast<HANDLE>(thread));
  return thread;
}

struct Start {
  void *(*function)(void *);
  void *argument;
  const void *code;
};

void *run(void *given) {
  const Start start = *std::unique_ptr<Start>(static_cast<Start *>(given));
  end_begin(start.code, GetCurrentThread());
  return start.function(start.argument);
}

/// The C library that it is bound to, of which a program may have several, gives no handle that
/// this one knows: the thread itself does.
int create_posix_thread(pthread_t *thread, const pthread_attr_t *attributes,
                        void *(*function)(void *), void *argument) {
  const auto begun = begin(kPosixThread, &::pthread_create,
                           {__builtin_return_address(0), reinterpret_cast<void *>(function)});
  if (begun.code == nullptr) return begun.original(thread, attributes, function, argument);
  auto start = std::make_unique<Start>(Start{function, argument, begun.code});
  const int failed = begun.original(thread, attributes, run, start.get());
  if (failed != 0) {
    end_begin(begun.code, nullptr);
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
