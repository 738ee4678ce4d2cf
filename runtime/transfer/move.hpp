// SPDX-License-Identifier: MIT
// Sending with move=True, whatever the object: what is plain moves as it is, anything else is
// copied, and either way the sender's containers are left empty.
#pragma once

#include <vector>

#include "transfer/detach.hpp"
#include "transfer/encoder.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// One object on its way. Thread: attached, for the whole lifetime.
class Move {
 public:
  /// As interlock::encode(); the sender's containers are empty from now on, or from commit() on.
  [[nodiscard]] Status encode(PyObject *object, const char *root, Message &message);
  /// The message has gone.  May run Python code (what the containers held may end).
  void commit();
  /// The message was not sent and never will be: gives the containers back what was in them.
  void undo();

 private:
  Detachment detachment_;
  std::vector<CopiedContainer> copied_;  // to be emptied
};

/// Hands over an object that the caller alone holds, as far as nothing else holds what is in it;
/// all else is copied. `object` is null afterwards, unless refused.  Errors: as encode().
[[nodiscard]] Status give_away(PyRef &object, const char *root, Message &message);

}  // namespace interlock
