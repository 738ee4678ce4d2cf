// SPDX-License-Identifier: MIT
#include "mingw/library_notices.hpp"

#include <ranges>

namespace interlock {
namespace {

// Not a Mutex: a thread tells when its own data are gone, and code of others runs meanwhile. The
// system has one thread tell at a time, under a lock of its own.
SRWLOCK lock = SRWLOCK_INIT;

/// Leaked on purpose: threads end when static destructors have run. Guarded by `lock`.
std::vector<LibraryNotices::Receiver> *receivers = nullptr;

void tell_one(const LibraryNotices::Receiver &receiver, DWORD reason) {
  for (const LibraryNotices::Callback callback : receiver.callbacks)
    callback(receiver.module, reason, nullptr);
  if (receiver.entry != nullptr) receiver.entry(receiver.module, reason, nullptr);
}

void NTAPI tell(void *, DWORD reason, void *) {
  if (reason != DLL_THREAD_ATTACH && reason != DLL_THREAD_DETACH) return;
  AcquireSRWLockShared(&lock);
  if (receivers != nullptr) {
    if (reason == DLL_THREAD_ATTACH) {
      for (const LibraryNotices::Receiver &each : *receivers) tell_one(each, reason);
    } else {
      for (const LibraryNotices::Receiver &each : *receivers | std::views::reverse)
        tell_one(each, reason);
    }
  }
  ReleaseSRWLockShared(&lock);
}

// The linker of programs gathers what they want called for threads in sections of this name.
[[gnu::section(".CRT$XLF"), gnu::used]] const PIMAGE_TLS_CALLBACK kTell = tell;

}  // namespace

void LibraryNotices::add(const Receiver &receiver) {
  AcquireSRWLockExclusive(&lock);
  if (receivers == nullptr) receivers = new std::vector<Receiver>;
  receivers->push_back(receiver);
  ReleaseSRWLockExclusive(&lock);
}

void LibraryNotices::remove(HMODULE module) {
  AcquireSRWLockExclusive(&lock);
  if (receivers != nullptr)
    std::erase_if(*receivers, [module](const Receiver &each) { return each.module == module; });
  ReleaseSRWLockExclusive(&lock);
}

}  // namespace interlock
