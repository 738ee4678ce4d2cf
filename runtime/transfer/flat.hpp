// SPDX-License-Identifier: MIT
// Messages of one object that holds only a few leaves, and none of them twice, which is what most
// messages are: a tuple, a list, a dict of a shape that is known, an instance of a class that
// import finds. They have the same records as other messages, but nothing in them refers to
// anything, so that neither side needs a stack of frames, tables or numbers.
#pragma once

#include "base/python_compat.hpp"
#include "memory/message.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

/// False if `object` is anything else, or not known well enough to be asked nothing.
/// Thread: attached. May run Python code, where keys in tables of classes are compared; leaves no
/// exception set.
[[nodiscard]] bool encode_flat(TransferState &state, PyObject *object, Message &message);
/// Builds the object of such a message: a new reference, or null with a Python exception set.
/// Thread: attached. May run Python code: the class of an instance is imported.
[[nodiscard]] PyObject *decode_flat(TransferState &state, const Message &message);

}  // namespace interlock
