// SPDX-License-Identifier: MIT
// Objects on their way from one interpreter to another: they belong to neither, so nothing in
// either leads to them, and they lead to nothing but each other and what all interpreters share.
// TRANSFER.md has the law.
#pragma once

#include <vector>

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "memory/arena.hpp"
#include "memory/message.hpp"
#include "transfer/moved_containers.hpp"
#include "transfer/slots.hpp"

namespace interlock {

/// Thread: one at a time.
class MovedGraph final : public Shared {
 public:
  /// A place in it where None stands for what does not move but crosses beside the graph.
  struct Hole {
    PyObject *owner;    // one of the containers
    std::size_t place;  // of slot_at()
    std::size_t index;  // in the tuple that `in_holes` carries
    [[nodiscard]] PyObject *&slot() const noexcept { return *slot_at(owner, place); }
  };

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kMovedGraph; }

  /// Gives the objects to the calling interpreter: a new reference to the root, or null with a
  /// Python exception set if it was given before. The holes are the caller's to fill.
  /// Thread: attached.  Runs no Python code.
  [[nodiscard]] PyObject *attach();

  [[nodiscard]] Weight weight() const noexcept override;

  MovedContainers containers;  // each once
  std::vector<Hole> holes;
  Message in_holes;
  std::vector<PyObject *> parts;         // containers that what is in the holes refers to; owned
  std::uint64_t objects = 1;             // places for objects, and the root
  std::vector<Ref<ArenaMemory>> arenas;  // of the frozen objects in it
  PyObject *root = nullptr;              // owned, until attach()

 private:
  /// Frees what was not given to anybody. Thread: any, attached or not.
  ~MovedGraph() override;
};

}  // namespace interlock
