// SPDX-License-Identifier: MIT
// Reference counting for what several interpreters share. A RefCounted starts with no owner; each
// Ref is one owner, on any thread; the last one destroys it.
#pragma once

#include <cstdint>
#include <utility>

#include "base/atomic.hpp"
#include "base/tier.hpp"

namespace interlock {

/// Counts forks: a child is one above its parent. Written only while the child has one thread.
inline Atomic<std::uint32_t> process_generation{0};

class RefCounted {
 public:
  RefCounted() noexcept = default;
  RefCounted(const RefCounted &) = delete;
  RefCounted &operator=(const RefCounted &) = delete;

  /// Thread: any.
  void retain(std::uint32_t references = 1) noexcept {
    // Relaxed: whoever copies a reference already has one; nothing is published.
    fetch_add_relaxed(count_, references);
  }
  /// Thread: any. Destroys the object with its last reference.
  void release(std::uint32_t references = 1) noexcept {
    // SYNC(last release): the releases before the last one happen before the destructor.
    if (fetch_sub_acq_rel(count_, references) == references && !is_from_parent()) delete this;
  }

  /// In the child of a fork, whether the object was made by the parent: its locks may be held, and
  /// its lists lead to stacks, of threads that do not exist here. It must not be used; it is
  /// leaked.
  [[nodiscard]] bool is_from_parent() const noexcept {
    // Relaxed: changes only where no other thread looks.
    return generation_ != load_relaxed(process_generation);
  }

 protected:
  virtual ~RefCounted() = default;

 private:
  Atomic<std::uint32_t> count_{0};
  const std::uint32_t generation_ = load_relaxed(process_generation);
};

/// What a message may carry by reference: it lives outside every interpreter's heap.
class Shared : public RefCounted {
 public:
  enum class Kind : std::uint8_t {
    kChannel,
    kInterpreter,
    kDefinition,
    kSender,
    kLock,
    kSemaphore,
    kEvent,
    kBarrier,
    kMovedGraph,
    kProxy,
    kBuffer,
    kArrayItems,
    kDescriptor,
    kArena,
    kArenaMemory,
    kFrozenShell,
  };
  [[nodiscard]] virtual Kind kind() const noexcept = 0;

  /// What it stands for, for statistics. Bytes: of memory that it lends, hands over or brings.
  struct Weight {
    Tier tier = Tier::kShared;
    std::uint64_t objects = 1;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] virtual Weight weight() const noexcept { return {}; }
};

template <typename T>
class Ref {
 public:
  Ref() noexcept = default;
  explicit Ref(T *object) noexcept : object_(object) {
    if (object_ != nullptr) object_->retain();
  }
  Ref(const Ref &other) noexcept : Ref(other.object_) {}
  Ref(Ref &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  template <typename U>
  Ref(Ref<U> other) noexcept : object_(other.leak()) {}  // NOLINT: up-casts convert on purpose
  ~Ref() {
    if (object_ != nullptr) object_->release();
  }
  Ref &operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }

  [[nodiscard]] T *get() const noexcept { return object_; }
  /// Gives up ownership without releasing.
  [[nodiscard]] T *leak() noexcept { return std::exchange(object_, nullptr); }
  T *operator->() const noexcept { return object_; }
  T &operator*() const noexcept { return *object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  T *object_ = nullptr;
};

template <typename T, typename... Args>
[[nodiscard]] Ref<T> make_ref(Args &&...args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace interlock
