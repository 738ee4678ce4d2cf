// SPDX-License-Identifier: MIT
// What is taken apart: by the parts that register(), copyreg or its own __reduce_ex__(5) give.
#include <cstring>

#include "transfer/array.hpp"
#include "transfer/encoder.hpp"
#include "transfer/registrations.hpp"

namespace interlock {
namespace {

/// Of how many types it is remembered what is registered for them.
constexpr Py_ssize_t kMostRemembered = 1000;

bool is_socket(const PyTypeObject *type) {
  while (type != nullptr && std::strcmp(type->tp_name, "_socket.socket") != 0) type = type->tp_base;
  return type != nullptr;
}

/// Whether a move closes it in the sender; of those that interlock._foreign knows.
bool has_descriptor(PyObject *object) {
  return PyObject_HasAttrStringWithError(object, "fileno") > 0;
}

/// What a move does to a socket: the receiver has a descriptor of its own.
class CloseOriginal final : public MoveStep {
 public:
  explicit CloseOriginal(PyObject *object) : object_(PyRef::borrow(object)) {}
  void commit() override {
    if (!PyRef::steal(PyObject_CallMethod(object_.get(), "close", nullptr)))
      PyErr_WriteUnraisable(object_.get());
  }

 private:
  const PyRef object_;
};

/// What interlock._definitions or copyreg have for exactly this type, or null. False with a Python
/// exception set.
[[nodiscard]] bool find_in_tables(const TransferState &state, PyTypeObject *type,
                                  PyObject *&reducer) {
  for (PyObject *const table : {state.reducers, state.dispatch_table}) {
    reducer = PyDict_GetItemWithError(table, reinterpret_cast<PyObject *>(type));
    if (reducer != nullptr) return true;
    if (PyErr_Occurred() == nullptr) continue;
    // A class without a hash is in no table.
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return false;
    PyErr_Clear();
  }
  return true;
}

/// The text of an exception, or nothing where it only repeats that there is no pickling.
std::string reason_of(PyObject *exception) {
  const PyRef text = PyRef::steal(PyObject_Str(exception));
  const char *const bytes = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
  if (bytes == nullptr) PyErr_Clear();
  if (bytes == nullptr || std::string_view(bytes).starts_with("cannot pickle")) return "";
  return bytes;
}

}  // namespace

bool load_reducers(TransferState &state) {
  if (state.new_object != nullptr) return true;
  const PyRef copyreg = PyRef::steal(PyImport_ImportModule("copyreg"));
  const PyRef definitions =
      copyreg ? PyRef::steal(PyImport_ImportModule("interlock._definitions")) : PyRef();
  if (!definitions) return false;
  state.dispatch_table = PyObject_GetAttrString(copyreg.get(), "dispatch_table");
  state.reducers = PyObject_GetAttrString(definitions.get(), "reducers");
  state.reduce_definition = PyObject_GetAttrString(definitions.get(), "reduce_definition");
  state.restore = PyObject_GetAttrString(definitions.get(), "_restore");
  state.entries = PyObject_GetAttrString(definitions.get(), "_entries");
  state.by_key = PyObject_GetAttrString(definitions.get(), "_by_key");
  state.reduce_ex = PyUnicode_InternFromString("__reduce_ex__");
  state.protocol = PyLong_FromLong(5);
  for (PyObject *const each :
       {state.dispatch_table, state.reducers, state.reduce_definition, state.restore, state.entries,
        state.by_key, state.reduce_ex, state.protocol}) {
    if (each == nullptr) return false;
  }
  state.new_object = PyObject_GetAttrString(copyreg.get(), "__newobj__");
  return state.new_object != nullptr;
}

bool Encoder::write_by_parts(PyObject *object, PyTypeObject *type) {
  if (PyModule_Check(object)) return write_module(object);
  // A metaclass may say how its classes cross; what import finds crosses by name otherwise.
  PyObject *reducer = nullptr;
  const bool is_plain = type == &PyType_Type || type == &PyFunction_Type;
  if (!is_plain && !find_reducer(type, reducer)) return false;
  const PyRef held = PyRef::borrow(reducer);  // it may be taken back, or do so itself
  if (reducer == nullptr) {
    if (is_buffer(object, type)) return write_buffer(object);
    if (!is_read_often_ && has_array_storage(state_, object)) return write_array(object);
    if (PyErr_Occurred()) return false;
  }
  if (reducer == nullptr) {
    bool written = false;
    if (!write_named(object, written)) return false;
    if (written) return true;
  }
  if (!load_reducers(state_)) return false;
  if (reducer == nullptr && (PyType_Check(object) || PyFunction_Check(object)))
    reducer = state_.reduce_definition;
  PyRef parts = parts_of(object, reducer);
  if (!parts) return false;
  if (PyTuple_Check(parts.get()) && PyTuple_GET_SIZE(parts.get()) == 2 &&
      PyTuple_GET_ITEM(parts.get(), 0) == state_.restore)
    return write_definition(object, PyTuple_GET_ITEM(PyTuple_GET_ITEM(parts.get(), 1), 0));
  if (PyObject_TypeCheck(parts.get(), state_.handle)) return write_shared(object, parts.get());
  if (!PyUnicode_Check(parts.get())) return open_reduce(object, std::move(parts));
  return write_under(object, std::move(parts));
}

bool is_remembered(const TransferState &state, PyTypeObject *type) noexcept {
  if (state.new_object == nullptr) return false;
  const std::size_t count = Registrations::instance().count();
  if (count == 0) return true;
  if (state.registrations != count) return false;
  const int known = PyDict_Contains(state.registered, reinterpret_cast<PyObject *>(type));
  PyErr_Clear();
  return known == 1;
}

bool has_no_reducer(const TransferState &state, PyTypeObject *type) noexcept {
  if (!is_remembered(state, type)) return false;
  PyObject *const key = reinterpret_cast<PyObject *>(type);
  PyObject *reducer = nullptr;
  const bool is_unregistered = Registrations::instance().count() == 0 ||
                               PyDict_GetItemWithError(state.registered, key) == Py_None;
  const bool has_none =
      is_unregistered && find_in_tables(state, type, reducer) && reducer == nullptr;
  PyErr_Clear();
  return has_none;
}

/// What is registered for this type or a base of it, or null. False with a Python exception set.
bool Encoder::find_registered(PyTypeObject *type, PyObject *&reducer) {
  reducer = nullptr;
  const std::size_t count = Registrations::instance().count();
  if (count == 0) return true;
  if (state_.find_registered == nullptr) {
    const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._register"));
    state_.registered = module ? PyDict_New() : nullptr;
    if (state_.registered == nullptr) return false;
    state_.find_registered = PyObject_GetAttrString(module.get(), "find");
    if (state_.find_registered == nullptr) return false;
  }
  // It holds the types: those made at run time are to end one day.
  if (state_.registrations != count || PyDict_GET_SIZE(state_.registered) >= kMostRemembered)
    PyDict_Clear(state_.registered);
  state_.registrations = count;
  PyObject *const key = reinterpret_cast<PyObject *>(type);
  reducer = PyDict_GetItemWithError(state_.registered, key);
  if (reducer == nullptr) {
    PyErr_Clear();  // a class without a hash
    const PyRef found = PyRef::steal(PyObject_CallOneArg(state_.find_registered, key));
    if (!found) {
      note_path();
      return false;
    }
    if (PyDict_SetItem(state_.registered, key, found.get()) != 0) PyErr_Clear();
    reducer = found.get();  // interlock._register holds it
  }
  if (Py_IsNone(reducer)) reducer = nullptr;
  return true;
}

/// What is registered, or what interlock._definitions or copyreg have for exactly this type, or
/// null. False with a Python exception set.
bool Encoder::find_reducer(PyTypeObject *type, PyObject *&reducer) {
  if (!find_registered(type, reducer)) return false;
  if (reducer != nullptr) return true;
  return load_reducers(state_) && find_in_tables(state_, type, reducer);
}

PyRef Encoder::parts_of(PyObject *object, PyObject *reducer) {
  PyRef parts;
  bool is_of_numpy = false;
  if (reducer == nullptr) {
    const TypeFacts &facts = types_of(state_).find(Py_TYPE(object));
    is_of_numpy = facts.is_of_numpy;
    if (facts.is_foreign && !parts_of_foreign(object, parts)) return {};
    if (is_of_numpy) parts = parts_of_numpy(object);
  }
  if (parts) return parts;
  parts = reducer != nullptr ? PyRef::steal(PyObject_CallOneArg(reducer, object))
                             : parts_by_protocol(object);
  if (parts && is_of_numpy) learn_numpy(parts.get());
  if (parts) return parts;
  // A socket says first that pickle cannot take it.
  if (PyErr_ExceptionMatches(PyExc_TypeError) && is_socket(Py_TYPE(object))) {
    PyRef refusal = PyRef::steal(PyErr_GetRaisedException());
    if (!parts_of_foreign(object, parts)) return {};
    if (parts) return parts;
    PyErr_SetRaisedException(refusal.release());
  }
  (void)explain_refusal(object);
  return {};
}

/// What interlock._foreign knows of an object, if anything. False, and refused, with the reason.
bool Encoder::parts_of_foreign(PyObject *object, PyRef &parts) {
  if (state_.reduce_foreign == nullptr) {
    const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._foreign"));
    state_.reduce_foreign = module ? PyObject_GetAttrString(module.get(), "reduce") : nullptr;
    if (state_.reduce_foreign == nullptr) return false;
  }
  parts = PyRef::steal(PyObject_CallOneArg(state_.reduce_foreign, object));
  if (!parts) return explain_refusal(object);
  if (Py_IsNone(parts.get())) {
    parts = {};
  } else if (moves() && !is_inside() && has_descriptor(object)) {
    move_->steps.emplace_back().step = std::make_unique<CloseOriginal>(object);
  }
  return true;
}

/// After the object's own code raised: a TypeError says that it cannot be copied, as does the
/// refusal of what its definition contains; anything else goes to the caller as it is, with a note.
/// Returns false.
bool Encoder::explain_refusal(PyObject *object) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) {
    note_path();
    return false;
  }
  PyRef cause = PyRef::steal(PyErr_GetRaisedException());
  const std::string reason = reason_of(cause.get());
  refuse(object, reason.empty() ? nullptr : reason.c_str());
  const PyRef refusal = PyRef::steal(PyErr_GetRaisedException());
  PyException_SetCause(refusal.get(), cause.release());
  PyErr_SetRaisedException(Py_NewRef(refusal.get()));
  return false;
}

PyRef Encoder::parts_by_protocol(PyObject *object) {
  PyObject *const arguments[] = {object, state_.protocol};
  return PyRef::steal(PyObject_VectorcallMethod(state_.reduce_ex, arguments, 2, nullptr));
}

/// Brings the parts into the order of the records: callable, arguments, then what BuildPart names.
bool Encoder::open_reduce(PyObject *object, PyRef parts) {
  if (object == given_) parts = give_parts(object, std::move(parts));
  PyObject *given = parts.get();
  if (given == nullptr) return false;
  const Py_ssize_t count = PyTuple_Check(given) ? PyTuple_GET_SIZE(given) : 0;
  if (count < 2 || count > 6 || !PyCallable_Check(PyTuple_GET_ITEM(given, 0)) ||
      !PyTuple_Check(PyTuple_GET_ITEM(given, 1)))
    return refuse(object, "its __reduce_ex__ gives no tuple of 2 to 6 parts");
  const auto part = [&](Py_ssize_t index) {
    PyObject *const value = index < count ? PyTuple_GET_ITEM(given, index) : Py_None;
    return Py_IsNone(value) ? nullptr : value;
  };
  const bool is_new = part(0) == state_.new_object && PyTuple_GET_SIZE(part(1)) != 0 &&
                      PyType_Check(PyTuple_GET_ITEM(part(1), 0));
  PyRef ordered = PyRef::steal(PyTuple_New(6));
  if (!ordered) return false;
  std::uint8_t build_parts = 0;
  Py_ssize_t used = 0;
  const auto add = [&](PyRef value, std::uint8_t bit) {
    build_parts |= bit;
    PyTuple_SET_ITEM(ordered.get(), used++, value.release());
  };
  if (is_new) {
    add(PyRef::borrow(PyTuple_GET_ITEM(part(1), 0)), 0);
    add(PyRef::steal(PyTuple_GetSlice(part(1), 1, PyTuple_GET_SIZE(part(1)))), 0);
    if (PyTuple_GET_ITEM(ordered.get(), 1) == nullptr) return false;
  } else {
    add(PyRef::borrow(part(0)), 0);
    add(PyRef::borrow(part(1)), 0);
  }
  if (PyObject *const items = part(3)) {
    PyRef list = PyRef::steal(PySequence_List(items));
    if (!list) return explain_refusal(object);
    list = give_contents(object, std::move(list));
    if (!list) return false;
    add(std::move(list), kListItems);
  }
  if (PyObject *const items = part(4)) {
    PyRef flat = PyRef::steal(PyList_New(0));
    if (!flat) return false;
    const PyRef iterator = PyRef::steal(PyObject_GetIter(items));
    if (!iterator) return explain_refusal(object);
    while (const PyRef pair = PyRef::steal(PyIter_Next(iterator.get()))) {
      if (!PyTuple_Check(pair.get()) || PyTuple_GET_SIZE(pair.get()) != 2)
        return refuse(object, "the fifth part of its __reduce_ex__ gives no pairs");
      if (PyList_Append(flat.get(), PyTuple_GET_ITEM(pair.get(), 0)) != 0 ||
          PyList_Append(flat.get(), PyTuple_GET_ITEM(pair.get(), 1)) != 0)
        return false;
    }
    if (PyErr_Occurred()) return explain_refusal(object);
    add(std::move(flat), kDictItems);
  }
  if (part(5) != nullptr && !PyCallable_Check(part(5)))
    return refuse(object, "the sixth part of its __reduce_ex__ cannot be called");
  if (part(5) != nullptr) add(PyRef::borrow(part(5)), kStateSetter);
  if (part(2) != nullptr) add(PyRef::borrow(part(2)), kState);
  put(Tag::kReduce, is_new ? 1 : 0);
  if (!open_late(Tag::kReduce, object, std::move(ordered), used)) return false;
  frames_.back().parts = build_parts;
  frames_.back().is_new = is_new;
  return true;
}

bool Encoder::step_reduce(Frame &frame) {
  if (frame.next == 2 && !frame.numbered) {
    if (made_meanwhile(frame)) return pop(frame);
    frame.numbered = true;
    put(Tag::kBuild, frame.parts, kNumbered);
    number(frame.object);
  }
  if (frame.next == frame.size) return pop(frame);
  return write(PyTuple_GET_ITEM(frame.items, frame.next++));
}

}  // namespace interlock
