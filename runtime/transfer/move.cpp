// SPDX-License-Identifier: MIT
#include "transfer/move.hpp"

#include "transfer/encoder.hpp"
#include "transfer/inline_record.hpp"

namespace interlock {

Status Move::encode(PyObject *object, const char *root, Message &message) {
  switch (detachment_.empty(object)) {
    case Detachment::Result::kDone:
      message = Message::from_moved(detachment_.graph());
      return {};
    case Detachment::Result::kNoMemory:
      PyErr_NoMemory();
      return Code::kEPYTHON;
    default:
      return encode_noting(object, root, message, copied_);
  }
}

void Move::commit() {
  for (const PyRef &each : copied_) {
    if (!PyRef::steal(PyObject_CallMethod(each.get(), "clear", nullptr)))
      PyErr_WriteUnraisable(each.get());
  }
  copied_.clear();
}

Status give_away(PyRef &object, const char *root, Message &message) {
  if (!inline_record_of(object.get())) {
    Detachment detachment;
    switch (detachment.give_away(object)) {
      case Detachment::Result::kDone:
        message = Message::from_moved(detachment.graph());
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
