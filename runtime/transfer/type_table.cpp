// SPDX-License-Identifier: MIT
#include "transfer/type_table.hpp"

#include <algorithm>
#include <cstring>

#include "transfer/numpy.hpp"
#include "transfer/shapes.hpp"

namespace interlock {
namespace {

/// What attribute look-up finds in the classes of a type (borrowed), without running code.
[[nodiscard]] PyObject *find_in_classes(PyTypeObject *type, const char *name) noexcept {
  const PyRef key = PyRef::steal(PyUnicode_InternFromString(name));
  return key ? _PyType_Lookup(type, key.get()) : nullptr;
}

/// By which objects say how they are copied. An object has some of them, which say nothing.
constexpr const char *kOwnWays[] = {"__reduce_ex__", "__reduce__", "__getstate__",
                                    "__getnewargs_ex__", "__getnewargs__"};

/// object's constructor and __reduce_ex__() are all there is.
[[nodiscard]] bool has_no_say(PyTypeObject *type) noexcept {
  if (type->tp_new != PyBaseObject_Type.tp_new || type->tp_alloc != PyType_GenericAlloc ||
      type->tp_getattro != PyObject_GenericGetAttr || type->tp_itemsize != 0 ||
      (type->tp_as_buffer != nullptr && type->tp_as_buffer->bf_getbuffer != nullptr) ||
      (type->tp_flags & Py_TPFLAGS_IS_ABSTRACT) != 0)
    return false;
  for (const char *const name : kOwnWays) {
    if (find_in_classes(type, name) != find_in_classes(&PyBaseObject_Type, name)) return false;
  }
  if (find_in_classes(type, "__setstate__") != nullptr) return false;
  // Pickle sets what is in slots by setattr().
  const bool has_slots = type->tp_basicsize != sizeof(PyObject);
  return !has_slots || type->tp_setattro == PyObject_GenericSetAttr;
}

/// Puts the names of a class's own slots into their places. False if it has members of other kinds.
[[nodiscard]] bool add_slots(PyTypeObject *owner, std::vector<PyObject *> &slots) {
  const PyRef dict = PyRef::steal(PyType_GetDict(owner));
  PyObject *key = nullptr;
  PyObject *value = nullptr;
  for (Py_ssize_t place = 0; dict && PyDict_Next(dict.get(), &place, &key, &value) != 0;) {
    if (Py_TYPE(value) != &PyMemberDescr_Type) continue;
    const PyMemberDef *const member = reinterpret_cast<PyMemberDescrObject *>(value)->d_member;
    if (reinterpret_cast<PyDescrObject *>(value)->d_type != owner) continue;
    const auto index = (static_cast<std::size_t>(member->offset) - sizeof(PyObject)) / sizeof(key);
    if (member->type != Py_T_OBJECT_EX || member->flags != 0 || 2 * index >= slots.size() ||
        !PyUnicode_CheckExact(key) || std::strcmp(PyUnicode_AsUTF8(key), member->name) != 0)
      return false;
    Py_XSETREF(slots[2 * index], Py_NewRef(key));
  }
  return static_cast<bool>(dict);
}

/// The places of all words that a type's instances have beyond those of object.
[[nodiscard]] bool find_slots(PyTypeObject *type, std::vector<PyObject *> &slots) {
  const auto words = static_cast<std::size_t>(type->tp_basicsize) / sizeof(PyObject *) -
                     sizeof(PyObject) / sizeof(PyObject *);
  slots.assign(2 * words, nullptr);
  PyObject *const classes = type->tp_mro;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(classes); ++i) {
    auto *const owner = reinterpret_cast<PyTypeObject *>(PyTuple_GET_ITEM(classes, i));
    if (owner != &PyBaseObject_Type && !add_slots(owner, slots)) return false;
  }
  for (std::size_t i = 0; i < words; ++i) {
    // A derived class may hide a slot behind something else.
    if (slots[2 * i] == nullptr) return false;
    PyObject *const found = _PyType_Lookup(type, slots[2 * i]);
    const auto offset = static_cast<Py_ssize_t>(sizeof(PyObject) + i * sizeof(PyObject *));
    if (found == nullptr || Py_TYPE(found) != &PyMemberDescr_Type ||
        reinterpret_cast<PyMemberDescrObject *>(found)->d_member->offset != offset)
      return false;
  }
  return true;
}

[[nodiscard]] bool is_foreign(PyTypeObject *type) noexcept {
  for (const char *const name : {"Connection", "NewType", "_MISSING_TYPE", "_KW_ONLY_TYPE",
                                 "_HAS_DEFAULT_FACTORY_CLASS", "_FIELD_BASE"}) {
    if (std::strcmp(type->tp_name, name) == 0) return true;
  }
  const PyTypeObject *const meta = Py_TYPE(type);
  return meta != &PyType_Type && std::strncmp(meta->tp_name, "_ctypes.", 8) == 0;
}

[[nodiscard]] TypeFacts facts_of(PyTypeObject *type) {
  constexpr unsigned long kBuiltIn = Py_TPFLAGS_TYPE_SUBCLASS | Py_TPFLAGS_LONG_SUBCLASS |
                                     Py_TPFLAGS_LIST_SUBCLASS | Py_TPFLAGS_TUPLE_SUBCLASS |
                                     Py_TPFLAGS_BYTES_SUBCLASS | Py_TPFLAGS_UNICODE_SUBCLASS |
                                     Py_TPFLAGS_DICT_SUBCLASS | Py_TPFLAGS_BASE_EXC_SUBCLASS;
  TypeFacts facts;
  facts.is_foreign = is_foreign(type);
  facts.is_of_numpy = is_dtype_class(type) || is_ndarray(type);
  if (facts.is_foreign || !InlineValues::verified() ||
      (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0 || (type->tp_flags & kBuiltIn) != 0 ||
      !has_no_say(type))
    return facts;
  // A metaclass may run code for a hash, which tables of reducers ask for.
  if (Py_TYPE(type)->tp_hash != PyType_Type.tp_hash) return facts;
  const bool has_dict = (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0;
  if (has_dict) {
    if (type->tp_basicsize == sizeof(PyObject)) facts.kind = TypeFacts::Kind::kAttributes;
  } else if (type->tp_dictoffset == 0 && type->tp_weaklistoffset <= 0 &&
             find_slots(type, facts.slots)) {
    facts.kind = TypeFacts::Kind::kSlots;
  }
  return facts;
}

[[nodiscard]] bool has_same_names(PyObject *const *names, PyObject *const *others,
                                  std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    if (names[2 * i] != others[2 * i]) return false;
  }
  return true;
}

}  // namespace

bool has_a_say(const Attributes &attributes) noexcept {
  for (std::size_t i = 0; i < attributes.count; ++i) {
    PyObject *const name = attributes.name(i);
    if (PyUnicode_GET_LENGTH(name) < 2 || PyUnicode_READ_CHAR(name, 1) != '_') continue;
    const auto is_name = [&](const char *way) { return PyUnicode_EqualToUTF8(name, way) != 0; };
    if (std::ranges::any_of(kOwnWays, is_name)) return true;
  }
  return false;
}

bool has_slots(const TypeFacts &facts, PyObject *const *names, std::size_t count) noexcept {
  return facts.kind == TypeFacts::Kind::kSlots && facts.slots.size() == 2 * count &&
         has_same_names(facts.slots.data(), names, count);
}

bool has_places(const TypeFacts &facts, PyTypeObject *type, PyObject *const *names,
                std::size_t count) noexcept {
  if (facts.kind != TypeFacts::Kind::kAttributes || !InlineValues::has_type(type)) return false;
  DictTable &own = InlineValues::names(type);
  return count <= own.entries() && has_same_names(own.unicode_entries(), names, count);
}

bool find_own_attributes(PyObject *object, const TypeFacts &facts,
                         Attributes &attributes) noexcept {
  if (!find_attributes(object, facts, attributes)) return false;
  if (facts.kind == TypeFacts::Kind::kSlots) return true;
  PyObject *const dict = InlineValues::dict_of(object);
  return dict == nullptr || Py_REFCNT(dict) == 1;
}

bool find_attributes(PyObject *object, const TypeFacts &facts, Attributes &attributes) noexcept {
  static PyObject *none = nullptr;
  attributes.names = &none;
  attributes.values = nullptr;
  attributes.stride = 1;
  attributes.count = 0;
  attributes.order = nullptr;
  PyTypeObject *const type = Py_TYPE(object);
  if (facts.kind == TypeFacts::Kind::kOther) return false;
  if (facts.kind == TypeFacts::Kind::kSlots) {
    attributes.count = facts.slots.size() / 2;
    if (attributes.count != 0) attributes.names = const_cast<PyObject **>(facts.slots.data());
    attributes.values = reinterpret_cast<PyObject **>(object + 1);
    return attributes.count <= ShapeCache::kMostKeys &&
           std::all_of(attributes.values, attributes.values + attributes.count,
                       [](PyObject *value) { return value != nullptr; });
  }
  InlineValues *const values = InlineValues::has_type(type) ? InlineValues::of(object) : nullptr;
  if (values != nullptr) {
    attributes.count = values->size();
    if (attributes.count > ShapeCache::kMostKeys) return false;
    if (attributes.count != 0) attributes.names = InlineValues::names(type).unicode_entries();
    attributes.values = values->values();
    if (!values->is_in_order()) {
      attributes.order = values->order();
      for (std::size_t i = 0; i < attributes.count; ++i)
        attributes.ordered[2 * i] = attributes.name(attributes.order[i]);
      attributes.names = attributes.ordered;
    }
    return true;
  }
  PyObject *const dict = InlineValues::dict_of(object);
  if (dict == nullptr) return true;
  if (!PyDict_CheckExact(dict)) return false;
  if (PyDict_GET_SIZE(dict) == 0) return true;
  attributes.count = static_cast<std::size_t>(PyDict_GET_SIZE(dict));
  attributes.names = ShapeCache::pairs_of(dict);
  if (attributes.names == nullptr) return false;
  attributes.values = attributes.names + 1;
  attributes.stride = 2;
  return true;
}

const TypeFacts &TypeTable::look_up(PyTypeObject *type) {
  const unsigned version = version_of(type);
  if (version == 0) return other_;  // it has changed too often, or there are too many types
  if (entries_.size() > kMost) entries_.clear();
  Entry &entry = entries_[type];
  if (entry.version != version) {
    entry.facts = facts_of(type);
    entry.version = version;
  }
  last_ = type;
  last_version_ = version;
  last_facts_ = &entry.facts;
  return entry.facts;
}

}  // namespace interlock
