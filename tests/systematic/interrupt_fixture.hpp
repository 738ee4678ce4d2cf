// SPDX-License-Identifier: MIT
// A thread that interrupts another one's wait, for scenarios.
#pragma once

#include "lock/parker.hpp"
#include "simulator.hpp"

namespace interlock::systematic {

/// Adds a thread that interrupts the owner of `parker`, once that is there, one time.
inline void add_interrupter(Run &run, const Atomic<Parker *> &parker) {
  run.thread([&run, &parker] {
    Parker *other;
    while ((other = parker) == nullptr) run.pause();
    other->interrupt();
  });
}

}  // namespace interlock::systematic
