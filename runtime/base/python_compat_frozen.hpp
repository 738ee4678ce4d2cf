// SPDX-License-Identifier: MIT
// How objects look that live outside every interpreter's heap and that nobody writes to: copies of
// ordinary ones, made in memory that becomes read-only. Whatever CPython would write to them later
// is written now: hashes, the UTF-8 of a str, that a str is interned. Their reference count is the
// one that neither Py_INCREF nor Py_DECREF changes.
#pragma once

#include <cstddef>

#include "base/python_compat_objects.hpp"

namespace interlock {

class FrozenLayout {
 public:
  /// Bytes before an object of a type that the collector knows: PyGC_Head (pycore_gc.h, 3.13-3.15),
  /// two words. Both zero: no collector tracks it; all of them skip it for that.
  static constexpr std::size_t kCollectorHead = 2 * sizeof(std::uintptr_t);

#if defined(Py_GIL_DISABLED) || defined(Py_TRACE_REFS)
  static constexpr bool kKnown = false;  // reference counts, or the head of each object, differ
#else
  static constexpr bool kKnown = kKnowsLayouts;
#endif

  /// The memory of an exact str, bytes, int, float or complex.
  [[nodiscard]] static std::size_t size_of_leaf(PyObject *leaf) noexcept {
    PyTypeObject *const type = Py_TYPE(leaf);
    if (type == &PyUnicode_Type) return size_of_text(leaf);
    if (type == &PyBytes_Type)
      return static_cast<std::size_t>(type->tp_basicsize + PyBytes_GET_SIZE(leaf));
    if (type == &PyLong_Type) return size_of_int(leaf);
    return static_cast<std::size_t>(type->tp_basicsize);
  }
  /// Copies one to `place`.
  static PyObject *copy_leaf(void *place, PyObject *leaf) noexcept {
    PyTypeObject *const type = Py_TYPE(leaf);
    if (type == &PyUnicode_Type || type == &PyBytes_Type) (void)PyObject_Hash(leaf);
    std::memcpy(place, leaf, size_of_leaf(leaf));
    auto *const copy = static_cast<PyObject *>(place);
    seal(copy);
    if (type == &PyUnicode_Type) {
      // As if it was interned: PyUnicode_InternInPlace() leaves it alone (3.13-3.15).
      reinterpret_cast<PyASCIIObject *>(copy)->state.interned = SSTATE_INTERNED_IMMORTAL;
      if (!PyUnicode_IS_ASCII(copy)) set_utf8(copy, nullptr, 0);
    }
    return copy;
  }
  /// `utf8`: memory that lives as long. Without it, there is none: the str has lone surrogates.
  static void set_utf8(PyObject *text, char *utf8, Py_ssize_t size) noexcept {
    auto *const parts = reinterpret_cast<PyCompactUnicodeObject *>(text);
    parts->utf8 = utf8;
    parts->utf8_length = size;
  }

  [[nodiscard]] static bool has_utf8(PyObject *text) noexcept {
    return PyUnicode_IS_ASCII(text) ||
           reinterpret_cast<PyCompactUnicodeObject *>(text)->utf8 != nullptr;
  }

  [[nodiscard]] static std::size_t size_of_tuple(Py_ssize_t size) noexcept {
    return kCollectorHead + static_cast<std::size_t>(PyTuple_Type.tp_basicsize) +
           static_cast<std::size_t>(size) * sizeof(PyObject *);
  }
  /// A tuple whose items are still to be set; null with a Python exception set.
  [[nodiscard]] static PyObject *make_tuple(void *place, Py_ssize_t size) noexcept {
    PyObject *const sample = PyTuple_New(1);  // shows what stands before the items
    if (sample == nullptr) return nullptr;
    PyObject *const tuple =
        copy_head(place, sample, static_cast<std::size_t>(PyTuple_Type.tp_basicsize));
    Py_DECREF(sample);
    reinterpret_cast<PyVarObject *>(tuple)->ob_size = size;
    return tuple;
  }
  /// 3.14 and 3.15: a tuple keeps its hash, unless it has none.
  static void finish_tuple(PyObject *tuple) noexcept {
#ifdef INTERLOCK_TUPLES_KEEP_HASH
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
      if (!has_hash(PyTuple_GET_ITEM(tuple, i))) return;
    }
    (void)PyObject_Hash(tuple);
#else
    (void)tuple;
#endif
  }

  /// Of a copy of `set`, a set that nothing was taken out of, as a frozenset.
  [[nodiscard]] static std::size_t size_of_set() noexcept {
    return kCollectorHead + sizeof(PySetObject);
  }
  [[nodiscard]] static std::size_t size_of_set_table(PyObject *set) noexcept {
    const PySetObject *const parts = set_parts(set);
    const bool is_inside = parts->table == parts->smalltable;
    return is_inside ? 0 : (static_cast<std::size_t>(parts->mask) + 1) * sizeof(setentry);
  }
  static PyObject *copy_set(void *place, void *table, PyObject *set) noexcept {
    PyObject *const copy = copy_head(place, set, sizeof(PySetObject));
    copy->ob_type = &PyFrozenSet_Type;
    PySetObject *const parts = set_parts(copy);
    parts->weakreflist = nullptr;
    parts->hash = -1;
    parts->table = parts->smalltable;
    if (table != nullptr) {
      std::memcpy(table, set_parts(set)->table, size_of_set_table(set));
      parts->table = static_cast<setentry *>(table);
    }
    (void)PyObject_Hash(copy);
    return copy;
  }
  /// Of the weak references that a frozenset has, because one cannot be entered later: a plain one,
  /// and a plain proxy. CPython gives them to whoever asks for a new one without a callback.
  [[nodiscard]] static std::size_t size_of_references() noexcept {
    return 2 * (kCollectorHead + sizeof(PyWeakReference));
  }
  /// `set`: the one that `frozenset` is a copy of. False with a Python exception set.
  [[nodiscard]] static bool add_references(void *place, PyObject *frozenset,
                                           PyObject *set) noexcept {
    PyWeakReference *made[2] = {};
    PyObject *const samples[] = {PyWeakref_NewRef(set, nullptr), PyWeakref_NewProxy(set, nullptr)};
    for (int i = 0; i < 2; ++i) {
      if (samples[i] == nullptr) continue;
      char *const own = static_cast<char *>(place) + i * (size_of_references() / 2);
      made[i] =
          reinterpret_cast<PyWeakReference *>(copy_head(own, samples[i], sizeof(PyWeakReference)));
      made[i]->wr_object = frozenset;
      made[i]->hash = PyObject_Hash(frozenset);
      made[i]->wr_prev = made[i]->wr_next = nullptr;
    }
    for (PyObject *const each : samples) Py_XDECREF(each);
    if (made[0] == nullptr || made[1] == nullptr) return false;
    made[0]->wr_next = made[1];
    made[1]->wr_prev = made[0];
    set_parts(frozenset)->weakreflist = reinterpret_cast<PyObject *>(made[0]);
    return true;
  }

  /// Of a copy of `dict`, as a frozendict where there is one, else with a mappingproxy of it.
  [[nodiscard]] static std::size_t size_of_dict() noexcept {
    return kCollectorHead + static_cast<std::size_t>(dict_type().tp_basicsize);
  }
  [[nodiscard]] static std::size_t size_of_dict_table(PyObject *dict) noexcept {
    const DictTable &table = DictTable::of(dict);
    return table.is_of_empty_dicts() ? 0 : table.size_in_bytes();
  }
  [[nodiscard]] static std::size_t size_of_mapping() noexcept {
#ifdef PyFrozenDict_CheckExact
    return 0;
#else
    return kCollectorHead + sizeof(Mapping);
#endif
  }
  static PyObject *copy_dict(void *place, void *table, void *mapping, PyObject *dict) noexcept {
    PyObject *const copy =
        copy_head(place, dict, static_cast<std::size_t>(PyDict_Type.tp_basicsize));
    if (table != nullptr) {
      std::memcpy(table, &DictTable::of(dict), size_of_dict_table(dict));
      DictTable::set_table(copy, table);
    }
#ifdef PyFrozenDict_CheckExact
    (void)mapping;
    copy->ob_type = &PyFrozenDict_Type;
    // PyFrozenDictObject (pycore_dict.h, 3.15): a dict, then the hash.
    Py_hash_t *const hash =
        reinterpret_cast<Py_hash_t *>(reinterpret_cast<PyDictObject *>(copy) + 1);
    *hash = -1;
    if (PyObject_Hash(copy) == -1) PyErr_Clear();
    return copy;
#else
    return make_mapping(mapping, copy);
#endif
  }
  /// The dict behind a mappingproxy; null if that shows something else.
  [[nodiscard]] static PyObject *dict_behind(PyObject *proxy) noexcept {
    PyObject *const mapping = reinterpret_cast<Mapping *>(proxy)->mapping;
    return PyDict_CheckExact(mapping) ? mapping : nullptr;
  }
  /// Whether it is an exact dict or frozendict.
  [[nodiscard]] static bool is_dict(PyTypeObject *type) noexcept {
#ifdef PyFrozenDict_CheckExact
    if (type == &PyFrozenDict_Type) return true;
#endif
    return type == &PyDict_Type;
  }

 private:
  /// mappingproxyobject (Objects/descrobject.c, 3.13-3.15).
  struct Mapping {
    PyObject_HEAD PyObject *mapping;
  };

  [[nodiscard]] static PySetObject *set_parts(PyObject *set) noexcept {
    return reinterpret_cast<PySetObject *>(set);
  }
  [[nodiscard]] static const PyTypeObject &dict_type() noexcept {
#ifdef PyFrozenDict_CheckExact
    return PyFrozenDict_Type;
#else
    return PyDict_Type;
#endif
  }
  [[nodiscard]] static std::size_t size_of_text(PyObject *text) noexcept {
    const std::size_t head =
        PyUnicode_IS_ASCII(text) ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
    const auto length = static_cast<std::size_t>(PyUnicode_GET_LENGTH(text));
    return head + (length + 1) * static_cast<std::size_t>(PyUnicode_KIND(text));
  }
  [[nodiscard]] static std::size_t size_of_int(PyObject *number) noexcept {
    const auto &value = reinterpret_cast<PyLongObject *>(number)->long_value;
    const std::size_t digits = value.lv_tag >> _PyLong_NON_SIZE_BITS;
    return offsetof(PyLongObject, long_value.ob_digit) + (digits != 0 ? digits : 1) * sizeof(digit);
  }
  static void seal(PyObject *object) noexcept {
#ifdef _Py_IMMORTAL_INITIAL_REFCNT  // 3.14 and 3.15: below it, Py_INCREF writes
    object->ob_refcnt = static_cast<decltype(object->ob_refcnt)>(_Py_IMMORTAL_INITIAL_REFCNT);
#if SIZEOF_VOID_P > 4
    object->ob_flags = _Py_IMMORTAL_FLAGS;
    object->ob_overflow = 0;
#endif
#else
    object->ob_refcnt = _Py_IMMORTAL_REFCNT;
#endif
  }
  /// The first `size` bytes of an object that the collector knows, at `place`, with its head.
  static PyObject *copy_head(void *place, PyObject *object, std::size_t size) noexcept {
    std::memset(place, 0, kCollectorHead);
    auto *const copy = reinterpret_cast<PyObject *>(static_cast<char *>(place) + kCollectorHead);
    std::memcpy(copy, object, size);
    seal(copy);
    return copy;
  }
#ifndef PyFrozenDict_CheckExact
  static PyObject *make_mapping(void *place, PyObject *dict) noexcept {
    std::memset(place, 0, kCollectorHead + sizeof(Mapping));
    auto *const proxy = reinterpret_cast<Mapping *>(static_cast<char *>(place) + kCollectorHead);
    auto *const object = reinterpret_cast<PyObject *>(proxy);
    object->ob_type = &PyDictProxy_Type;
    proxy->mapping = dict;
    seal(object);
    return object;
  }
#endif
#ifdef INTERLOCK_TUPLES_KEEP_HASH
  [[nodiscard]] static bool has_hash(PyObject *item) noexcept {
    PyTypeObject *const type = Py_TYPE(item);
    if (type == &PyDictProxy_Type) return false;
    return type != &PyTuple_Type || reinterpret_cast<PyTupleObject *>(item)->ob_hash != -1;
  }
#endif
};

}  // namespace interlock
