// SPDX-License-Identifier: MIT
// Statuses as Python exceptions: the only place.
#include "python/module.hpp"

namespace interlock {
namespace {

/// An exception class of another module, borrowed for the call; PyExc_RuntimeError if it is not
/// there.
void raise_imported(const char *module_name, const char *name, const char *message) {
  const PyRef module = PyRef::steal(PyImport_ImportModule(module_name));
  const PyRef type = module ? PyRef::steal(PyObject_GetAttrString(module.get(), name)) : PyRef();
  if (type) PyErr_SetString(type.get(), message);
}

PyObject *exception_of(Code code) {
  ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  switch (code) {
    case Code::kEINVAL:
      return PyExc_ValueError;
    case Code::kENOMEM:
      return PyExc_MemoryError;
    case Code::kETIMEDOUT:
      return PyExc_TimeoutError;
    case Code::kECLOSED:
      return state->channel_closed;
    case Code::kEFULL:
      return state->channel_full;
    case Code::kEEMPTY:
      return state->channel_empty;
    case Code::kEREFUSED:
    case Code::kETYPE:
      return state->transfer.transfer_error;
    case Code::kEENDED:
      return state->interpreter_ended;
    case Code::kESYSTEM:
      return PyExc_OSError;
    case Code::kEINTERRUPTED:
      return PyExc_KeyboardInterrupt;
    default:
      return PyExc_RuntimeError;
  }
}

bool add_exception(PyObject *module, const char *name, const char *doc, PyObject *base,
                   PyObject *&slot) {
  const std::string full = std::string("interlock.") + name;
  slot = PyErr_NewExceptionWithDoc(full.c_str(), doc, base, nullptr);
  return slot != nullptr && PyModule_AddObjectRef(module, name, slot) == 0;
}

}  // namespace

PyObject *raise(const Status &status) {
  if (status.code() == Code::kEPYTHON) return nullptr;
  if (status.code() == Code::kECANCELLED) {
    raise_imported("concurrent.futures", "CancelledError", status.message());
    return nullptr;
  }
  if (status.code() == Code::kEBROKEN) {
    raise_imported("threading", "BrokenBarrierError", status.message());
    return nullptr;
  }
  PyObject *const type = exception_of(status.code());
  if (type != nullptr) PyErr_SetString(type, status.message());
  return nullptr;
}

bool check_process(const RefCounted &object, const char *what) {
  if (!object.is_from_parent()) return true;
  PyErr_Format(
      PyExc_RuntimeError,
      "this %s was made before fork(): in the child, only what the child makes can be used", what);
  return false;
}

bool leaves_in_child(const RefCounted &object, PyObject *args) noexcept {
  return object.is_from_parent() && PyTuple_GET_SIZE(args) != 0 &&
         !Py_IsNone(PyTuple_GET_ITEM(args, 0));
}

bool add_errors(PyObject *module, ModuleState &state) {
  return add_exception(module, "TransferError",
                       "An object cannot leave its interpreter; the message gives the path to it.",
                       PyExc_TypeError, state.transfer.transfer_error) &&
         add_exception(module, "ChannelClosed", "The channel is closed, and empty for a receiver.",
                       PyExc_Exception, state.channel_closed) &&
         add_exception(module, "ChannelFull",
                       "There is no room, and the send does not wait for any.", PyExc_Exception,
                       state.channel_full) &&
         add_exception(module, "ChannelEmpty", "try_recv() found no item.", PyExc_Exception,
                       state.channel_empty) &&
         add_exception(module, "InterpreterEnded",
                       "The interpreter was closed, or gave up, before it had done what was asked.",
                       PyExc_RuntimeError, state.interpreter_ended);
}

}  // namespace interlock
