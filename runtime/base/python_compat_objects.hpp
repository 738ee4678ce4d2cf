// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: how CPython lays out objects whose contents are taken apart, changed
// in place or handed over without the C API.
#pragma once

#include "base/python_compat.hpp"

namespace interlock {

/// New ints without new memory, for streams of them: those that were made here before and that
/// nobody else has any more get another value. CPython 3.13 has no free list for ints, and making
/// and freeing one takes twice what the rest of receiving it takes; 3.14 has one of 100, which
/// helps half as much. Who has the only reference to an int may write to it, since nothing can see
/// that: ints have no cached hash and no weak references, and the collector does not track them.
/// Writes PyLongObject::long_value (public, cpython/longintrepr.h, 3.12-3.15) as two ints made by
/// the C API show it; if these look unfamiliar, this makes ints as the C API does. One for each
/// interpreter, whose lock guards it; all zero at first.
class IntRecycler {
 public:
  /// A new reference to an int of `value`, or null with a Python exception set.
  [[nodiscard]] PyObject *make(long long value) noexcept { return Series(*this).make(value); }

  /// Ints one after the other, with the place in a register. Where the place is, is of no
  /// consequence: several may go on at a time.
  class Series {
   public:
    explicit Series(IntRecycler &recycler) noexcept
        : recycler_(recycler), next_(recycler.next_), verified_(verified()) {}
    ~Series() { recycler_.next_ = next_; }
    Series(const Series &) = delete;
    Series &operator=(const Series &) = delete;

    /// As IntRecycler::make().
    [[nodiscard]] PyObject *make(long long value) noexcept {
      const bool is_plain =
          value > kSmallInts && value < kBase;  // one digit; never one of the singletons
      if (!is_plain || !verified_) return PyLong_FromLongLong(value);
      PyObject *&kept = recycler_.kept_[next_++ % kKept];
      if (kept != nullptr && Py_REFCNT(kept) == 1) {
        reinterpret_cast<PyLongObject *>(kept)->long_value.ob_digit[0] = static_cast<digit>(value);
        return Py_NewRef(kept);
      }
      return replace(kept, value);
    }

   private:
    [[nodiscard]] static PyObject *replace(PyObject *&kept, long long value) noexcept {
      PyObject *const made = PyLong_FromLongLong(value);
      if (made == nullptr) return nullptr;
      Py_XDECREF(kept);
      kept = Py_NewRef(made);
      return made;
    }

    IntRecycler &recycler_;
    std::size_t next_;
    const bool verified_;
  };
  /// Gives up what it keeps.
  void clear() noexcept {
    for (PyObject *&each : kept_) Py_CLEAR(each);
  }

 private:
  static constexpr std::size_t kKept = 256;      // more than two batches of recv_many()
  static constexpr long long kSmallInts = 1024;  // the last singleton of 3.15; of 3.13, 256
  static constexpr long long kBase = 1 << 30;

  /// Two ints differ in nothing but the digit, and the digit is the value.
  [[nodiscard]] static bool verified() noexcept {
    static const bool same = verify();
    return same;
  }
  [[nodiscard]] static bool verify() noexcept {
    if (!kKnowsLayouts || PyLong_SHIFT != 30) return false;
    PyObject *const one = PyLong_FromLong(kSmallInts + 1);
    PyObject *const other = PyLong_FromLong(kBase - 1);
    bool same = false;
    if (one != nullptr && other != nullptr) {
      const auto &first = reinterpret_cast<PyLongObject *>(one)->long_value;
      const auto &second = reinterpret_cast<PyLongObject *>(other)->long_value;
      same = first.lv_tag == second.lv_tag && first.ob_digit[0] == kSmallInts + 1 &&
             second.ob_digit[0] == kBase - 1 && Py_REFCNT(one) == 1;
    } else {
      PyErr_Clear();
    }
    Py_XDECREF(one);
    Py_XDECREF(other);
    return same;
  }

  PyObject *kept_[kKept];
  std::size_t next_;
};

/// Where the memory of an object that the collector knows begins. 3.13-3.15: behind two words,
/// PyGC_Head (pycore_gc.h); for objects to be freed by who is attached to no interpreter.
[[nodiscard]] inline void *memory_of_gc_object(PyObject *object) noexcept {
  return reinterpret_cast<std::uintptr_t *>(object) - 2;
}

/// Where the memory of any object that is not static begins. 3.13-3.15: as _PyType_PreHeaderSize()
/// says (pycore_object.h), two words for the collector and two for a managed dict and weak
/// references.
[[nodiscard]] inline void *memory_of(PyObject *object) noexcept {
  PyTypeObject *const type = Py_TYPE(object);
  const bool is_managed =
      (type->tp_flags & (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF)) != 0;
  return reinterpret_cast<std::uintptr_t *>(object) - (PyType_IS_GC(type) ? 2 : 0) -
         (is_managed ? 2 : 0);
}

/// The storage of a bytearray, which changes hands alone. Fields of PyByteArrayObject (public,
/// cpython/bytearrayobject.h); since 3.15 the bytes stand in a bytes object.
class ByteArrayStorage {
 public:
  /// Nobody has a view of it, nor the object it is in.
  [[nodiscard]] static bool is_plain(PyObject *bytearray) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    PyObject *const bytes = parts(bytearray)->ob_bytes_object;
    if (bytes != nullptr && !_Py_IsImmortal(bytes) && Py_REFCNT(bytes) != 1) return false;
#endif
    return parts(bytearray)->ob_exports == 0;
  }
  static void swap(PyObject *bytearray, PyObject *other) noexcept {
    PyByteArrayObject *const left = parts(bytearray);
    PyByteArrayObject *const right = parts(other);
    std::swap(left->ob_base.ob_size, right->ob_base.ob_size);
    std::swap(left->ob_alloc, right->ob_alloc);
    std::swap(left->ob_bytes, right->ob_bytes);
    std::swap(left->ob_start, right->ob_start);
#if PY_VERSION_HEX >= 0x030F0000
    std::swap(left->ob_bytes_object, right->ob_bytes_object);
#endif
  }
  /// Appends the bytes of another, even to a bytearray with views, whose storage they do not show.
  /// False with a Python exception set.
  [[nodiscard]] static bool append(PyObject *bytearray, PyObject *other) noexcept {
    const Py_ssize_t views = std::exchange(parts(bytearray)->ob_exports, 0);
    PyObject *const same = PySequence_InPlaceConcat(bytearray, other);
    parts(bytearray)->ob_exports = views;
    Py_XDECREF(same);
    return same != nullptr;
  }
  /// Where the bytes are, or null if that belongs to all.
  [[nodiscard]] static void *memory(PyObject *bytearray) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    PyObject *const bytes = parts(bytearray)->ob_bytes_object;
    return bytes == nullptr || _Py_IsImmortal(bytes) ? nullptr : bytes;
#else
    return parts(bytearray)->ob_bytes;
#endif
  }
  /// Of a bytearray whose memory goes next. Thread: any, where SharedAllocator is in use.
  static void free(PyObject *bytearray) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    PyObject_Free(memory(bytearray));
#else
    PyMem_Free(memory(bytearray));
#endif
  }

 private:
  [[nodiscard]] static PyByteArrayObject *parts(PyObject *bytearray) noexcept {
    return reinterpret_cast<PyByteArrayObject *>(bytearray);
  }
};

/// The storage of an array.array, which changes hands alone. 3.13-3.15: arrayobject
/// (Modules/arraymodule.c); its memory is PyMem_Malloc()'s.
class ArrayStorage {
 public:
  /// What is in no array.
  struct Items {
    char *memory = nullptr;
    Py_ssize_t allocated = 0;
    Py_ssize_t size = 0;
  };

  /// Whether arrays of this CPython look as this class takes them to. Thread: attached.
  [[nodiscard]] static bool verified(PyTypeObject *type) noexcept {
    static const bool known = verify(type);
    return known;
  }
  /// Nobody has a view of it.
  [[nodiscard]] static bool is_plain(PyObject *array) noexcept {
    return parts(array)->exports == 0;
  }
  [[nodiscard]] static char typecode(PyObject *array) noexcept { return *parts(array)->descriptor; }
  static void swap(PyObject *array, Items &items) noexcept {
    Parts *const own = parts(array);
    std::swap(own->memory, items.memory);
    std::swap(own->allocated, items.allocated);
    std::swap(own->head.ob_size, items.size);
  }
  /// Appends a copy, even to an array with views of other storage. False with a Python exception
  /// set.
  [[nodiscard]] static bool append(PyObject *array, const Items &items) noexcept {
    PyObject *const size = PyObject_GetAttrString(array, "itemsize");
    if (size == nullptr) return false;
    const Py_ssize_t bytes = items.size * PyLong_AsSsize_t(size);
    Py_DECREF(size);
    const Py_ssize_t views = std::exchange(parts(array)->exports, 0);
    PyObject *const view = PyMemoryView_FromMemory(items.memory, bytes, PyBUF_READ);
    PyObject *const done =
        view != nullptr ? PyObject_CallMethod(array, "frombytes", "O", view) : nullptr;
    parts(array)->exports = views;
    Py_XDECREF(view);
    Py_XDECREF(done);
    return done != nullptr;
  }
  /// Thread: any, where SharedAllocator is in use.
  static void free(Items &items) noexcept { PyMem_Free(std::exchange(items, {}).memory); }

 private:
  struct Parts {
    PyVarObject head;
    char *memory;
    Py_ssize_t allocated;
    const char *descriptor;  // begins with the typecode
    PyObject *weak_references;
    Py_ssize_t exports;
  };
  [[nodiscard]] static Parts *parts(PyObject *array) noexcept {
    return reinterpret_cast<Parts *>(array);
  }
  /// An array of three ints, viewed and not, and a new one, look so.
  [[nodiscard]] static bool verify(PyTypeObject *type) noexcept {
    if (!kKnowsLayouts || type->tp_basicsize != sizeof(Parts)) return false;
    PyObject *const array =
        PyObject_CallFunction(reinterpret_cast<PyObject *>(type), "s(iii)", "i", 1, 2, 3);
    Py_buffer view;
    bool same =
        array != nullptr && is_plain(array) && PyObject_GetBuffer(array, &view, PyBUF_SIMPLE) == 0;
    if (same) {
      same = parts(array)->memory == view.buf && parts(array)->head.ob_size == 3 &&
             parts(array)->allocated >= 3 && parts(array)->exports == 1 && typecode(array) == 'i';
      PyBuffer_Release(&view);
      same = same && is_plain(array);
    }
    PyErr_Clear();
    Py_XDECREF(array);
    return same;
  }
};

/// The table of a dict that shares it with no other dict, for its keys and values to be replaced in
/// place. 3.13-3.15: PyDictKeysObject (pycore_dict.h); the rest is public (cpython/dictobject.h).
class DictTable {
 public:
  enum Kind : std::uint8_t { kGeneral, kUnicode, kSplit };
  struct GeneralEntry {
    Py_hash_t hash;
    PyObject *key;
    PyObject *value;
  };

  /// Whether this CPython's dicts look as this class takes them to. Thread: attached.
  [[nodiscard]] static bool verified() noexcept {
    static const bool known = verify();
    return known;
  }
  [[nodiscard]] static DictTable &of(PyObject *dict) noexcept {
    return *reinterpret_cast<DictTable *>(parts(dict)->ma_keys);
  }
  /// The table is the dict's own, and nobody watches the dict.
  [[nodiscard]] static bool is_plain(PyObject *dict) noexcept {
    return parts(dict)->ma_values == nullptr && (watchers(dict) & 0xff) == 0;
  }
  /// Its keys are those of other dicts, too; of() then has no values.
  [[nodiscard]] static bool is_split(PyObject *dict) noexcept {
    return parts(dict)->ma_values != nullptr;
  }
  /// Gives two plain dicts each other's items.
  static void swap(PyObject *dict, PyObject *other) noexcept {
    std::swap(parts(dict)->ma_used, parts(other)->ma_used);
    std::swap(parts(dict)->ma_keys, parts(other)->ma_keys);
  }

  /// The table of all dicts that never had an item: static and constant.
  [[nodiscard]] bool is_of_empty_dicts() const noexcept { return log2_size_ == 0; }
  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(kind_); }
  /// Entries in use, deleted ones among them: those have no value.
  [[nodiscard]] std::size_t entries() const noexcept { return static_cast<std::size_t>(entries_); }
  /// kUnicode: a key, its value, and so on.
  [[nodiscard]] PyObject **unicode_entries() noexcept {
    return reinterpret_cast<PyObject **>(first_entry());
  }
  [[nodiscard]] GeneralEntry *general_entries() noexcept {
    return reinterpret_cast<GeneralEntry *>(first_entry());
  }
  /// Of the whole table, with the room for further entries.
  [[nodiscard]] std::size_t size_in_bytes() const noexcept {
    const std::size_t entries = (std::size_t{2} << log2_size_) / 3;
    const std::size_t entry = kind() == kGeneral ? sizeof(GeneralEntry) : 2 * sizeof(PyObject *);
    return offsetof(DictTable, indices_) + (std::size_t{1} << log2_index_bytes_) + entries * entry;
  }
  /// Gives `dict`, a copy of another, `memory` as its table, a copy of the other's.
  static void set_table(PyObject *dict, void *memory) noexcept {
    parts(dict)->ma_keys = static_cast<PyDictKeysObject *>(memory);
  }
  /// An interpreter's bytecode may know the table by a number that only this interpreter gave out.
  void forget_version() noexcept {
    if (!is_of_empty_dicts()) version_ = 0;
  }

 private:
  [[nodiscard]] static PyDictObject *parts(PyObject *dict) noexcept {
    return reinterpret_cast<PyDictObject *>(dict);
  }
  [[nodiscard]] static std::uint64_t watchers(PyObject *dict) noexcept {
    // Named ma_version_tag in 3.13, _ma_watcher_tag since; the low byte says who watches.
    std::uint64_t tag;
    std::memcpy(&tag, &parts(dict)->ma_used + 1, sizeof tag);
    return tag;
  }
  [[nodiscard]] char *first_entry() noexcept {
    return indices_ + (std::size_t{1} << log2_index_bytes_);
  }

  /// Dicts made by the C API show it: one keyed by str, one by others, one that lost an item.
  [[nodiscard]] static bool verify() noexcept {
    if (!kKnowsLayouts) return false;
    PyObject *const empty = PyDict_New();
    PyObject *const texts = Py_BuildValue("{s:i,s:i,s:i}", "one", 1, "two", 2, "three", 3);
    PyObject *const numbers = Py_BuildValue("{i:s,i:s}", 1, "one", 2, "two");
    bool same = empty != nullptr && texts != nullptr && numbers != nullptr &&
                PyDict_DelItemString(texts, "two") == 0;
    if (same) {
      same = of(empty).is_of_empty_dicts() && &of(empty) != &of(texts) && is_plain(texts) &&
             of(texts).kind() == kUnicode && of(texts).entries() == 3 &&
             of(numbers).kind() == kGeneral && of(numbers).entries() == 2 && matches(texts) &&
             matches(numbers) && of(texts).usable_ + of(texts).entries_ == 5;
    }
    PyErr_Clear();
    for (PyObject *each : {empty, texts, numbers}) Py_XDECREF(each);
    return same;
  }
  /// The items in the table are those that PyDict_Next() gives.
  [[nodiscard]] static bool matches(PyObject *dict) noexcept {
    DictTable &table = of(dict);
    std::size_t entry = 0;
    PyObject *key;
    PyObject *value;
    for (Py_ssize_t place = 0; PyDict_Next(dict, &place, &key, &value); ++entry) {
      while (entry < table.entries() && table.value_of(entry) == nullptr) ++entry;
      if (entry == table.entries() || table.value_of(entry) != value || table.key_of(entry) != key)
        return false;
    }
    return true;
  }
  [[nodiscard]] PyObject *key_of(std::size_t entry) noexcept {
    return kind() == kGeneral ? general_entries()[entry].key : unicode_entries()[2 * entry];
  }
  [[nodiscard]] PyObject *value_of(std::size_t entry) noexcept {
    return kind() == kGeneral ? general_entries()[entry].value : unicode_entries()[2 * entry + 1];
  }

  Py_ssize_t references_;
  std::uint8_t log2_size_;
  std::uint8_t log2_index_bytes_;
  std::uint8_t kind_;
  std::uint32_t version_;
  Py_ssize_t usable_;
  Py_ssize_t entries_;
  char indices_[1];
};

/// The attributes of an instance where they stand in the object itself; their names stand with the
/// type, in a table that instances share. 3.13-3.15: PyDictValues behind the object, its dict, if
/// it has been asked for, three words before it (pycore_dict.h, pycore_object.h), and
/// PyHeapTypeObject::ht_cached_keys (public, cpython/object.h).
class InlineValues {
 public:
  /// Whether instances of this CPython look as this class takes them to. Thread: attached.
  [[nodiscard]] static bool verified() noexcept {
    static const bool known = verify();
    return known;
  }
  [[nodiscard]] static bool has_type(const PyTypeObject *type) noexcept {
    return (type->tp_flags & Py_TPFLAGS_INLINE_VALUES) != 0;
  }
  /// The values of an instance whose type has them; null if they have moved to a dict.
  [[nodiscard]] static InlineValues *of(PyObject *object) noexcept {
    InlineValues *const values = behind(object);
    if (values->is_valid_ == 0) return nullptr;
    const auto *const dict = reinterpret_cast<PyDictObject *>(dict_of(object));
    const bool is_own = dict == nullptr || static_cast<void *>(dict->ma_values) == values;
    return is_own ? values : nullptr;
  }
  /// The dict of an instance of a type with Py_TPFLAGS_MANAGED_DICT; null if nobody has asked for
  /// it.
  [[nodiscard]] static PyObject *dict_of(PyObject *object) noexcept {
    return reinterpret_cast<PyObject **>(object)[-3];
  }
  /// Of an instance that nobody has asked for its dict.
  [[nodiscard]] static InlineValues *without_dict(PyObject *object) noexcept {
    InlineValues *const values = behind(object);
    return values->is_valid_ != 0 && dict_of(object) == nullptr ? values : nullptr;
  }
  /// The names of the attributes of a type's instances: so many first entries.
  [[nodiscard]] static DictTable &names(PyTypeObject *type) noexcept {
    return *reinterpret_cast<DictTable *>(
        reinterpret_cast<PyHeapTypeObject *>(type)->ht_cached_keys);
  }

  /// How many there are.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// The indices of the values, in the order in which they were set.
  [[nodiscard]] std::uint8_t *order() noexcept {
    return reinterpret_cast<std::uint8_t *>(values_ + capacity_);
  }
  /// They were set in the order of the names, and none was deleted.
  [[nodiscard]] bool is_in_order() noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (order()[i] != i) return false;
    }
    return true;
  }
  [[nodiscard]] PyObject **values() noexcept { return values_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  /// The value of the next name, which it takes over; they must be in order, and not full.
  void append(PyObject *value) noexcept {
    values_[size_] = value;
    order()[size_] = size_;
    ++size_;
  }

 private:
  [[nodiscard]] static InlineValues *behind(PyObject *object) noexcept {
    return reinterpret_cast<InlineValues *>(reinterpret_cast<char *>(object) +
                                            Py_TYPE(object)->tp_basicsize);
  }

  /// An instance shows it that gets two attributes, loses one, is asked for its dict and gets
  /// another one.
  [[nodiscard]] static bool verify() noexcept {
#ifdef Py_GIL_DISABLED
    return false;
#endif
    if (!kKnowsLayouts || !DictTable::verified()) return false;
    PyObject *const type =
        PyObject_CallFunction(reinterpret_cast<PyObject *>(&PyType_Type), "s(){}", "Instance");
    PyObject *const object = type != nullptr ? PyObject_CallNoArgs(type) : nullptr;
    const bool same = object != nullptr && matches(object);
    PyErr_Clear();
    Py_XDECREF(object);
    Py_XDECREF(type);
    return same;
  }
  [[nodiscard]] static bool matches(PyObject *object) noexcept {
    PyTypeObject *const type = Py_TYPE(object);
    if (!has_type(type) || type->tp_basicsize != sizeof(PyObject)) return false;
    InlineValues *const values = of(object);
    if (values == nullptr || without_dict(object) != values || values->size() != 0 ||
        values->capacity() < 2 || names(type).kind() != DictTable::kSplit ||
        PyObject_SetAttrString(object, "one", Py_True) != 0 ||
        PyObject_SetAttrString(object, "two", Py_False) != 0)
      return false;
    PyObject **const pairs = names(type).unicode_entries();
    if (of(object) != values || values->size() != 2 || !values->is_in_order() ||
        values->values()[0] != Py_True || values->values()[1] != Py_False ||
        names(type).entries() != 2 || PyUnicode_CompareWithASCIIString(pairs[0], "one") != 0 ||
        PyUnicode_CompareWithASCIIString(pairs[2], "two") != 0)
      return false;
    if (PyObject_DelAttrString(object, "one") != 0 || values->size() != 1 ||
        values->order()[0] != 1 || PyObject_SetAttrString(object, "one", Py_None) != 0 ||
        values->size() != 2 || values->order()[0] != 1 || values->order()[1] != 0 ||
        values->values()[0] != Py_None || values->is_in_order())
      return false;
    PyObject *const dict = PyObject_GenericGetDict(object, nullptr);
    const bool has_dict = dict != nullptr && dict_of(object) == dict && of(object) == values &&
                          without_dict(object) == nullptr && PyDict_GET_SIZE(dict) == 2;
    PyObject *const other = PyDict_New();
    const bool same = has_dict && other != nullptr &&
                      PyObject_GenericSetDict(object, other, nullptr) == 0 && of(object) == nullptr;
    Py_XDECREF(dict);
    Py_XDECREF(other);
    return same;
  }

  std::uint8_t capacity_;
  std::uint8_t size_;
  std::uint8_t is_embedded_;
  std::uint8_t is_valid_;
  PyObject *values_[1];
};

}  // namespace interlock
