// SPDX-License-Identifier: MIT
#include "transfer/frozen_shell.hpp"

#include "transfer/transfer.hpp"

namespace interlock {

void FrozenShells::add(PyRef object, Ref<FrozenShell> shell) {
  by_object_.insert(object.get(), entries_.size());
  by_shell_.emplace(shell.get(), entries_.size());
  entries_.push_back({std::move(object), std::move(shell)});
}

void FrozenShells::clear() noexcept {
  std::vector<Entry> dropped;
  dropped.swap(entries_);
  by_object_.clear();
  by_shell_.clear();
}

int FrozenShells::traverse(visitproc visit, void *arg) const {
  for (const Entry &each : entries_) Py_VISIT(each.object.get());
  return 0;
}

PyObject *FrozenShells::object_of(Ref<FrozenShell> shell) {
  const auto known = by_shell_.find(shell.get());
  if (known != by_shell_.end()) return Py_NewRef(entries_[known->second].object.get());
  PyRef made = PyRef::steal(decode(shell->parts()));
  if (!made) return nullptr;
  // Another thread may have been faster: there is one object for a shell, and one shell for an
  // object.
  const auto raced = by_shell_.find(shell.get());
  if (raced != by_shell_.end()) return Py_NewRef(entries_[raced->second].object.get());
  PyObject *const object = made.get();
  if (find(object) == nullptr) add(PyRef::borrow(object), std::move(shell));
  return made.release();
}

}  // namespace interlock
