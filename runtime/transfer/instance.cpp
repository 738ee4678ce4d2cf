// SPDX-License-Identifier: MIT
// Instances that are nothing but their attributes (TypeTable): both sides read and write them in
// place, without asking the objects, and a message says once what those of a class look like.
#include "transfer/decoder.hpp"
#include "transfer/encoder.hpp"
#include "transfer/rebuild.hpp"

namespace interlock {

bool Encoder::write_instance(PyObject *object, PyTypeObject *type, bool &written) {
  Attributes attributes;
  if (!find_own_attributes(object, types_of(state_).find(type), attributes)) return true;
  const Layout *const layout = find_layout(type);
  if (layout != nullptr && has_keys(layout->shape, attributes.names, attributes.count)) {
    written = true;
    return begin_instance(object, *layout);
  }
  if (has_a_say(attributes)) return true;
  if (!is_remembered(state_, type) && !is_careful_now()) return false;
  PyObject *reducer = nullptr;
  if (!find_reducer(type, reducer)) return false;
  // That may have run code.
  written =
      reducer == nullptr && find_own_attributes(object, types_of(state_).find(type), attributes);
  return !written || open_layout(object, attributes);
}

/// Describes instances as `object` is one; the object follows.
bool Encoder::open_layout(PyObject *object, const Attributes &attributes) {
  std::size_t shape = find_known_shape(attributes.names, attributes.count);
  if (shape == ShapeCache::kNone) shape = shapes_.find(attributes.names, attributes.count);
  if (shape == ShapeCache::kNone || shape == ShapeCache::kNew)
    shape = add_shape(attributes.names, attributes.count);
  records_.put(header_of_shape(Tag::kLayout, shape));
  if (!push(Tag::kLayout, object, 1)) return false;
  frames_.back().position = static_cast<Py_ssize_t>(shape);
  frames_.back().parts = static_cast<std::uint8_t>(attributes.count);
  return true;
}

bool Encoder::step_layout(Frame &frame) {
  PyObject *const object = frame.object;
  PyTypeObject *const type = Py_TYPE(object);
  if (frame.next++ == 0) return write(reinterpret_cast<PyObject *>(type));
  // The class is there, which the object may have been a part of.
  const PyRef held = is_careful_ ? PyRef::borrow(object) : PyRef();
  const Layout &layout = add_layout(type, static_cast<std::size_t>(frame.position), frame.parts);
  return pop(frame) && (write_again(object) || begin_instance(object, layout));
}

const Encoder::Layout &Encoder::add_layout(PyTypeObject *type, std::size_t shape,
                                           std::size_t size) noexcept {
  const std::size_t place = place_of_layout(type);
  const std::uint8_t bit = static_cast<std::uint8_t>(1 << place);
  Layout &layout = layouts_[place];
  const PyRef before = PyRef::steal((layouts_used_ & bit) != 0 ? layout.type : nullptr);
  layouts_used_ |= bit;
  layout = {Py_NewRef(reinterpret_cast<PyObject *>(type)), shape, size, layouts_written_++};
  return layout;
}

void Encoder::forget_layouts() noexcept {
  for (std::size_t i = 0; i < kLayouts; ++i) {
    if ((layouts_used_ >> i & 1) != 0) Py_DECREF(layouts_[i].type);
  }
  layouts_used_ = 0;
  layouts_written_ = 0;
}

bool Encoder::begin_instance(PyObject *object, const Layout &layout) {
  ++records_.rebuilt;
  put(Tag::kInstance, layout.number, number_if(needs_number(object), object));
  if (layout.size == 0) return true;
  if (!push(Tag::kInstance, object, static_cast<Py_ssize_t>(layout.size))) return false;
  frames_.back().position = static_cast<Py_ssize_t>(layout.shape);
  return true;
}

bool Encoder::step_instance(Frame &frame) {
  PyObject *const object = frame.object;
  Attributes attributes;
  if (!find_attributes(object, types_of(state_).find(Py_TYPE(object)), attributes) ||
      attributes.count != static_cast<std::size_t>(frame.size) ||
      !has_keys(static_cast<std::size_t>(frame.position), attributes.names, attributes.count))
    return fail_changed("an instance");
  while (frame.next != frame.size) {
    PyObject *const value = attributes.value(static_cast<std::size_t>(frame.next++));
    if (write_leaf(value)) continue;
    hold(frame.child, value);
    return write_other(value);
  }
  return pop(frame);
}

/// The class of some instances has come.
void Decoder::add_layout(Frame &frame, PyObject *type) {
  layouts_.push_back({PyRef::steal(type), PyRef::steal(std::exchange(frame.second, nullptr))});
}

/// Makes an instance, still without its attributes.
bool Decoder::open_instance(Frame &frame) {
  const Layout &layout = layouts_[frame.slot];
  PyObject *const shape = layout.shape.get();
  PyObject **const names = DictTable::of(shape).unicode_entries();
  frame.size = static_cast<std::size_t>(PyDict_GET_SIZE(shape));
  TransferState *const state = transfer_state();
  if (state == nullptr) return false;
  auto *const type = reinterpret_cast<PyTypeObject *>(layout.type.get());
  if (PyType_Check(layout.type.get()) == 0) {
    PyErr_Format(PyExc_TypeError, "an instance of %R arrived, which is no class here",
                 layout.type.get());
    return false;
  }
  const TypeFacts &facts = types_of(*state).find(type);
  const bool is_inline = has_places(facts, type, names, frame.size);
  Filling filling = Filling::kByState;
  if (facts.kind == TypeFacts::Kind::kAttributes) {
    filling = Filling::kInDict;
  } else if (has_slots(facts, names, frame.size)) {
    filling = Filling::kInSlots;
  }
  if (filling == Filling::kByState) {
    frame.object = PyObject_CallMethod(layout.type.get(), "__new__", "O", layout.type.get());
    frame.first = PyDict_New();
    if (frame.object == nullptr || frame.first == nullptr) return false;
  } else {
    frame.object = type->tp_alloc(type, 0);
    if (frame.object == nullptr) return false;
    frame.is_own = true;
  }
  if (is_inline) {
    const InlineValues *const values = InlineValues::without_dict(frame.object);
    if (values != nullptr && frame.size <= values->capacity()) filling = Filling::kInline;
  }
  frame.filling = filling;
  return true;
}

bool Decoder::add_attribute(Frame &frame, std::size_t index, PyObject *value) {
  if (frame.filling == Filling::kInline) {
    // Code that has the object may have changed it meanwhile.
    InlineValues *const values = InlineValues::without_dict(frame.object);
    if (values != nullptr && values->size() == index) {
      values->append(value);
      return true;
    }
    frame.filling = Filling::kInDict;
  } else if (frame.filling == Filling::kInSlots) {
    PyObject *&slot = reinterpret_cast<PyObject **>(frame.object + 1)[index];
    const PyRef before = PyRef::steal(std::exchange(slot, value));
    return true;
  }
  const PyRef owned = PyRef::steal(value);
  PyObject *const shape = layouts_[frame.slot].shape.get();
  const PyRef name = PyRef::borrow(DictTable::of(shape).unicode_entries()[2 * index]);
  if (frame.filling == Filling::kByState)
    return PyDict_SetItem(frame.first, name.get(), value) == 0;
  const PyRef dict = PyRef::steal(PyObject_GenericGetDict(frame.object, nullptr));
  return dict && PyDict_SetItem(dict.get(), name.get(), value) == 0;
}

bool Decoder::finish_instance(const Frame &frame) {
  return frame.filling != Filling::kByState || set_state(frame.object, nullptr, frame.first);
}

}  // namespace interlock
