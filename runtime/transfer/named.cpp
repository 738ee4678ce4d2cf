// SPDX-License-Identifier: MIT
// Modules, classes and functions: by name where import finds them in every interpreter, else by a
// definition, which interlock._definitions makes and which stands for them for as long as it holds.
#include "transfer/decoder.hpp"
#include "transfer/definition.hpp"
#include "transfer/encoder.hpp"
#include "transfer/numpy.hpp"

namespace interlock {
namespace {

/// `object.name` if it is there and a str, else null without an exception.
PyRef text_attribute(PyObject *object, const char *name) {
  PyObject *value = nullptr;
  if (PyObject_GetOptionalAttrString(object, name, &value) < 0) PyErr_Clear();
  PyRef text = PyRef::steal(value);
  return text && PyUnicode_CheckExact(text.get()) ? std::move(text) : PyRef();
}

/// Whether `import name` gives other interpreters their own copy: it was imported here, from
/// somewhere.
bool is_importable(PyObject *name) {
  if (PyUnicode_CompareWithASCIIString(name, "__main__") == 0) return false;
  const PyRef module = PyRef::steal(PyImport_GetModule(name));
  if (!module) return false;
  PyObject *spec = nullptr;
  if (PyObject_GetOptionalAttrString(module.get(), "__spec__", &spec) <= 0) {
    PyErr_Clear();
    return false;
  }
  const bool importable = !Py_IsNone(spec);
  Py_DECREF(spec);
  return importable;
}

/// What `module.qualified_name` gives, or null without an exception.
PyRef look_up(PyObject *module_name, PyObject *qualified_name) {
  PyRef found = PyRef::steal(PyImport_GetModule(module_name));
  const PyRef dot = PyRef::steal(PyUnicode_FromString("."));
  const PyRef names = dot ? PyRef::steal(PyUnicode_Split(qualified_name, dot.get(), -1)) : PyRef();
  for (Py_ssize_t i = 0; found && names && i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject *next = nullptr;
    if (PyObject_GetOptionalAttr(found.get(), PyList_GET_ITEM(names.get(), i), &next) < 0)
      PyErr_Clear();
    found = PyRef::steal(next);
  }
  PyErr_Clear();
  return names ? std::move(found) : PyRef();
}

bool is_named(PyObject *object) {
  return PyType_Check(object) || PyFunction_Check(object) ||
         (PyCFunction_Check(object) && (PyCFunction_GET_SELF(object) == nullptr ||
                                        PyModule_Check(PyCFunction_GET_SELF(object))));
}

/// What `name` is in a mapping that is a dict (borrowed), without running code.
[[nodiscard]] PyObject *get(PyObject *dict, PyObject *name) noexcept {
  if (dict == nullptr || !PyDict_CheckExact(dict)) return nullptr;
  PyObject *const found = PyDict_GetItemWithError(dict, name);
  PyErr_Clear();
  return found;
}

/// Whether importing a module and looking up `name` there gives `object` in every interpreter, as
/// far as can be said without running code.
[[nodiscard]] bool is_found(PyObject *object, PyObject *module_name, PyObject *name,
                            NameTable &table) noexcept {
  if (!PyUnicode_CheckExact(module_name) || !PyUnicode_CheckExact(name) ||
      PyUnicode_EqualToUTF8(module_name, "__main__") != 0)
    return false;
  PyObject *const module = get(PyImport_GetModuleDict(), module_name);
  if (module == nullptr || !PyModule_Check(module)) return false;
  PyObject *const names = PyModule_GetDict(module);
  PyObject *const spec = table.spec_name();
  PyObject *const found_spec = spec != nullptr ? get(names, spec) : nullptr;
  return found_spec != nullptr && !Py_IsNone(found_spec) && get(names, name) == object;
}

/// One of the three parts of an entry of interlock._registry (new reference).
[[nodiscard]] PyRef part_of(PyObject *entry, const char *name) noexcept {
  PyRef part = PyRef::steal(PyObject_GetAttrString(entry, name));
  PyErr_Clear();
  return part;
}

/// What is known of a class or function here (borrowed), or null.
[[nodiscard]] PyObject *entry_of(const TransferState &state, PyObject *object) noexcept {
  const PyRef key = PyRef::steal(PyLong_FromVoidPtr(object));
  return key ? get(state.entries, key.get()) : nullptr;
}

[[nodiscard]] bool holds(PyObject *owner, PyObject *name, PyObject *value) noexcept {
  if (PyCell_Check(owner)) return PyCell_GET(owner) == value;
  if (PyDict_Check(owner)) return PyDict_GetItemWithError(owner, name) == value;
  PyObject *object = nullptr;
  if (!PyWeakref_Check(owner) || PyWeakref_GetRef(owner, &object) != 1) return false;
  const PyRef held = PyRef::steal(object);
  if (PyFunction_Check(object)) return PyFunction_GetCode(object) == value;
  return PyType_Check(object) && TypeTable::is_version(reinterpret_cast<PyTypeObject *>(object),
                                                       PyLong_AsUnsignedLong(value));
}

/// Interned: CPython makes the names of a static type anew each time, and names are known as
/// objects.
[[nodiscard]] PyRef interned(PyRef text) noexcept {
  if (!text || !PyUnicode_CheckExact(text.get()) || PyUnicode_CHECK_INTERNED(text.get()))
    return text;
  PyObject *name = text.release();
  PyUnicode_InternInPlace(&name);
  return PyRef::steal(name);
}

/// Where a class or function says that it is; perhaps nowhere.
struct Place {
  PyRef module;
  PyRef name;
};
[[nodiscard]] Place place_of(PyObject *object) noexcept {
  Place place;
  if (PyFunction_Check(object)) {
    place.module = PyRef::borrow(PyFunction_GetModule(object));
    place.name = PyRef::borrow(reinterpret_cast<PyFunctionObject *>(object)->func_qualname);
  } else if (PyCFunction_Check(object)) {
    const auto *const function = reinterpret_cast<PyCFunctionObject *>(object);
    place.module = PyRef::borrow(function->m_module);
    place.name = PyRef::steal(PyUnicode_InternFromString(function->m_ml->ml_name));
  } else {
    auto *const type = reinterpret_cast<PyTypeObject *>(object);
    place.module = interned(PyRef::steal(PyType_GetModuleName(type)));
    place.name = interned(PyRef::steal(PyType_GetQualName(type)));
  }
  PyErr_Clear();
  return place;
}

}  // namespace

bool still_holds(PyObject *watched) noexcept {
  if (!PyList_Check(watched)) return false;
  bool all = true;
  for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(watched); ++i) {
    PyObject *const each = PyList_GET_ITEM(watched, i);
    all = PyTuple_Check(each) && PyTuple_GET_SIZE(each) == 3 &&
          holds(PyTuple_GET_ITEM(each, 0), PyTuple_GET_ITEM(each, 1), PyTuple_GET_ITEM(each, 2));
  }
  PyErr_Clear();
  return all;
}

std::size_t number_of_class(TransferState &state, PyTypeObject *type) noexcept {
  if (Py_TYPE(type) != &PyType_Type) return NameTable::kNone;
  auto *const object = reinterpret_cast<PyObject *>(type);
  NameTable &table = names_of(state);
  const Place place = place_of(object);
  const bool is_there =
      place.module && place.name && is_found(object, place.module.get(), place.name.get(), table);
  return is_there ? table.find_known_global(place.module.get(), place.name.get())
                  : NameTable::kNone;
}

/// A class or function that can be named, or whose definition is there, without running code.
bool Encoder::write_known(PyObject *object, bool &written) {
  PyTypeObject *const type = Py_TYPE(object);
  const bool is_class = PyType_Check(object) != 0;
  // Who made the metaclass, or has registered something for it, may have a say.
  if (type != &PyType_Type && type != &PyFunction_Type) {
    PyObject *reducer = nullptr;
    if ((is_class && type->tp_getattro != PyType_Type.tp_getattro) ||
        Py_TYPE(type)->tp_hash != PyType_Type.tp_hash || !is_remembered(state_, type))
      return true;
    if (!find_reducer(type, reducer)) return false;
    const bool is_dtype = is_class && is_dtype_class(reinterpret_cast<PyTypeObject *>(object));
    if (reducer != nullptr && !(is_dtype && is_function_of_numpy(reducer))) return true;
  }
  const Place place = place_of(object);
  if (place.module && place.name &&
      is_found(object, place.module.get(), place.name.get(), names_of(state_))) {
    written = true;
    return write_global(object, place.module.get(), place.name.get());
  }
  // Who reads a message often gets the parts of a definition, not another definition.
  PyObject *const entry =
      is_read_often_ || state_.entries == nullptr ? nullptr : entry_of(state_, object);
  if (entry == nullptr) return true;
  const PyRef definition = part_of(entry, "definition");
  if (!definition || Py_IsNone(definition.get())) return true;
  if (!Py_IsFalse(part_of(entry, "native").get()) && !still_holds(part_of(entry, "watched").get()))
    return true;
  written = true;
  return write_definition(object, definition.get());
}

bool Encoder::write_definition(PyObject *object, PyObject *definition) {
  put(Tag::kDefinition, records_.shared.size(), number_if(needs_number(object), object));
  records_.shared.emplace_back(reinterpret_cast<HandleObject *>(definition)->shared);
  return true;
}

bool Encoder::write_module(PyObject *object) {
  PyRef name = text_attribute(object, "__name__");
  const bool is_main = name && PyUnicode_CompareWithASCIIString(name.get(), "__main__") == 0;
  if (!name || (!is_main && !is_importable(name.get())))
    return refuse(object, "no import finds it");
  return open_name(Tag::kModule, object, PyRef::steal(PyTuple_Pack(1, name.get())));
}

bool Encoder::write_named(PyObject *object, bool &written) {
  if (!is_named(object)) return true;
  const PyRef module = text_attribute(object, "__module__");
  const PyRef name = text_attribute(object, "__qualname__");
  if (!module || !name || !is_importable(module.get())) return true;
  const PyRef found = look_up(module.get(), name.get());
  if (found.get() != object) return true;
  written = true;
  return write_global(object, module.get(), name.get());
}

/// What says that it crosses by this name.
bool Encoder::write_under(PyObject *object, PyRef name) {
  PyRef module = text_attribute(object, "__module__");
  const PyRef found = module ? look_up(module.get(), name.get()) : PyRef();
  if (!found || found.get() != object || !is_importable(module.get()))
    return refuse(object, "its __reduce_ex__ gives a name under which it cannot be imported");
  return write_global(object, module.get(), name.get());
}

bool Encoder::write_global(PyObject *object, PyObject *module, PyObject *name) {
  const std::size_t known =
      explainer_ == nullptr ? names_of(state_).find_global(module, name) : NameTable::kNone;
  if (known == NameTable::kNone)
    return open_name(Tag::kGlobal, object, PyRef::steal(PyTuple_Pack(2, module, name)));
  ++records_.rebuilt;
  put(Tag::kKnownGlobal, known, number_if(true, object));
  return true;
}

bool Encoder::open_name(Tag tag, PyObject *object, PyRef names) {
  if (!names) return false;
  ++records_.rebuilt;
  put(tag, 0, kNumbered);
  number(object);
  const Py_ssize_t size = PyTuple_GET_SIZE(names.get());
  return push_items(tag, object, std::move(names), size);
}

PyObject *Decoder::read_known_global(std::size_t number) {
  if (type_ != nullptr) return Py_NewRef(std::exchange(type_, nullptr));
  TransferState *const state = transfer_state();
  if (state == nullptr) return nullptr;
  pause_.resume();
  PyObject *const found = names_of(*state).import(number);
  pause_.pause();
  return found;
}

/// The class or function that a definition stands for: the one that it was made of or has made here
/// before, else a new one.
PyObject *Decoder::read_definition(Shared &shared) {
  TransferState *const state = transfer_state();
  if (state == nullptr || !load_reducers(*state)) return nullptr;
  const auto &definition = static_cast<const Definition &>(shared);
  const PyRef key = PyRef::steal(PyLong_FromUnsignedLongLong(definition.key()));
  PyObject *const reference = key ? get(state->by_key, key.get()) : nullptr;
  PyObject *object = nullptr;
  if (reference != nullptr && PyWeakref_GetRef(reference, &object) == 1) {
    PyRef found = PyRef::steal(object);
    PyObject *const entry = entry_of(*state, object);
    const PyRef last = entry != nullptr ? part_of(entry, "definition") : PyRef();
    const bool is_same = last && PyObject_TypeCheck(last.get(), state->handle) &&
                         reinterpret_cast<HandleObject *>(last.get())->shared == &shared;
    if (is_same || (entry != nullptr && Py_IsTrue(part_of(entry, "native").get())))
      return found.release();
  }
  PyErr_Clear();
  const PyRef handle = PyRef::steal(wrap_shared(Ref<Shared>(&shared)));
  pause_.resume();
  PyObject *const made = handle ? PyObject_CallOneArg(state->restore, handle.get()) : nullptr;
  pause_.pause();
  return made;
}

}  // namespace interlock
