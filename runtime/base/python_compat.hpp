// SPDX-License-Identifier: MIT
// The only place that includes Python.h, looks at PY_VERSION_HEX, or names a CPython internal. Each
// internal says which versions have it, why it is needed, and what happens without it.
#pragma once

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#if PY_VERSION_HEX < 0x030D0000
#error "Interlock needs CPython 3.13 or newer"
#endif

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

// 3.13-3.15: runs a function in another interpreter at its next check between bytecodes. The public
// Py_AddPendingCall() reaches the main interpreter only. Exported since 3.12 (pycore_ceval.h),
// result 0 for success; declared weak, so that a CPython without it leaves interrupts to the
// runtime's waits.
extern "C" __attribute__((weak)) int _PyEval_AddPendingCall(PyInterpreterState *interpreter,
                                                            int (*function)(void *), void *argument,
                                                            int flags);

// 3.13-3.15: the runtime's data, which begins with a table of offsets made for debuggers
// (_Py_DebugOffsets in pycore_debug_offsets.h): a cookie, the version, a flag, then sizes and
// offsets.
extern "C" __attribute__((weak)) unsigned char _PyRuntime[];

// 3.13-3.15: "mimalloc", "malloc", "pymalloc", or the like; null where hooks are on. Exported
// (pycore_pymem.h); declared weak, so that without it objects are copied rather than moved.
extern "C" __attribute__((weak)) const char *_PyMem_GetCurrentAllocatorName();

namespace interlock {

/// Whether this CPython is one whose objects have the layout that this code was written for.
inline constexpr bool kKnowsLayouts = PY_VERSION_HEX >> 16 <= 0x030f;
#if PY_VERSION_HEX >= 0x030E0000
#define INTERLOCK_TUPLES_KEEP_HASH
#endif

/// CPython's list of interpreters, newest first, the main one last. It ends what stands there: in
/// the child of a fork, where it then aborts because their threads are gone, and at the end of the
/// process, where it aborts if an interpreter has threads left. Without this list (false from
/// known()) a fork with live interpreters ends in that abort.
class InterpreterList {
 public:
  [[nodiscard]] static bool known() noexcept {
    static const bool verified = verify();
    return verified;
  }
  /// Takes out every interpreter but the main one. Thread: the only one that may touch the list.
  static void keep_only_main() noexcept {
    if (known()) head() = PyInterpreterState_Main();
  }
  /// Takes out `interpreter`, which nobody will end any more. Thread: as above.
  static void remove(PyInterpreterState *interpreter) noexcept {
    if (!known()) return;
    for (PyInterpreterState **link = &head(); *link != nullptr; link = &next(*link)) {
      if (*link != interpreter) continue;
      *link = next(interpreter);
      return;
    }
  }

 private:
  enum Word { kVersion = 1, kHeadOffset = 5, kNextOffset = 8 };
  [[nodiscard]] static std::uint64_t word(Word index) noexcept {
    std::uint64_t value;
    std::memcpy(&value, _PyRuntime + 8 * index, sizeof value);
    return value;
  }
  [[nodiscard]] static PyInterpreterState *&head() noexcept {
    return *reinterpret_cast<PyInterpreterState **>(_PyRuntime + word(kHeadOffset));
  }
  [[nodiscard]] static PyInterpreterState *&next(PyInterpreterState *interpreter) noexcept {
    return *reinterpret_cast<PyInterpreterState **>(reinterpret_cast<unsigned char *>(interpreter) +
                                                    word(kNextOffset));
  }
  /// The layout is the one that this code knows, and what it leads to is what the C API says.
  [[nodiscard]] static bool verify() noexcept {
    if (_PyRuntime == nullptr || std::memcmp(_PyRuntime, "xdebugpy", 8) != 0) return false;
    if (word(kVersion) >> 16 != PY_VERSION_HEX >> 16 || PY_VERSION_HEX >> 16 > 0x030f) return false;
    return head() == PyInterpreterState_Head() && next(head()) == PyInterpreterState_Next(head());
  }
};

/// Lets `interpreter` call `function(argument)` soon, on any of its threads, attached. False if it
/// cannot be arranged. Thread: any; the caller keeps `interpreter` from ending. Blocks: never.
[[nodiscard]] inline bool add_pending_call(PyInterpreterState *interpreter, int (*function)(void *),
                                           void *argument) {
  if (_PyEval_AddPendingCall == nullptr) return false;
  return _PyEval_AddPendingCall(interpreter, function, argument, 0) == 0;
}

/// What waits for a thread between two bytecodes. 3.13-3.15: PyThreadState::eval_breaker (public,
/// cpython/pystate.h); its low bits are _PY_GIL_DROP_REQUEST_BIT and its like (pycore_ceval.h), of
/// which bit 1 is _PY_SIGNALS_PENDING_BIT. Elsewhere nothing is ever pending here: a wait then sees
/// a signal only if it arrives while the thread sleeps.
class EvalBreaker {
 public:
  /// Something is: a signal, a pending call, another thread that wants the lock. Thread: of
  /// `state`.
  [[nodiscard]] static bool anything(const PyThreadState *state) noexcept {
    return (word(state) & 0xff) != 0;
  }
  /// A signal whose handler has to run on this thread. Thread: of `state`, attached or not.
  [[nodiscard]] static bool has_signal(const PyThreadState *state) noexcept {
    return (word(state) & kSignal) != 0;
  }
  /// As CPython's own handling begins; PyErr_CheckSignals() alone leaves the bit set. Thread: of
  /// `state`.
  static void clear_signal(PyThreadState *state) noexcept {
    if (kKnown) _Py_atomic_and_uintptr(&state->eval_breaker, ~kSignal);
  }

 private:
  static constexpr bool kKnown = PY_VERSION_HEX >> 16 <= 0x030f;
  static constexpr std::uintptr_t kSignal = 2;
  [[nodiscard]] static std::uintptr_t word(const PyThreadState *state) noexcept {
    return kKnown ? _Py_atomic_load_uintptr_relaxed(&state->eval_breaker) : 0;
  }
};

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
    if (PY_VERSION_HEX >> 16 > 0x030f || PyLong_SHIFT != 30) return false;
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

/// Whether objects can change their interpreter: any thread may free their memory, and it outlives
/// every interpreter. So it is with mimalloc and malloc (PYTHONMALLOC); not with pymalloc, whose
/// pools belong to an interpreter, nor with hooks that keep books of who allocated what.
class SharedAllocator {
 public:
  /// Thread: attached.
  [[nodiscard]] static bool is_in_use() noexcept {
    static const Functions shared = functions_if_shared();
    // Hooks may be put on at any time.
    const Functions now = functions();
    return shared.free_object != nullptr && now.free_object == shared.free_object &&
           now.free_memory == shared.free_memory;
  }

 private:
  struct Functions {
    decltype(PyMemAllocatorEx::free) free_object;
    decltype(PyMemAllocatorEx::free) free_memory;
  };
  static Functions functions() noexcept {
    PyMemAllocatorEx objects;
    PyMemAllocatorEx memory;
    PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &objects);
    PyMem_GetAllocator(PYMEM_DOMAIN_MEM, &memory);
    return {objects.free, memory.free};
  }
  static Functions functions_if_shared() noexcept {
#if defined(Py_GIL_DISABLED) || defined(Py_TRACE_REFS)
    return {};  // reference counts and the collector are others there, or every object is in a list
#endif
    if (_PyMem_GetCurrentAllocatorName == nullptr) return {};
    const char *const name = _PyMem_GetCurrentAllocatorName();
    const bool is_shared =
        name != nullptr && (std::strcmp(name, "mimalloc") == 0 || std::strcmp(name, "malloc") == 0);
    return is_shared ? functions() : Functions{};
  }
};

/// Chooses an allocator that lets objects change their interpreter, if the caller of the process
/// has not chosen another: mimalloc, where CPython was built with it. Before CPython is
/// initialised. `argc`, `argv`: of a command that is to read its options from them; or 0 and null.
[[nodiscard]] inline PyStatus preinitialize(int argc, char **argv) {
  // -X dev and PYTHONDEVMODE ask for the allocator that looks for mistakes.
  bool reads_environment = true;
  bool is_chosen = false;
  for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1] != '-'; ++i) {
    const char *option = argv[i] + 1;
    for (; *option != '\0' && std::strchr("cmWX", *option) == nullptr; ++option)
      reads_environment = reads_environment && *option != 'E' && *option != 'I';
    if (*option == 'c' || *option == 'm') break;
    if (*option == '\0') continue;
    const char *const value = option[1] != '\0' ? option + 1 : i + 1 < argc ? argv[++i] : "";
    is_chosen = is_chosen || (*option == 'X' && std::strcmp(value, "dev") == 0);
  }
  for (const char *name : {"PYTHONMALLOC", "PYTHONDEVMODE"}) {
    const char *const value = reads_environment ? std::getenv(name) : nullptr;
    is_chosen = is_chosen || (value != nullptr && *value != '\0');
  }
  PyPreConfig config;
  PyPreConfig_InitPythonConfig(&config);
  config.parse_argv = argc > 0;
#ifdef WITH_MIMALLOC
  if (!is_chosen) config.allocator = PYMEM_ALLOCATOR_MIMALLOC;
#endif
  return Py_PreInitializeFromBytesArgs(&config, argc, argv);
}

/// Where the memory of an object that the collector knows begins. 3.13-3.15: behind two words,
/// PyGC_Head (pycore_gc.h); for objects to be freed by who is attached to no interpreter.
[[nodiscard]] inline void *memory_of_gc_object(PyObject *object) noexcept {
  return reinterpret_cast<std::uintptr_t *>(object) - 2;
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
  /// Of a bytearray whose memory goes next. Thread: any, where SharedAllocator is in use.
  static void free(PyObject *bytearray) noexcept {
#if PY_VERSION_HEX >= 0x030F0000
    PyObject *const bytes = parts(bytearray)->ob_bytes_object;
    if (bytes != nullptr && !_Py_IsImmortal(bytes)) PyObject_Free(bytes);
#else
    PyMem_Free(parts(bytearray)->ob_bytes);
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
    if (PY_VERSION_HEX >> 16 > 0x030f || type->tp_basicsize != sizeof(Parts)) return false;
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

/// An owned reference, released at the end of the scope. Thread: attached.
class PyRef {
 public:
  PyRef() noexcept = default;
  /// Takes over `owned` (may be null).
  [[nodiscard]] static PyRef steal(PyObject *owned) noexcept { return PyRef(owned); }
  [[nodiscard]] static PyRef borrow(PyObject *borrowed) noexcept {
    return PyRef(Py_XNewRef(borrowed));
  }
  PyRef(PyRef &&other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  PyRef &operator=(PyRef &&other) noexcept {
    PyRef dropped(std::exchange(object_, std::exchange(other.object_, nullptr)));
    return *this;
  }
  ~PyRef() { Py_XDECREF(object_); }

  [[nodiscard]] PyObject *get() const noexcept { return object_; }
  [[nodiscard]] PyObject *release() noexcept { return std::exchange(object_, nullptr); }
  explicit operator bool() const noexcept { return object_ != nullptr; }

 private:
  explicit PyRef(PyObject *owned) noexcept : object_(owned) {}
  PyObject *object_ = nullptr;
};

}  // namespace interlock
