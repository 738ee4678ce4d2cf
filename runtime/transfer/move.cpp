// SPDX-License-Identifier: MIT
#include "transfer/move.hpp"

#include <cstring>

#include "transfer/array.hpp"
#include "transfer/encoder.hpp"
#include "transfer/holes.hpp"
#include "transfer/inline_record.hpp"
#include "transfer/plain.hpp"
#include "transfer/slots.hpp"

namespace interlock {
namespace {

bool remove_first(PyObject *dict, Py_ssize_t count) {
  const PyRef keys = PyRef::steal(PyDict_Keys(dict));
  for (Py_ssize_t i = 0; keys && i < count && i < PyList_GET_SIZE(keys.get()); ++i) {
    if (PyDict_DelItem(dict, PyList_GET_ITEM(keys.get(), i)) != 0) return false;
  }
  return static_cast<bool>(keys);
}

bool pop_left(PyObject *deque, Py_ssize_t count) {
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!PyRef::steal(PyObject_CallMethod(deque, "popleft", nullptr))) return false;
  }
  return true;
}

/// Takes out of a container what has gone; what came in meanwhile stays.
bool remove_copied(const CopiedContainer &copied) {
  PyObject *const object = copied.object.get();
  if (copied.elements)
    return static_cast<bool>(PyRef::steal(PyNumber_InPlaceSubtract(object, copied.elements.get())));
  if (PyList_CheckExact(object) && PyList_GET_SIZE(object) == copied.size)
    return PyList_SetSlice(object, 0, copied.size, nullptr) == 0;
  const Py_ssize_t size = PyObject_Size(object);
  if (size > copied.size) {
    if (PyList_Check(object)) return PyList_SetSlice(object, 0, copied.size, nullptr) == 0;
    if (PyByteArray_Check(object)) return PySequence_DelSlice(object, 0, copied.size) == 0;
    if (PyDict_Check(object)) return remove_first(object, copied.size);
    if (Encoder::is_deque(object)) return pop_left(object, copied.size);
  }
  return size >= 0 &&
         static_cast<bool>(PyRef::steal(PyObject_CallMethod(object, "clear", nullptr)));
}

Message from_moved(const Detachment &detachment) {
  Message message = Message::from_moved(detachment.graph());
  if (const TransferState *const state = transfer_state()) count_sent(*state, message);
  return message;
}

/// A graph that has left as it is.
class HandOverGraph final : public MoveStep {
 public:
  explicit HandOverGraph(std::unique_ptr<Detachment> detachment)
      : detachment_(std::move(detachment)) {}
  void undo() override { (void)detachment_->undo(); }

 private:
  const std::unique_ptr<Detachment> detachment_;
};

}  // namespace

Status Move::encode(PyObject *object, const char *root, Message &message) {
  std::unique_ptr<Detachment> left;
  PyRef held = PyRef::borrow(object);
  switch (hand_over(held, Detachment::Held::kEmptied, root, *this, left)) {
    case HandOver::kDone:
      message = from_moved(*left);
      steps.emplace_back().step = std::make_unique<HandOverGraph>(std::move(left));
      return {};
    case HandOver::kForeign:
      return encode_moving(object, root, message, *this);
    default:
      return Code::kEPYTHON;
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

bool Encoder::is_deque(PyObject *object) noexcept {
  return std::strcmp(Py_TYPE(object)->tp_name, "collections.deque") == 0;
}

/// Whether a move leaves it empty.
bool Encoder::is_container(PyObject *object) noexcept {
  return PyList_Check(object) || PyDict_Check(object) || PySet_Check(object) ||
         PyByteArray_Check(object) || is_deque(object) ||
         std::strcmp(Py_TYPE(object)->tp_name, "array.array") == 0;
}

bool Encoder::note_container(PyObject *object) {
  if (is_inside() || !is_container(object)) return true;
  // It leaves with a graph around the one whose holes are written.
  if (survey_ != nullptr && survey_->is_part_of_any(object)) return true;
  if (!is_plain_container(Py_TYPE(object)) && !is_careful_now()) return false;
  PyObject *registered = nullptr;
  if (!find_registered(Py_TYPE(object), registered)) return false;
  if (registered != nullptr) return true;
  const bool is_viewed = PyByteArray_Check(object) ? !ByteArrayStorage::is_plain(object)
                                                   : is_viewed_array(state_, object);
  if (is_viewed) return refuse(object, "it cannot be emptied while a view of it exists");
  if (PyErr_Occurred()) return false;
  CopiedContainer &copied = move_->steps.emplace_back();
  copied.object = PyRef::borrow(object);
  if (PySet_Check(object)) {
    copied.elements = PyRef::steal(PySet_New(object));
    return static_cast<bool>(copied.elements);
  }
  copied.size = PyObject_Size(object);
  return copied.size >= 0;
}

Status give_away(PyRef &object, const char *root, Message &message) {
  Move move;
  Status status;
  std::unique_ptr<Detachment> left;
  const bool is_inline = inline_record_of(object.get()).has_value();
  switch (is_inline ? HandOver::kForeign
                    : hand_over(object, Detachment::Held::kCopied, root, move, left)) {
    case HandOver::kDone:
      message = from_moved(*left);
      break;
    case HandOver::kForeign:
      status = encode(object.get(), root, message, &move);
      if (status.ok()) object = {};
      break;
    default:
      return Code::kEPYTHON;
  }
  move.commit();
  return status;
}

}  // namespace interlock
