// SPDX-License-Identifier: MIT
// Deeply immutable twins of plain objects, in an arena. TRANSFER.md has the rules.
#pragma once

#include <cstdint>
#include <vector>

#include "base/python_compat.hpp"
#include "memory/arena.hpp"
#include "memory/message.hpp"
#include "transfer/object_table.hpp"

namespace interlock {

/// Whether objects can be frozen in this process. Thread: attached.
[[nodiscard]] bool can_freeze() noexcept;

/// The arena of an object that is frozen, or null.  Thread: attached to an interpreter that has the
/// object.
[[nodiscard]] inline ArenaMemory *arena_of(PyObject *object) noexcept {
  return _Py_IsImmortal(object) ? ArenaMemory::of(object) : nullptr;
}

/// The message of a frozen object by value, if that is a str that UTF-8 can express, bytes, an int
/// of 64 bits or a float; else a copy of the message.  Thread: any, attached or not.
[[nodiscard]] Message thaw(const Message &message);

enum class FreezeResult : std::uint8_t {
  kDone,
  kForeign,  // something in it is no plain object, or is part of itself
  kFailed,   // a Python exception is set
};

/// Makes the twin of `object` in `memory`, if all that it contains is plain: None, bool, int,
/// float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, mappingproxy of a
/// dict, what is frozen already. Unless kDone, nothing has changed.
/// Thread: attached.  Locks: interpreter lock held all the time; runs no Python code.
[[nodiscard]] FreezeResult freeze_plain(PyObject *object, ArenaMemory &memory, PyObject *&twin);

/// One run of it. Without recursion: a frame for each container that is open.
class Freezer {
 public:
  explicit Freezer(ArenaMemory::Writer &writer) noexcept : writer_(writer) {}

  /// The twin of `object`, or null; why() then says why.
  [[nodiscard]] PyObject *run(PyObject *object);
  [[nodiscard]] FreezeResult why() const noexcept { return why_; }

 private:
  enum class Kind : std::uint8_t { kList, kTuple, kDict, kSet };
  /// A container whose children are being frozen.
  struct Frame {
    PyObject *object;  // borrowed: nothing runs that could change it
    PyObject *dict;    // kDict: what it is or shows
    Kind kind;
    bool is_numbered;     // it may be met again
    PyObject *twin;       // kList, kTuple: in the arena
    PyRef collected;      // kDict, kSet: an ordinary one, of which the twin will be a copy
    PyObject *value;      // kDict: what belongs to the key that is being frozen, or null
    PyObject *key;        // kDict: the twin of the key whose value is being frozen, or null
    Py_ssize_t next = 0;  // kDict: of PyDict_Next(); else the next item or slot
    Py_ssize_t size = 0;
  };

  /// The twin of an object, or null: a frame was opened, or it failed.
  [[nodiscard]] PyObject *visit(PyObject *object);
  [[nodiscard]] PyObject *open(PyObject *object, bool is_numbered);
  [[nodiscard]] PyObject *next_child(Frame &frame);
  [[nodiscard]] bool add(Frame &frame, PyObject *twin);
  [[nodiscard]] PyObject *close(Frame &frame);
  [[nodiscard]] PyObject *copy_leaf(PyObject *leaf);
  [[nodiscard]] PyObject *copy_text(PyObject *text);
  [[nodiscard]] PyObject *copy_dict(PyObject *dict);
  [[nodiscard]] PyObject *copy_set(PyObject *set);
  [[nodiscard]] void *allocate(std::size_t size);
  PyObject *refuse(FreezeResult why) noexcept;

  ArenaMemory::Writer &writer_;
  std::vector<Frame> frames_;
  ObjectTable twins_;  // of what may be met again: its address; 0 while it is open
  FreezeResult why_ = FreezeResult::kDone;
};

}  // namespace interlock
