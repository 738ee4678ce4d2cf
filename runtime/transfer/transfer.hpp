// SPDX-License-Identifier: MIT
// Objects to messages and back: the structural copy. Both run attached to an interpreter.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "base/status.hpp"
#include "memory/message.hpp"

namespace interlock {

/// Copies `object` and all that it reaches into `message`. `root` names it in errors, for example
/// "message" or "argument".  A refused object changes nothing and leaves `message` as it was.
/// Thread: attached.  Locks: interpreter lock held; may run Python code (__reduce_ex__).
/// Errors: kEPYTHON (interlock.TransferError, a TypeError, with the path to the culprit; or whatever
/// __reduce_ex__ raised).
[[nodiscard]] Status encode(PyObject *object, const char *root, Message &message);

/// Builds the object that `message` carries; the message is unchanged and can be decoded again.
/// Thread: attached.  Locks: interpreter lock held; may run Python code (imports, __setstate__).
/// Returns a new reference, or null with a Python exception set.
[[nodiscard]] PyObject *decode(const Message &message);

/// An exception as it crosses: its object where it can cross, else a RemoteError that says what it
/// was; with the text of its traceback, which becomes the cause of the rebuilt one. Clears nothing;
/// never fails (the last resort is a RemoteError with a fixed sentence). `exception` is borrowed.
[[nodiscard]] Message encode_exception(PyObject *exception);
/// The exception object (new reference), ready to be raised; null only for want of memory.
[[nodiscard]] PyObject *decode_exception(const Message &message);

/// How handles to Shared things (Channel, Interpreter) cross by reference. The Python types of such
/// handles start with this layout and derive from `_interlock.Handle`.
struct HandleObject {
  PyObject_HEAD
  Shared *shared;  // owned; null after the handle was cleared
};
/// The handle base type of the calling interpreter (borrowed); null if `_interlock` is not imported.
[[nodiscard]] PyTypeObject *handle_type();
/// A new handle in the calling interpreter; defined by python/handle.cpp.
[[nodiscard]] PyObject *wrap_shared(Ref<Shared> shared);

}  // namespace interlock
