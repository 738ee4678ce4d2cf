// SPDX-License-Identifier: MIT
// What a shared object of Windows wants called when it begins and ends, and when threads do. The
// linker, which does it for others, does not know of it in private copies.
#pragma once

#include <windows.h>

#include <span>
#include <vector>

namespace interlock {

class LibraryNotices {
 public:
  /// In the order of calls, at begin and end alike.
  using Callback = void(NTAPI *)(void *module, DWORD reason, void *reserved);
  struct Receiver {
    HMODULE module;
    std::vector<Callback> callbacks;                                      // of thread-local storage
    BOOL(WINAPI *entry)(HINSTANCE module, DWORD reason, void *reserved);  // or null
  };

  /// From now on it is told of threads that start and end.  Thread: any.
  static void add(const Receiver &receiver);
  /// Blocks: while it is being told.  Thread: any.
  static void remove(HMODULE module);
};

}  // namespace interlock
