// SPDX-License-Identifier: MIT
// Frozen structures that contain instances of classes. An instance belongs to the interpreter of
// its class, so it and what contains it, the shell, is built once in each interpreter that receives
// it; all else in it lies in an arena and is shared.
#pragma once

#include <unordered_map>
#include <vector>

#include "memory/message.hpp"
#include "transfer/object_table.hpp"

namespace interlock {

class FrozenShell final : public Shared {
 public:
  explicit FrozenShell(Message parts) : parts_(std::move(parts)) {}

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kFrozenShell; }
  [[nodiscard]] const Message &parts() const noexcept { return parts_; }

 private:
  const Message parts_;
};

/// The shells that an interpreter has, which it keeps until it ends, as it keeps what lies in
/// arenas. Its lock guards them.
class FrozenShells {
 public:
  /// The shell whose object this is, or null.  Thread: attached.
  [[nodiscard]] FrozenShell *find(PyObject *object) noexcept {
    const std::uint64_t *const index = by_object_.find(object);
    return index != nullptr ? entries_[static_cast<std::size_t>(*index)].shell.get() : nullptr;
  }
  /// The object of `shell`: a new reference, or null with a Python exception set. May run Python
  /// code, the first time.  Thread: attached.
  [[nodiscard]] PyObject *object_of(Ref<FrozenShell> shell);
  void add(PyRef object, Ref<FrozenShell> shell);
  /// Drops them all.  May run Python code.
  void clear() noexcept;
  /// As tp_traverse: they lead to classes, and these to all else.
  [[nodiscard]] int traverse(visitproc visit, void *arg) const;

 private:
  struct Entry {
    PyRef object;
    Ref<FrozenShell> shell;
  };
  std::vector<Entry> entries_;
  ObjectTable by_object_;
  std::unordered_map<FrozenShell *, std::size_t> by_shell_;
};

}  // namespace interlock
