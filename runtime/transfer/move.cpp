// SPDX-License-Identifier: MIT
#include "transfer/move.hpp"

#include "transfer/inline_record.hpp"

namespace interlock {
namespace {

bool remove_first(PyObject *dict, Py_ssize_t count) {
  const PyRef keys = PyRef::steal(PyDict_Keys(dict));
  for (Py_ssize_t i = 0; keys && i < count && i < PyList_GET_SIZE(keys.get()); ++i) {
    if (PyDict_DelItem(dict, PyList_GET_ITEM(keys.get(), i)) != 0) return false;
  }
  return static_cast<bool>(keys);
}

/// Takes out of a container what has gone; what came in meanwhile stays.
bool remove_copied(const CopiedContainer &copied) {
  PyObject *const object = copied.object.get();
  if (copied.elements)
    return static_cast<bool>(PyRef::steal(PyNumber_InPlaceSubtract(object, copied.elements.get())));
  const Py_ssize_t size = PyObject_Size(object);
  if (size > copied.size) {
    if (PyList_Check(object)) return PyList_SetSlice(object, 0, copied.size, nullptr) == 0;
    if (PyByteArray_Check(object)) return PySequence_DelSlice(object, 0, copied.size) == 0;
    if (PyDict_Check(object)) return remove_first(object, copied.size);
  }
  return size >= 0 &&
         static_cast<bool>(PyRef::steal(PyObject_CallMethod(object, "clear", nullptr)));
}

Message from_moved(const Detachment &detachment) {
  Message message = Message::from_moved(detachment.graph());
  if (const TransferState *const state = transfer_state()) count_sent(*state, message);
  return message;
}

}  // namespace

Status Move::encode(PyObject *object, const char *root, Message &message) {
  switch (detachment_.empty(object)) {
    case Detachment::Result::kDone:
      message = from_moved(detachment_);
      return {};
    case Detachment::Result::kNoMemory:
      PyErr_NoMemory();
      return Code::kEPYTHON;
    default:
      break;
  }
  Status status = encode_noting(object, root, message, copied_);
  if (!status.ok()) {
    const PyRef raised = PyRef::steal(PyErr_GetRaisedException());
    undo();
    PyErr_SetRaisedException(Py_NewRef(raised.get()));
  }
  return status;
}

void Move::commit() {
  for (const CopiedContainer &each : copied_) {
    if (each.step) {
      each.step->commit();
    } else if (!remove_copied(each)) {
      PyErr_WriteUnraisable(each.object.get());
    }
  }
  copied_.clear();
}

void Move::undo() {
  detachment_.undo();
  for (const CopiedContainer &each : copied_) {
    if (each.step) each.step->undo();
  }
  copied_.clear();
}

Status give_away(PyRef &object, const char *root, Message &message) {
  if (!inline_record_of(object.get())) {
    Detachment detachment;
    switch (detachment.give_away(object)) {
      case Detachment::Result::kDone:
        message = from_moved(detachment);
        return {};
      case Detachment::Result::kNoMemory:
        PyErr_NoMemory();
        return Code::kEPYTHON;
      default:
        break;
    }
  }
  const Status status = encode(object.get(), root, message);
  if (status.ok()) object = {};
  return status;
}

}  // namespace interlock
