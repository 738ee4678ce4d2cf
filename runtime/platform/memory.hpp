// SPDX-License-Identifier: MIT
// Pages of memory, which the MMU can protect.
#pragma once

#include <cstddef>

namespace interlock {

/// Bytes of a page: what protection is by. A power of two.
[[nodiscard]] std::size_t page_size() noexcept;

/// `size` bytes, zero, readable and writable, at a multiple of `alignment`; null for want of
/// memory. Both are multiples of the page size, `alignment` a power of two. They cost memory once
/// touched. Thread: any.  Blocks: never for long.
[[nodiscard]] void *map_memory(std::size_t size, std::size_t alignment) noexcept;
/// Gives back what map_memory() gave, whole.
void unmap_memory(void *memory, std::size_t size) noexcept;

/// From now on any write to these whole pages ends the process.  False if the system refuses.
[[nodiscard]] bool make_read_only(void *pages, std::size_t size) noexcept;
[[nodiscard]] bool make_writable(void *pages, std::size_t size) noexcept;

}  // namespace interlock
