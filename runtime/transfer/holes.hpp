// SPDX-License-Identifier: MIT
// Graphs that move although not all that is in them can: whatever cannot is copied, or rebuilt, by
// a message of its own, and is put in its place by the receiver. TRANSFER.md has the rules.
#pragma once

#include <cstdint>
#include <memory>

#include "transfer/detach.hpp"
#include "transfer/move.hpp"

namespace interlock {

enum class HandOver : std::uint8_t {
  kDone,
  kForeign,  // it has to be copied as a whole; nothing has changed
  kRaised,   // a Python exception is set; nothing has changed
};

/// Detaches `root`, as Detachment::run(): `left` then has done it. What becomes of the things in
/// its holes is noted in `move`. `name`: as for encode(). `around`: of the graph in whose hole this
/// one stands; the two must have no container in common. Thread: attached. May run Python code.
[[nodiscard]] HandOver hand_over(PyRef &root, Detachment::Held held, const char *name, Move &move,
                                 std::unique_ptr<Detachment> &left, const Survey *around = nullptr);

/// Attaches a graph and fills its holes: a new reference to the root, or null with a Python
/// exception set.  Thread: attached. May run Python code.
[[nodiscard]] PyObject *receive(MovedGraph &graph);

}  // namespace interlock
