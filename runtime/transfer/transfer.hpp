// SPDX-License-Identifier: MIT
// Objects to messages and back: the structural copy. Both run attached to an interpreter.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "base/status.hpp"
#include "interpreter/arena_pins.hpp"
#include "memory/message.hpp"
#include "memory/tally.hpp"
#include "transfer/collector_pace.hpp"
#include "transfer/frozen_shell.hpp"
#include "transfer/known_names.hpp"
#include "transfer/type_table.hpp"

namespace interlock {

class Move;
struct TransferState;

/// Copies `object` and all that it reaches into `message`. `root` names it in errors, for example
/// "message"; under "call" a tuple's items are named function, args and kwargs.  A refused object
/// changes nothing and leaves `message` as it was.
/// What moved() marks is handed over: `move` then has something to commit() or undo(). Without one,
/// such objects are refused.
/// Thread: attached.  Locks: interpreter lock held; may run Python code (__reduce_ex__).
/// Errors: kEPYTHON (interlock.TransferError, a TypeError, with the path to the culprit; or
/// whatever
/// __reduce_ex__ raised).
[[nodiscard]] Status encode(PyObject *object, const char *root, Message &message,
                            Move *move = nullptr);
/// The same for a caller who has the state of the interpreter at hand.
[[nodiscard]] Status encode(TransferState &state, PyObject *object, const char *root,
                            Message &message, Move *move);
/// The same for a message that is decoded more than once: its readers share nothing that one of
/// them could change.
[[nodiscard]] Status encode_for_many(PyObject *object, const char *root, Message &message);

/// Builds the object that `message` carries; the message is unchanged and can be decoded again.
/// Thread: attached.  Locks: interpreter lock held; may run Python code (imports, __setstate__).
/// Returns a new reference, or null with a Python exception set.
[[nodiscard]] PyObject *decode(const Message &message);
/// The same for a caller who has the state of the interpreter at hand.
[[nodiscard]] PyObject *decode(TransferState &state, const Message &message);
/// The same for a message of a frozen object that nobody needs any more: it is empty afterwards.
[[nodiscard]] PyObject *consume_frozen(TransferState &state, Message &message);
/// The same for a message that nobody needs any more; it may be empty afterwards.
[[nodiscard]] inline PyObject *consume(TransferState &state, Message &message) {
  return message.is_frozen() ? consume_frozen(state, message) : decode(state, message);
}
/// The same for a message that carries a tuple, of which only the first `count` items are built.
[[nodiscard]] PyObject *decode_first(const Message &message, std::size_t count);

/// An exception as it crosses: its object where it can cross, else a RemoteError that says what it
/// was; with the text of its traceback, which becomes the cause of the rebuilt one. Clears nothing;
/// never fails (the last resort is a RemoteError with a fixed sentence). If nothing else holds
/// `exception`, what only it holds is handed over.
[[nodiscard]] Message encode_exception(PyRef exception);
/// The exception object (new reference), ready to be raised; null only for want of memory.
[[nodiscard]] PyObject *decode_exception(const Message &message);

/// How handles to Shared things (Channel, Interpreter) cross by reference. The Python types of such
/// handles start with this layout and derive from `_interlock.Handle`.
struct HandleObject {
  PyObject_HEAD Shared *shared;  // owned; null after the handle was cleared
};
/// A new handle in the calling interpreter; defined by python/handle.cpp.
[[nodiscard]] PyObject *wrap_shared(Ref<Shared> shared);

/// What interlock.moved() gives: an object to be handed over where this stands.
struct MarkedObject {
  PyObject_HEAD PyObject *object;  // owned; null once it has gone
  bool is_spared;  // by the runtime: what something else holds of it is copied, not emptied
};

/// What each interpreter's module keeps for the copy. References are owned; null until first used.
struct TransferState {
  PyTypeObject *handle;      // base type of all handles
  PyTypeObject *buffer;      // of BufferObject
  PyTypeObject *array;       // array.array
  PyTypeObject *moved;       // of MarkedObject
  PyObject *transfer_error;  // the class
  PyObject *dispatch_table;  // copyreg.dispatch_table
  PyObject *reducers;        // interlock._definitions.reducers: type -> function(object) -> parts
  PyObject *reduce_definition;  // interlock._definitions.reduce_definition
  PyObject *restore;            // interlock._definitions._restore
  PyObject *entries;            // interlock._registry._entries
  PyObject *by_key;             // interlock._registry._by_key
  PyObject *new_object;         // copyreg.__newobj__
  PyObject *reduce_ex;          // "__reduce_ex__"
  PyObject *protocol;           // 5
  PyObject *reduce_foreign;     // interlock._foreign.reduce; null until first used
  ArenaPins *pins;              // borrowed
  FrozenShells *shells;         // owned; null until there is one
  TypeTable *types;             // owned; see types_of()
  NameTable *names;             // owned; see names_of()
  PyObject *find_registered;    // interlock._register.find
  PyObject *rebuild_ndarray;    // of NumPy, see parts_of_numpy(); null until one was met
  PyObject *registered;         // type -> what that found, or None; null until first used
  std::size_t registrations;    // how many that knows of
  Tally *sent;                  // owned; null when the module ends
  IntRecycler ints;
  CollectorPace pace;
};
/// Counts a message that was encoded, if it has contents.
inline void count_sent(const TransferState &state, const Message &message) noexcept {
  if (message.has_contents() && state.sent != nullptr) message.count(*state.sent);
}
/// Of the calling interpreter; null with a Python exception set. Defined by python/module.cpp.
[[nodiscard]] TransferState *transfer_state();
/// Thread: attached to the interpreter of `state`.
[[nodiscard]] inline TypeTable &types_of(TransferState &state) {
  if (state.types == nullptr) state.types = new TypeTable;
  return *state.types;
}
/// The same.
[[nodiscard]] inline NameTable &names_of(TransferState &state) {
  if (state.names == nullptr) state.names = new NameTable;
  return *state.names;
}
/// Whether everything that interlock._definitions watches for a definition is as it was: a list of
/// (owner, name, value), where a cell has that value, or a dict under that name, or the function of
/// a weak reference as its code, or the class of one as its version.
/// Thread: attached. Runs no Python code; leaves no exception set.
[[nodiscard]] bool still_holds(PyObject *watched) noexcept;
/// Whether it is known what is registered for this type, so that Encoder::find_reducer() runs no
/// code to find out.  Thread: attached. Leaves no exception set.
[[nodiscard]] bool is_remembered(const TransferState &state, PyTypeObject *type) noexcept;
/// Whether neither register(), interlock._definitions nor copyreg has anything for exactly this
/// type, as far as can be said without running code.  Thread: attached. Leaves no exception set.
[[nodiscard]] bool has_no_reducer(const TransferState &state, PyTypeObject *type) noexcept;
/// The number of the place where import finds a class (NameTable::find_known_global), or kNone.
/// The same.
[[nodiscard]] std::size_t number_of_class(TransferState &state, PyTypeObject *type) noexcept;
/// Fills what takes an import. False with a Python exception set.
[[nodiscard]] bool load_reducers(TransferState &state);

}  // namespace interlock
