// SPDX-License-Identifier: MIT
// What an interpreter has lent to others, and gets back to release it under its own lock. CPython's
// own way (3.13-3.15) is a pending call each, in an array of 300, and loses what does not fit; here
// a list without end needs one pending call for all that is in it. README.md has the rules.
#pragma once

#include <cstdint>

#include "base/python_compat.hpp"
#include "base/ref.hpp"

namespace interlock {

class Returns;

/// Something lent. It deletes itself in release_at_home() or release_after_end().
class Returned {
 public:
  Returned() noexcept = default;
  Returned(const Returned &) = delete;
  Returned &operator=(const Returned &) = delete;

  /// Thread: attached to the owner. May run Python code; leaves no exception set.
  virtual void release_at_home() noexcept = 0;
  /// The owner ends while this is lent, and will touch nothing of it from now on: notes what may
  /// then be freed without the owner.  Thread: attached to the owner.  Runs no Python code.
  virtual void owner_ends() noexcept {}
  /// The owner has ended. What only it could release is left, for ever.
  /// Thread: any, attached to another interpreter or to none.
  virtual void release_after_end() noexcept = 0;

 protected:
  virtual ~Returned() = default;

 private:
  friend class Returns;
  Returned *next_returned_ = nullptr;
  Returned *previous_ = nullptr;  // of those that are lent
  Returned *next_ = nullptr;
};

/// One for each interpreter in which `_interlock` was imported.
class Returns final : public RefCounted {
 public:
  /// Of the calling interpreter; null if it has none, or none any more.  Thread: attached.
  [[nodiscard]] static Returns *current() noexcept;
  /// The same, made if need be; null with a Python exception set.
  [[nodiscard]] static Returns *create_current() noexcept;

  /// Notes that `item` is lent. False if the interpreter ends: nothing may be lent any more.
  /// Thread: attached to the owner.
  [[nodiscard]] bool lend(Returned &item) noexcept;
  /// Ends a loan: `item` is released soon, in the owner, or now if that has ended.
  /// Thread: any, attached or not.  Locks: takes a leaf lock.  Blocks: never for long.
  void give_back(Returned *item) noexcept;

  /// Whether there is something to release.  Thread: any.
  [[nodiscard]] bool any() const noexcept {
    Returned *const first = first_;
    return first != nullptr && first != closed();
  }
  /// Releases what was given back.  Thread: attached to the owner.  May run Python code; keeps the
  /// exception that is set.
  void drain() noexcept;
  /// The same if the calling thread is attached to the owner, and else nothing.
  void drain_if_home() noexcept;
  /// drain() of the calling interpreter.  Thread: attached.
  static void drain_current() noexcept;

 private:
  explicit Returns(PyInterpreterState *owner) noexcept : owner_(owner) {}
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);

  /// The owner ends: releases what is there, and leaves the rest to whoever gives it back.
  void close() noexcept;
  void ask(bool is_first) noexcept;
  void release_all(Returned *items) noexcept;
  void forget(Returned &item) noexcept;
  static void close_capsule(PyObject *capsule);
  static int deliver(void *);
  /// Stands in first_ once the owner has ended.
  [[nodiscard]] static Returned *closed() noexcept { return reinterpret_cast<Returned *>(1); }

  PyInterpreterState *const owner_;  // not after close()
  Atomic<Returned *> first_{nullptr};
  Atomic<bool> is_asked_{false};          // a pending call will come
  Atomic<std::uint32_t> giving_back_{0};  // threads that may use owner_
  Returned *lent_ = nullptr;              // guarded by the owner's lock
};

}  // namespace interlock
