// SPDX-License-Identifier: MIT
// Every interpreter that the runtime started and that has not ended, for the end of the process and
// for fork.
// Lock: mutex_ (kRegistry).
#pragma once

#include <vector>

#include "interpreter/interpreter.hpp"

namespace interlock {

class InterpreterRegistry {
 public:
  [[nodiscard]] static InterpreterRegistry &instance() noexcept;

  /// Errors: kESTATE once close_all() has begun.
  [[nodiscard]] Status add(Ref<Interpreter> interpreter);
  void remove(Interpreter &interpreter);
  [[nodiscard]] std::vector<Ref<Interpreter>> all() const;

  /// Ends every interpreter: lets each finish what it has, until `drain`; then interrupts, until
  /// `give_up`; then abandons. New interpreters are refused from now on.
  /// Thread: main, not attached.  Errors: kEINTERRUPTED during the drain (call again with less
  /// time). `abandoned` counts those given up.
  [[nodiscard]] Status close_all(Deadline drain, Deadline give_up, unsigned &abandoned);

  /// Child of a fork: its only interpreter is the main one.
  void reset_after_fork() noexcept;

 private:
  [[nodiscard]] static unsigned interrupt_and_abandon(std::vector<Ref<Interpreter>> &left,
                                                      Deadline give_up);

  mutable Mutex mutex_{LockRank::kRegistry};
  std::vector<Ref<Interpreter>> interpreters_;
  bool closing_ = false;
};

}  // namespace interlock
