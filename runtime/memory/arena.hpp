// SPDX-License-Identifier: MIT
// Memory of frozen objects: written once, then read-only for good, and given back as a whole. It
// knows nothing of Python. An Arena is what users hold and close; its ArenaMemory lives until the
// arena is closed or gone and nobody has an object of it: messages on their way and interpreters
// that froze or received one each hold a reference.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ref.hpp"
#include "lock/mutex.hpp"

namespace interlock {

class ArenaMemory final : public Shared {
  struct Segment {
    char *start = nullptr;
    std::size_t size = 0;
    std::size_t used = 0;
    [[nodiscard]] std::size_t room() const noexcept { return size - used; }
  };

 public:
  /// `limit`: bytes that objects may take.
  explicit ArenaMemory(std::uint64_t limit) noexcept : limit_(limit) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kArenaMemory; }
  /// The one that `address` lies in, or null. Nobody but the caller keeps it from ending.
  /// Thread: any.  Blocks: never.
  [[nodiscard]] static ArenaMemory *of(const void *address) noexcept {
    // Relaxed: who has an address in an arena was given it by who wrote this and the tables before,
    // so that no load can miss them; for others it is all the same.
    return load_relaxed(is_any_) ? find(address) : nullptr;
  }
  /// Bytes that objects take.  Thread: any.
  [[nodiscard]] std::uint64_t used() const noexcept { return used_; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }

  /// Sees to it that objects here may refer to objects of `other`, which then lives as long. False
  /// if `other` already lives as long as this one: neither would ever end.  Thread: any.
  [[nodiscard]] bool hold(ArenaMemory &other);

  /// In the child of a fork, where whoever is in hold() no longer exists.
  static void forget_parent() noexcept;

  /// Writes objects; several writers may do so at a time, each in its own pages. Thread: one.
  class Writer {
   public:
    explicit Writer(ArenaMemory &memory);
    /// Takes back all that was written, unless commit() was called.
    ~Writer();
    Writer(const Writer &) = delete;
    Writer &operator=(const Writer &) = delete;

    [[nodiscard]] ArenaMemory &memory() noexcept { return memory_; }
    /// `size` bytes at a multiple of kAlignment, not zeroed; null for want of memory, or if the
    /// limit is reached.
    [[nodiscard]] void *allocate(std::size_t size) noexcept;
    [[nodiscard]] bool is_at_limit() const noexcept { return is_at_limit_; }
    /// Makes all that was written read-only. False, and all is taken back, if the system refuses.
    [[nodiscard]] bool commit() noexcept;

   private:
    [[nodiscard]] Segment *segment_with(std::size_t size) noexcept;

    ArenaMemory &memory_;
    std::vector<Segment> segments_;  // the first may be one that others wrote to before
    std::size_t first_used_ = 0;     // how far
    std::uint64_t written_ = 0;
    bool is_at_limit_ = false;
  };

  static constexpr std::size_t kAlignment = 16;

 private:
  ~ArenaMemory() override;
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);

  [[nodiscard]] static ArenaMemory *find(const void *address) noexcept;
  static void enter(const Segment &segment, ArenaMemory *memory) noexcept;
  [[nodiscard]] Segment new_segment(std::size_t at_least) noexcept;
  [[nodiscard]] Segment take_open() noexcept;
  void give_open(const Segment &segment) noexcept;
  [[nodiscard]] bool reaches(const ArenaMemory &other) const noexcept;

  static inline Atomic<bool> is_any_{false};  // has there ever been one with an object?

  const std::uint64_t limit_;
  Atomic<std::uint64_t> used_{0};
  Atomic<std::uint64_t> mapped_{0};
  Mutex mutex_{LockRank::kLeaf};  // guards the next two
  std::vector<Segment> segments_;
  Segment open_;                         // one of them that has room, not in use; or none
  std::vector<Ref<ArenaMemory>> holds_;  // guarded by a mutex of all
};

/// Thread: any.
class Arena final : public Shared {
 public:
  explicit Arena(std::uint64_t limit) : memory_(make_ref<ArenaMemory>(limit)) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kArena; }
  /// Null once it is closed.
  [[nodiscard]] Ref<ArenaMemory> memory() noexcept {
    const MutexGuard guard(mutex_);
    return memory_;
  }
  /// Nothing is frozen into it any more.
  void close() noexcept {
    Ref<ArenaMemory> dropped;
    const MutexGuard guard(mutex_);
    std::swap(dropped, memory_);
  }

 private:
  Mutex mutex_{LockRank::kLeaf};
  Ref<ArenaMemory> memory_;
};

}  // namespace interlock
