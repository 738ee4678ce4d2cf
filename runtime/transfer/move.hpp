// SPDX-License-Identifier: MIT
// What leaves a sender that hands over, whatever the object: what is plain moves as it is, anything
// else is copied, and either way the sender's containers are left empty.
#pragma once

#include <memory>
#include <vector>

#include "base/python_compat.hpp"
#include "base/status.hpp"
#include "memory/message.hpp"

namespace interlock {

/// One thing that a move does to the sender. Thread: attached. May run Python code.
class MoveStep {
 public:
  virtual ~MoveStep() = default;
  /// The message has gone.
  virtual void commit() {}
  /// It was not sent and never will be.
  virtual void undo() {}
};

/// A container as it was when it was copied.
struct CopiedContainer {
  std::unique_ptr<MoveStep> step;  // or null; if there is one, it is all that is to be done
  PyRef object;
  Py_ssize_t size = 0;  // of a list, dict or bytearray
  PyRef elements;       // of a set: the same ones, in another
};

/// What one message takes from its sender; nothing if nothing in it moves. Whoever encodes it sends
/// it, and then calls commit() or undo().  Thread: attached, for the whole lifetime.
class Move {
 public:
  Move() = default;
  Move(Move &&) = default;
  Move &operator=(Move &&) = default;

  /// As interlock::encode(), and hands the object over: the sender's containers are empty from now
  /// on, or from commit() on.
  [[nodiscard]] Status encode(PyObject *object, const char *root, Message &message);
  [[nodiscard]] bool empty() const noexcept { return steps.empty(); }
  /// The message has gone.  May run Python code (what the containers held may end).
  void commit() {
    if (!empty()) commit_all();
  }
  /// The message was not sent and never will be: gives back what was in it. Leaves a Python
  /// exception that is set as it is.
  void undo() {
    if (!empty()) undo_all();
  }

  std::vector<CopiedContainer> steps;  // in the order in which they were taken

 private:
  void commit_all();
  void undo_all();
};

/// Hands over an object that the caller alone holds, as far as nothing else holds what is in it;
/// all else is copied, but for what moved() marks. `object` is null afterwards, unless refused.
/// Errors: as encode().
[[nodiscard]] Status give_away(PyRef &object, const char *root, Message &message);

}  // namespace interlock
