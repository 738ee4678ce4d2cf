// SPDX-License-Identifier: MIT
#include "memory/arena.hpp"

#include <algorithm>
#include <new>

#include "base/check.hpp"
#include "platform/memory.hpp"

namespace interlock {
namespace {

// Which memory an address belongs to: a table of tables, as page tables are, with an entry for each
// granule of 1 MiB. Addresses have 48 bits, on 32-bit systems 32.
constexpr int kGranuleBits = 20;
constexpr int kTableBits = 14;
constexpr int kAddressBits = kGranuleBits + 2 * kTableBits;
constexpr std::size_t kGranule = std::size_t{1} << kGranuleBits;
constexpr std::size_t kEntries = std::size_t{1} << kTableBits;

struct Table {
  Atomic<ArenaMemory *> entries[kEntries];
};
Atomic<Table *> tables[kEntries];

std::uint64_t number_of(const void *address) noexcept {
  return reinterpret_cast<std::uintptr_t>(address);
}

Atomic<Table *> &table_of(std::uint64_t address) noexcept {
  return tables[address >> (kGranuleBits + kTableBits)];
}

Atomic<ArenaMemory *> &entry_of(Table &table, std::uint64_t address) noexcept {
  return table.entries[address >> kGranuleBits & (kEntries - 1)];
}

/// Makes the tables for a segment. False for want of memory.
bool make_tables(const char *start, std::size_t size) noexcept {
  if (number_of(start + size - 1) >> kAddressBits != 0) return false;
  for (std::size_t at = 0; at < size; at += kGranule) {
    Atomic<Table *> &slot = table_of(number_of(start + at));
    if (slot != nullptr) continue;
    auto *const made = new (std::nothrow) Table{};
    Table *none = nullptr;
    if (made == nullptr) return false;
    if (!slot.compare_exchange_strong(none, made)) delete made;
  }
  return true;
}

std::size_t rounded_up(std::size_t size, std::size_t to) noexcept {
  return (size + to - 1) / to * to;
}

/// The pages from `begin` to `end`, of which the first may hold something else before `begin`.
bool protect(char *start, std::size_t begin, std::size_t end, bool is_read_only) noexcept {
  const std::size_t first = begin / page_size() * page_size();
  const std::size_t size = rounded_up(end, page_size()) - first;
  if (size == 0) return true;
  return is_read_only ? make_read_only(start + first, size) : make_writable(start + first, size);
}

/// Guards ArenaMemory::holds_ of all.
Mutex &holds_mutex() noexcept {
  static Mutex mutex(LockRank::kLeaf);
  return mutex;
}

}  // namespace

ArenaMemory *ArenaMemory::find(const void *address) noexcept {
  const std::uint64_t number = number_of(address);
  if (number >> kAddressBits != 0) return nullptr;
  // SYNC(arena table): pairs with compare_exchange_strong() in make_tables().
  Table *const table = load_acquire(table_of(number));
  // Relaxed: as in of().
  return table != nullptr ? load_relaxed(entry_of(*table, number)) : nullptr;
}

void ArenaMemory::enter(const Segment &segment, ArenaMemory *memory) noexcept {
  for (std::size_t at = 0; at < segment.size; at += kGranule) {
    const std::uint64_t address = number_of(segment.start + at);
    entry_of(*table_of(address), address) = memory;
  }
  if (memory != nullptr) is_any_ = true;
}

ArenaMemory::~ArenaMemory() {
  for (const Segment &each : segments_) {
    enter(each, nullptr);
    unmap_memory(each.start, each.size);
  }
}

bool ArenaMemory::reaches(const ArenaMemory &other) const noexcept {
  return this == &other || std::any_of(holds_.begin(), holds_.end(),
                                       [&](const auto &each) { return each->reaches(other); });
}

bool ArenaMemory::hold(ArenaMemory &other) {
  if (this == &other || other.is_from_parent()) return true;
  const MutexGuard guard(holds_mutex());
  for (const Ref<ArenaMemory> &each : holds_) {
    if (each.get() == &other) return true;
  }
  if (other.reaches(*this)) return false;
  holds_.emplace_back(&other);
  return true;
}

void ArenaMemory::forget_parent() noexcept { holds_mutex().reset_after_fork(); }

/// Larger ones for arenas that are large already; what is not touched costs nothing.
ArenaMemory::Segment ArenaMemory::new_segment(std::size_t at_least) noexcept {
  constexpr std::uint64_t kLargest = 64 * kGranule;
  if (at_least > SIZE_MAX - kGranule) return {};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(mapped_, kLargest));
  Segment segment;
  segment.size = rounded_up(std::max({at_least, wanted, kGranule}), kGranule);
  segment.start = static_cast<char *>(map_memory(segment.size, kGranule));
  if (segment.start == nullptr) return {};
  if (!make_tables(segment.start, segment.size)) {
    unmap_memory(segment.start, segment.size);
    return {};
  }
  enter(segment, this);
  mapped_ += segment.size;
  return segment;
}

ArenaMemory::Segment ArenaMemory::take_open() noexcept {
  const MutexGuard guard(mutex_);
  return std::exchange(open_, {});
}

void ArenaMemory::give_open(const Segment &segment) noexcept {
  const MutexGuard guard(mutex_);
  if (segment.room() > open_.room()) open_ = segment;
}

ArenaMemory::Writer::Writer(ArenaMemory &memory) : memory_(memory) {
  const Segment open = memory.take_open();
  if (open.start == nullptr) return;
  if (!protect(open.start, open.used, std::min(open.used + 1, open.size), false)) return;
  segments_.push_back(open);
  first_used_ = open.used;
}

ArenaMemory::Segment *ArenaMemory::Writer::segment_with(std::size_t size) noexcept {
  if (!segments_.empty() && segments_.back().room() >= size) return &segments_.back();
  const Segment made = memory_.new_segment(size);
  if (made.start == nullptr) return nullptr;
  segments_.push_back(made);
  return &segments_.back();
}

void *ArenaMemory::Writer::allocate(std::size_t size) noexcept {
  if (size > SIZE_MAX - kAlignment) return nullptr;
  size = rounded_up(size, kAlignment);
  is_at_limit_ = size > memory_.limit_ || written_ + memory_.used_ > memory_.limit_ - size;
  Segment *const segment = is_at_limit_ ? nullptr : segment_with(size);
  if (segment == nullptr) return nullptr;
  void *const place = segment->start + segment->used;
  segment->used += size;
  written_ += size;
  return place;
}

bool ArenaMemory::Writer::commit() noexcept {
  std::size_t begin = first_used_;
  for (const Segment &each : segments_) {
    if (!protect(each.start, begin, each.used, true)) return false;
    begin = 0;
  }
  memory_.used_ += written_;
  const bool is_first_known = first_used_ != 0;
  {
    const MutexGuard guard(memory_.mutex_);
    memory_.segments_.insert(memory_.segments_.end(), segments_.begin() + (is_first_known ? 1 : 0),
                             segments_.end());
  }
  for (const Segment &each : segments_) memory_.give_open(each);
  segments_.clear();
  return true;
}

ArenaMemory::Writer::~Writer() {
  for (Segment &each : segments_) {
    if (first_used_ != 0 && &each == &segments_.front()) {
      each.used = first_used_;
      // It held objects before. Should it stay writable, nobody writes to it all the same.
      (void)protect(each.start, first_used_ - 1, first_used_, true);
      memory_.give_open(each);
    } else {
      enter(each, nullptr);
      memory_.mapped_ -= each.size;
      unmap_memory(each.start, each.size);
    }
  }
}

}  // namespace interlock
