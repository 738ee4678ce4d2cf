// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: what CPython leaves behind of the table of interned strings.
#pragma once

#include <vector>

#include "base/python_compat.hpp"

namespace interlock {

/// The immortal strings that an interpreter has interned: all names in its code. CPython 3.14 frees
/// them with the interpreter; 3.13 does so in debug builds only (_PyUnicode_ClearInterned() in
/// unicodeobject.c), so that each interpreter leaves 0.3 MB, and 0.9 MB with NumPy. Nothing counts
/// references to them.
class InternedStrings {
 public:
  /// Those of the calling interpreter, which is about to end; none where CPython frees them, or
  /// where nobody else can: their table is not found, or the memory belongs to the interpreter.
  [[nodiscard]] static InternedStrings take() {
    InternedStrings taken;
#ifdef INTERLOCK_INTERNED_STRINGS_ARE_LEFT
    PyObject *const table =
        SharedAllocator::is_in_use() && verified() ? table_of(PyInterpreterState_Get()) : nullptr;
    if (table == nullptr || table == table_of(PyInterpreterState_Main())) return taken;
    PyObject *string;
    PyObject *same;
    for (Py_ssize_t i = 0; PyDict_Next(table, &i, &string, &same) != 0;) {
      if (PyUnicode_CHECK_INTERNED(string) == SSTATE_INTERNED_IMMORTAL)
        taken.strings_.push_back(string);
    }
#endif
    return taken;
  }
  [[nodiscard]] bool empty() const noexcept { return strings_.empty(); }
  /// Calls `visit` with each block of memory that they take.
  template <typename Visit>
  void for_each_block(Visit visit) const {
    for (PyObject *const each : strings_) {
      if (void *const text = separate_text(each)) visit(text);
      visit(each);
    }
  }
  InternedStrings() = default;
  InternedStrings(InternedStrings &&) noexcept = default;
  InternedStrings &operator=(InternedStrings &&) noexcept = default;
  /// Frees them: the interpreter has ended, and all that may look at its objects. Thread: any.
  ~InternedStrings() {
    for (PyObject *const each : strings_) {
      PyMem_Free(separate_text(each));
      PyObject_Free(each);
    }
  }

 private:
  std::vector<PyObject *> strings_;

  /// Its UTF-8, where that is a block of its own; or null.
  [[nodiscard]] static void *separate_text(PyObject *string) noexcept {
    if (PyUnicode_IS_COMPACT_ASCII(string)) return nullptr;
    return reinterpret_cast<PyCompactUnicodeObject *>(string)->utf8;
  }

#ifdef INTERLOCK_INTERNED_STRINGS_ARE_LEFT
  // 3.13: PyInterpreterState::cached_objects (pycore_global_objects.h) has the table, 13 words of
  // other things, then typing's types.
  static constexpr std::size_t kWordsToTypes = 14;
  static constexpr const char *kTypes[] = {"Generic",   "TypeVar",       "TypeVarTuple",
                                           "ParamSpec", "ParamSpecArgs", "ParamSpecKwargs"};

  [[nodiscard]] static PyObject *&table_of(PyInterpreterState *interpreter) noexcept {
    return reinterpret_cast<PyObject **>(interpreter)[table_index()];
  }
  [[nodiscard]] static std::size_t &table_index() noexcept {
    static std::size_t index = 0;
    return index;
  }
  [[nodiscard]] static bool verified() noexcept {
    static const bool known = find();
    return known;
  }
  /// By the addresses of typing's types, one after the other; then what precedes them must be what
  /// sys.intern() looks into.
  [[nodiscard]] static bool find() noexcept {
    PyInterpreterState *const interpreter = PyInterpreterState_Get();
    auto *const words = reinterpret_cast<PyObject **>(interpreter);
    const std::size_t count = InterpreterList::size_of_interpreter() / sizeof *words;
    PyRef types[std::size(kTypes)];
    const PyRef typing = PyRef::steal(PyImport_ImportModule("_typing"));
    for (std::size_t i = 0; typing && i < std::size(kTypes); ++i)
      types[i] = PyRef::steal(PyObject_GetAttrString(typing.get(), kTypes[i]));
    PyRef probe = PyRef::steal(PyUnicode_FromFormat("interlock.%p", interpreter));
    if (!typing || !types[std::size(kTypes) - 1] || !probe) {
      PyErr_Clear();
      return false;
    }
    for (std::size_t i = kWordsToTypes; i + std::size(kTypes) <= count; ++i) {
      std::size_t same = 0;
      while (same < std::size(kTypes) && words[i + same] == types[same].get()) ++same;
      if (same < std::size(kTypes)) continue;
      table_index() = i - kWordsToTypes;
      PyObject *const table = words[table_index()];
      PyObject *string = probe.release();
      PyUnicode_InternInPlace(&string);
      probe = PyRef::steal(string);
      return table != nullptr && PyDict_CheckExact(table) &&
             PyDict_GetItemWithError(table, string) == string;
    }
    return false;
  }
#endif
};

}  // namespace interlock
