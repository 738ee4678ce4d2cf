// SPDX-License-Identifier: MIT
// A twin, because Windows gives memory back only as it was given out, whole: what is too much for
// the sake of alignment cannot be cut off.
#include "platform/memory.hpp"

#include <windows.h>

#include <cstdint>

#include "base/check.hpp"

namespace interlock {
namespace {

bool protect(void *pages, std::size_t size, DWORD protection) noexcept {
  DWORD before = 0;
  return VirtualProtect(pages, size, protection, &before) != 0;
}

void *allocate(void *place, std::size_t size) noexcept {
  return VirtualAlloc(place, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
}

}  // namespace

std::size_t page_size() noexcept {
  static const std::size_t size = [] {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return static_cast<std::size_t>(info.dwPageSize);
  }();
  return size;
}

void *map_memory(std::size_t size, std::size_t alignment) noexcept {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    if (size + alignment < size) return nullptr;
    void *const place = VirtualAlloc(nullptr, size + alignment, MEM_RESERVE, PAGE_NOACCESS);
    if (place == nullptr) return nullptr;
    const auto first = reinterpret_cast<std::uintptr_t>(place);
    const std::uintptr_t start = (first + alignment - 1) / alignment * alignment;
    CHECK(VirtualFree(place, 0, MEM_RELEASE) != 0);
    // Another thread may have got there first.
    if (void *const memory = allocate(reinterpret_cast<void *>(start), size)) return memory;
  }
  return nullptr;
}

void unmap_memory(void *memory, std::size_t) noexcept {
  CHECK(VirtualFree(memory, 0, MEM_RELEASE) != 0);
}

bool make_read_only(void *pages, std::size_t size) noexcept {
  return protect(pages, size, PAGE_READONLY);
}

bool make_writable(void *pages, std::size_t size) noexcept {
  return protect(pages, size, PAGE_READWRITE);
}

}  // namespace interlock
