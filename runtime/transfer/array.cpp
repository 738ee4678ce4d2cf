// SPDX-License-Identifier: MIT
#include "transfer/array.hpp"

#include <cstring>

#include "interpreter/owner_tags.hpp"
#include "transfer/detach.hpp"
#include "transfer/encoder.hpp"

namespace interlock {
namespace {

constexpr const char *kItems = "the items of an array";

/// False with a Python exception set.
bool load_array(TransferState &state) {
  if (state.array != nullptr) return true;
  const PyRef module = PyRef::steal(PyImport_ImportModule("array"));
  PyRef type = module ? PyRef::steal(PyObject_GetAttrString(module.get(), "array")) : PyRef();
  if (type) state.array = reinterpret_cast<PyTypeObject *>(type.release());
  return state.array != nullptr;
}

/// Whether `object` is an array.array that looks as ArrayStorage takes it to. False also with a
/// Python exception set.
bool is_known_array(TransferState &state, PyObject *object) {
  if (std::strcmp(Py_TYPE(object)->tp_name, "array.array") != 0) return false;
  return load_array(state) && Py_IS_TYPE(object, state.array) &&
         ArrayStorage::verified(state.array);
}

PyRef new_array(const TransferState &state, char typecode) {
  const char text[] = {typecode, '\0'};
  return PyRef::steal(PyObject_CallFunction(reinterpret_cast<PyObject *>(state.array), "s", text));
}

/// What a move does to an array: its items are in the message.
class HandOverItems final : public MoveStep {
 public:
  HandOverItems(PyObject *array, Ref<ArrayItems> items)
      : array_(PyRef::borrow(array)), items_(std::move(items)) {}
  void undo() override {
    if (!items_->put_back(array_.get())) PyErr_WriteUnraisable(array_.get());
  }

 private:
  const PyRef array_;
  const Ref<ArrayItems> items_;
};

class HandOverBytes final : public MoveStep {
 public:
  void undo() override { (void)detachment.undo(); }
  Detachment detachment;
};

}  // namespace

bool has_array_storage(TransferState &state, PyObject *object) {
  return is_known_array(state, object) && SharedAllocator::is_in_use();
}

bool is_viewed_array(TransferState &state, PyObject *object) {
  return is_known_array(state, object) && !ArrayStorage::is_plain(object);
}

PyObject *ArrayItems::attach(TransferState &state) {
  if (is_received_) {
    PyErr_SetString(PyExc_RuntimeError, "what this message carried has been received before");
    return nullptr;
  }
  if (!load_array(state)) return nullptr;
  PyRef array = new_array(state, typecode_);
  if (!array) return nullptr;
  owner_tags::arrive(items_.memory, kItems);
  ArrayStorage::swap(array.get(), items_);
  is_received_ = true;
  return array.release();
}

bool ArrayItems::put_back(PyObject *array) {
  if (is_received_) return true;
  const bool is_viewed = !ArrayStorage::is_plain(array);
  owner_tags::arrive(items_.memory, kItems);
  ArrayStorage::swap(array, items_);
  if (items_.size != 0 && !ArrayStorage::append(array, items_)) return false;
  if (is_viewed) items_ = {};  // a view shows them, for good
  return true;
}

bool Encoder::write_array(PyObject *object) {
  const bool is_moved = moves() && !is_inside();
  const char typecode = ArrayStorage::typecode(object);
  const PyRef item_size = PyRef::steal(PyObject_GetAttrString(object, "itemsize"));
  const Py_ssize_t bytes = item_size ? Py_SIZE(object) * PyLong_AsSsize_t(item_size.get()) : -1;
  if (bytes < 0) return false;
  ArrayStorage::Items items;
  if (is_moved) {
    ArrayStorage::swap(object, items);
  } else {
    const PyRef copy = PyRef::steal(PySequence_GetSlice(object, 0, PY_SSIZE_T_MAX));
    if (!copy) return false;
    ArrayStorage::swap(copy.get(), items);
  }
  owner_tags::leave(items.memory, kItems);
  auto carried = make_ref<ArrayItems>(typecode, items, is_moved ? Tier::kMoved : Tier::kCopied,
                                      static_cast<std::uint64_t>(bytes));
  if (is_moved) {
    CopiedContainer &noted = move_->steps.back();  // by note_container()
    noted.step = std::make_unique<HandOverItems>(object, carried);
  }
  put(Tag::kShared, records_.shared.size(), number_if(true, object));
  records_.shared.emplace_back(std::move(carried));
  return true;
}

/// A bytearray among what cannot move as it is: its bytes can.
bool Encoder::hand_over_bytes(PyObject *bytearray, bool &done) {
  auto step = std::make_unique<HandOverBytes>();
  PyRef held = PyRef::borrow(bytearray);
  const Detachment::Result result = step->detachment.run(held, Detachment::Held::kEmptied);
  if (result == Detachment::Result::kNoMemory) PyErr_NoMemory();
  if (result != Detachment::Result::kDone) return result == Detachment::Result::kForeign;
  done = true;
  put(Tag::kMoved, records_.shared.size(), number_if(true, bytearray));
  records_.shared.emplace_back(step->detachment.graph());
  move_->steps.back().step = std::move(step);  // noted by note_container()
  return true;
}

void Encoder::write_bytearray(PyObject *object) {
  const auto size = static_cast<std::size_t>(PyByteArray_GET_SIZE(object));
  records_.put_data(make_header(Tag::kByteArray, size, number_if(true, object)),
                    PyByteArray_AS_STRING(object), size);
}

}  // namespace interlock
