// SPDX-License-Identifier: MIT
#include "platform/memory.hpp"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.hpp"

namespace interlock {

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

void *map_memory(std::size_t size, std::size_t alignment) noexcept {
  const std::size_t whole = size + alignment - page_size();
  if (whole < size) return nullptr;
  const int saved = errno;
  void *const mapped =
      mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = saved;
  if (mapped == MAP_FAILED) return nullptr;
  const auto first = reinterpret_cast<std::uintptr_t>(mapped);
  const std::uintptr_t start = (first + alignment - 1) / alignment * alignment;
  if (start != first) unmap_memory(mapped, start - first);
  const std::size_t rest = first + whole - (start + size);
  if (rest != 0) unmap_memory(reinterpret_cast<void *>(start + size), rest);
  return reinterpret_cast<void *>(start);
}

void unmap_memory(void *memory, std::size_t size) noexcept { CHECK(munmap(memory, size) == 0); }

bool make_read_only(void *pages, std::size_t size) noexcept {
  return mprotect(pages, size, PROT_READ) == 0;
}

bool make_writable(void *pages, std::size_t size) noexcept {
  return mprotect(pages, size, PROT_READ | PROT_WRITE) == 0;
}

}  // namespace interlock
