// SPDX-License-Identifier: MIT
// Part of python_compat.hpp: the thread state that CPython remembers as a thread's last.
#pragma once

#include <limits.h>
#include <link.h>

#include <atomic>
#include <cstdint>
#include <span>

#include "base/python_compat.hpp"

namespace interlock {

/// What PyGILState_GetThisThreadState() gives. CPython sets it whenever a thread attaches, and
/// clears it only when that state is deleted: a state that is kept for later would stay the
/// thread's last, and nobody else could delete it, for CPython writes to the last one when the
/// thread attaches through another. 3.13 and 3.14 have it as thread-specific data whose key is part
/// of the runtime's (autoTSSkey, pycore_runtime.h), 3.15 as a thread-local variable of its library
/// (pystate.c). Both are looked for by what they hold. Thread: any.
class LastState {
 public:
  /// Whether it can be changed. Thread: attached through its last one.
  [[nodiscard]] static bool verified() noexcept {
    std::atomic<Known> &answer = known();
    if (answer == Known::kNot) answer = verify() ? Known::kYes : Known::kNo;
    return answer == Known::kYes;
  }
  /// Child of a fork: CPython has made its key anew.
  static void reset_after_fork() noexcept { known() = Known::kNot; }
  /// The calling thread's last becomes `before`, or none. Thread: attached through `state`, its
  /// last. Needs verified().
  static void replace(PyThreadState *state, PyThreadState *before) noexcept {
    state->_status.bound_gilstate = 0;
    if (before != nullptr) before->_status.bound_gilstate = 1;
    set(before);
  }

  /// Whether nothing is left in a state that whoever attaches through it next would meet. What is
  /// local to the thread may be. Thread: attached through it.
  [[nodiscard]] static bool is_clean(const PyThreadState *state) noexcept {
    return state->current_exception == nullptr && state->async_exc == nullptr &&
           state->context == nullptr && state->c_profilefunc == nullptr &&
           state->c_tracefunc == nullptr;
  }

 private:
  enum class Known : unsigned char { kNot, kNo, kYes };
  [[nodiscard]] static std::atomic<Known> &known() noexcept {
    static std::atomic<Known> answer{Known::kNot};
    return answer;
  }
  [[nodiscard]] static bool verify() noexcept {
    PyThreadState *const state = PyThreadState_Get();
    if (PyGILState_GetThisThreadState() != state || state->_status.bound_gilstate != 1 || !find())
      return false;
    set(nullptr);
    const bool is_it = PyGILState_GetThisThreadState() == nullptr;
    set(state);
    return is_it && PyGILState_GetThisThreadState() == state;
  }

#if PY_VERSION_HEX < 0x030f0000
  [[nodiscard]] static Py_tss_t &key() noexcept {
    static Py_tss_t found{};
    return found;
  }
  static void set(PyThreadState *state) noexcept { (void)PyThread_tss_set(&key(), state); }
  /// All that looks like a key and leads to the state is the same one.
  [[nodiscard]] static bool find() noexcept {
    PyThreadState *const state = PyThreadState_Get();
    bool is_one = true;
    key() = {};
    InterpreterList::for_each_part<Py_tss_t>([&](Py_tss_t &each) {
      if (each._is_initialized != 1 || each._key >= PTHREAD_KEYS_MAX ||
          PyThread_tss_get(&each) != state)
        return;
      if (key()._is_initialized == 1 && key()._key != each._key) is_one = false;
      key() = each;
    });
    return is_one && key()._is_initialized == 1;
  }
#else
  /// Bytes from the beginning of the thread-local memory of CPython's library.
  [[nodiscard]] static std::size_t &offset() noexcept {
    static std::size_t found = 0;
    return found;
  }
  static void set(PyThreadState *state) noexcept {
    static thread_local PyThreadState **place = nullptr;
    if (place == nullptr) place = variables().data() + offset();
    *place = state;
  }
  /// Those of the calling thread.
  [[nodiscard]] static std::span<PyThreadState *> variables() noexcept {
    std::span<PyThreadState *> found;
    const auto look = [](dl_phdr_info *library, std::size_t, void *given) noexcept {
      std::size_t size = 0;
      bool is_it = false;
      for (unsigned i = 0; i < library->dlpi_phnum; ++i) {
        const ElfW(Phdr) &part = library->dlpi_phdr[i];
        const auto start = library->dlpi_addr + part.p_vaddr;
        const auto address = reinterpret_cast<std::uintptr_t>(PyType_Type.tp_dealloc);
        if (part.p_type == PT_TLS) size = part.p_memsz;
        if (part.p_type == PT_LOAD && address >= start && address - start < part.p_memsz)
          is_it = true;
      }
      if (is_it && library->dlpi_tls_data != nullptr)
        *static_cast<std::span<PyThreadState *> *>(given) = {
            static_cast<PyThreadState **>(library->dlpi_tls_data), size / sizeof(PyThreadState *)};
      return is_it ? 1 : 0;
    };
    (void)dl_iterate_phdr(look, &found);
    return found;
  }
  /// The one variable that holds the state when the thread is not attached.
  [[nodiscard]] static bool find() noexcept {
    PyThreadState *const state = PyEval_SaveThread();
    unsigned count = 0;
    const std::span<PyThreadState *> all = variables();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] != state) continue;
      ++count;
      offset() = i;
    }
    PyEval_RestoreThread(state);
    return count == 1;
  }
#endif
};

}  // namespace interlock
