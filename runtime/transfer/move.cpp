// SPDX-License-Identifier: MIT
#include "transfer/move.hpp"

#include "transfer/detach.hpp"
#include "transfer/encoder.hpp"
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

/// A graph that has left as it is.
class HandOverGraph final : public MoveStep {
 public:
  void undo() override { (void)detachment.undo(); }
  Detachment detachment;
};

}  // namespace

Status Move::encode(PyObject *object, const char *root, Message &message) {
  auto step = std::make_unique<HandOverGraph>();
  PyRef held = PyRef::borrow(object);
  switch (step->detachment.run(held, Detachment::Held::kEmptied)) {
    case Detachment::Result::kDone:
      message = Message::from_moved(step->detachment.graph());
      steps.emplace_back().step = std::move(step);
      return {};
    case Detachment::Result::kNoMemory:
      PyErr_NoMemory();
      return Code::kEPYTHON;
    default:
      return encode_moving(object, root, message, *this);
  }
}

void Move::commit_all() {
  for (const CopiedContainer &each : steps) {
    if (each.step) {
      each.step->commit();
    } else if (!remove_copied(each)) {
      PyErr_WriteUnraisable(each.object.get());
    }
  }
  steps.clear();
}

void Move::undo_all() {
  PyRef raised = PyRef::steal(PyErr_GetRaisedException());
  for (auto each = steps.rbegin(); each != steps.rend(); ++each) {
    if (each->step) each->step->undo();
  }
  steps.clear();
  PyErr_SetRaisedException(raised.release());
}

Status give_away(PyRef &object, const char *root, Message &message) {
  if (!inline_record_of(object.get())) {
    Detachment detachment;
    switch (detachment.run(object, Detachment::Held::kCopied)) {
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
  Move move;
  const Status status = encode(object.get(), root, message, &move);
  move.commit();
  if (status.ok()) object = {};
  return status;
}

}  // namespace interlock
