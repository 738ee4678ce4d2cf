// SPDX-License-Identifier: MIT
// What interlock.register() has been told in any interpreter, for all of them: which type, and a
// function, as a Definition, that says how its objects cross. interlock._register has the rules.
#pragma once

#include <string>
#include <vector>

#include "base/atomic.hpp"
#include "base/ref.hpp"
#include "lock/mutex.hpp"
#include "transfer/definition.hpp"

namespace interlock {

struct Registration {
  std::string type;        // its name, or the key of its definition
  Ref<Definition> reduce;  // null: what was registered before is taken back
};

/// One list for the process; it only grows. Lock: mutex_ (kLeaf) guards list_.
class Registrations {
 public:
  [[nodiscard]] static Registrations &instance() noexcept;

  /// Thread: any.  Blocks: never for long.
  void add(Registration registration);
  /// Those from the one with this number on, in their order.
  [[nodiscard]] std::vector<Registration> since(std::size_t number) const;
  /// How many there are: cheap. Whoever heard of one, by whatever synchronises, counts it.
  [[nodiscard]] std::size_t count() const noexcept {
    // Relaxed: since() takes the lock; it is a question of whether to look.
    return load_relaxed(count_);
  }
  /// In the child of a fork: another thread may have held the lock.
  void reset_after_fork() noexcept { mutex_.reset_after_fork(); }

 private:
  Registrations() = default;

  mutable Mutex mutex_{LockRank::kLeaf};
  std::vector<Registration> list_;
  Atomic<std::size_t> count_{0};
};

}  // namespace interlock
