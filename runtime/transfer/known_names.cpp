// SPDX-License-Identifier: MIT
#include "transfer/known_names.hpp"

#include "transfer/decoder.hpp"
#include "transfer/encoder.hpp"
#include "transfer/freeze.hpp"
#include "transfer/rebuild.hpp"

namespace interlock {

KnownNames &KnownNames::instance() noexcept {
  static auto *const instance = new KnownNames;  // threads may outlive static objects
  return *instance;
}

std::size_t KnownNames::add(Message names) {
  const Message::Body *const body = names.body();
  if (body == nullptr || body->size > kMostWords) return kNone;
  std::string text(reinterpret_cast<const char *>(body->words()),
                   body->size * sizeof(std::uint64_t));
  const MutexGuard guard(mutex_);
  if (const auto found = numbers_.find(text); found != numbers_.end()) return found->second;
  if (count_ == kMost) return kNone;
  names_[count_] = std::move(names);
  numbers_.emplace(std::move(text), count_);
  return count_++;
}

/// A shape that has no number at its place. It gets one if it was the last one met there, too.
std::size_t NameTable::meet(PyObject **pairs, std::size_t size) noexcept {
  Place &place = places_[place_of(pairs, size)];
  const bool is_there = place.first_key == pairs[0] && place.size == size;
  if (is_there && place.number == kRefused) return kNone;
  const bool is_again = is_there && place.number == kNone;
  place = {pairs[0], size, kNone};
  if (!is_again) return kNone;
  // Interned: one object for each text. That of an arena may end, and another stand there.
  for (std::size_t i = 0; i < size; ++i) {
    if (!PyUnicode_CHECK_INTERNED(pairs[2 * i]) || arena_of(pairs[2 * i]) != nullptr) return kNone;
  }
  const std::size_t number = add_shape(pairs, size);
  PyErr_Clear();
  place.number = number != kNone ? number : kRefused;
  return number;
}

/// The number of a list, a tuple of str; kNone, perhaps with an exception set.
std::size_t NameTable::add(const PyRef &names) {
  TransferState *const state = names ? transfer_state() : nullptr;
  Message message;
  if (state == nullptr || !Encoder(*state, "names").run(names.get(), message)) return kNone;
  return KnownNames::instance().add(std::move(message));
}

std::size_t NameTable::add_shape(PyObject **pairs, std::size_t size) {
  const PyRef names = PyRef::steal(PyTuple_New(static_cast<Py_ssize_t>(size)));
  for (std::size_t i = 0; names && i < size; ++i)
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(i), Py_NewRef(pairs[2 * i]));
  const std::size_t number = add(names);
  if (number == kNone || dict(number) == nullptr || !has_keys(number, pairs, size)) return kNone;
  return number;
}

/// The list of a number, as a tuple of interned str; null with a Python exception set.
PyRef NameTable::names_of_list(std::size_t number) {
  const PyRef names = PyRef::steal(decode(KnownNames::instance().names(number)));
  const Py_ssize_t size = names ? PyTuple_GET_SIZE(names.get()) : 0;
  PyRef interned = PyRef::steal(names ? PyTuple_New(size) : nullptr);
  for (Py_ssize_t i = 0; interned && i < size; ++i) {
    PyObject *name = Py_NewRef(PyTuple_GET_ITEM(names.get(), i));
    PyUnicode_InternInPlace(&name);
    PyTuple_SET_ITEM(interned.get(), i, name);
  }
  return interned;
}

PyObject *NameTable::make_dict(std::size_t number) {
  const PyRef names = names_of_list(number);
  PyRef made = PyRef::steal(names ? PyDict_New() : nullptr);
  for (Py_ssize_t i = 0; made && i < PyTuple_GET_SIZE(names.get()); ++i) {
    if (PyDict_SetItem(made.get(), PyTuple_GET_ITEM(names.get(), i), Py_None) != 0) return nullptr;
  }
  if (!made) return nullptr;
  if (number >= dicts_.size()) dicts_.resize(number + 1);
  dicts_[number] = std::move(made);
  return dicts_[number].get();
}

void NameTable::forget(GlobalPlace &place) noexcept {
  if (has_number(place.number)) {
    Py_DECREF(place.module);
    Py_DECREF(place.name);
  }
  place = {};
}

std::size_t NameTable::meet_global(PyObject *module, PyObject *name) noexcept {
  GlobalPlace &place = globals_met_[place_of(module, name)];
  const bool is_there = place.module == module && place.name == name;
  if (is_there && place.number == kRefused) return kNone;
  forget(place);
  place = {module, name, is_there ? kRefused : kNone};
  const PyRef dot = PyRef::steal(is_there ? PyUnicode_FromString(".") : nullptr);
  const PyRef list = PyRef::steal(dot ? PyUnicode_Split(name, dot.get(), -1) : nullptr);
  if (list && PyList_Insert(list.get(), 0, module) == 0) {
    const std::size_t number = add(PyRef::steal(PyList_AsTuple(list.get())));
    if (number != kNone) place = {Py_NewRef(module), Py_NewRef(name), number};
  }
  PyErr_Clear();
  return has_number(place.number) ? place.number : kNone;
}

NameTable::Global *NameTable::make_global(std::size_t number) {
  PyRef names = names_of_list(number);
  if (!names) return nullptr;
  if (number >= globals_.size()) globals_.resize(number + 1);
  globals_[number].names = std::move(names);
  return &globals_[number];
}

PyObject *NameTable::import(std::size_t number) {
  const bool is_there = number < globals_.size() && globals_[number].names;
  const Global *const global = is_there ? &globals_[number] : make_global(number);
  if (global == nullptr) return nullptr;
  const PyRef names = PyRef::borrow(global->names.get());
  PyObject *const module_name = PyTuple_GET_ITEM(names.get(), 0);
  PyObject *known = nullptr;
  if (global->module && PyWeakref_GetRef(global->module.get(), &known) < 0) return nullptr;
  PyRef found = PyRef::steal(known);
  // Mostly it is there, and was complete before.
  if (!found || PyDict_GetItemWithError(PyImport_GetModuleDict(), module_name) != found.get()) {
    found = PyRef::steal(PyErr_Occurred() == nullptr ? import_module(module_name) : nullptr);
    if (!found) return nullptr;
    globals_[number].module = PyRef::steal(PyWeakref_NewRef(found.get(), nullptr));
    if (!globals_[number].module) PyErr_Clear();  // it is anything that has been put there
  }
  for (Py_ssize_t i = 1; found && i < PyTuple_GET_SIZE(names.get()); ++i)
    found = PyRef::steal(PyObject_GetAttr(found.get(), PyTuple_GET_ITEM(names.get(), i)));
  return found.release();
}

std::size_t Encoder::find_known_shape(PyObject **pairs, std::size_t size) noexcept {
  if (explainer_ != nullptr) return ShapeCache::kNone;
  const std::size_t known = names_of(state_).find(pairs, size);
  return known != NameTable::kNone ? known | kKnownShape : ShapeCache::kNone;
}

/// Writes a shape that the message does not have yet.
std::size_t Encoder::add_shape(PyObject **pairs, std::size_t size) {
  const std::size_t shape = shapes_.add(pairs, size);
  write_shape(shape);
  return shape;
}

void Encoder::write_shape(std::size_t shape) {
  const std::size_t size = shapes_.size(shape);
  put(Tag::kShape, size);
  for (std::size_t i = 0; i < size; ++i) (void)write_key(shapes_.key(shape, i));
}

PyObject *Encoder::key_of(std::size_t shape, std::size_t index) const noexcept {
  return (shape & kKnownShape) != 0 ? state_.names->keys(shape & ~kKnownShape)[2 * index]
                                    : shapes_.key(shape, index);
}

bool Encoder::has_keys(std::size_t shape, PyObject **pairs, std::size_t size) const noexcept {
  return (shape & kKnownShape) != 0 ? state_.names->has_keys(shape & ~kKnownShape, pairs, size)
                                    : shapes_.has_keys(shape, pairs, size);
}

/// False with a Python exception set.
bool Decoder::set_shape(Frame &frame, std::uint64_t header) {
  const auto number = static_cast<std::size_t>(operand_of(header));
  PyObject *shape = nullptr;
  if ((header & kKnown) == 0) {
    shape = shapes_[number].get();
  } else if (TransferState *const state = transfer_state()) {
    shape = names_of(*state).dict(number);
  }
  frame.second = Py_XNewRef(shape);
  return shape != nullptr;
}

}  // namespace interlock
