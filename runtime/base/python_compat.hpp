// SPDX-License-Identifier: MIT
// The only place, with python_compat_*.hpp, that includes Python.h, looks at PY_VERSION_HEX, or
// names a CPython internal. Each internal says which versions have it, why it is needed, and what
// happens without it.
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
#elif !defined(Py_DEBUG)
#define INTERLOCK_INTERNED_STRINGS_ARE_LEFT
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
  /// Bytes that one takes, or 0.
  [[nodiscard]] static std::size_t size_of_interpreter() noexcept {
    return known() ? word(kInterpreterSize) : 0;
  }
  /// Whether `data` are part of the runtime's.
  [[nodiscard]] static bool is_of_runtime(const void *data) noexcept {
    const auto *const at = static_cast<const unsigned char *>(data);
    return known() && at >= _PyRuntime && at < _PyRuntime + word(kRuntimeSize);
  }
  /// Calls `visit` with whatever could be a T in the runtime's data.
  template <typename T, typename Visit>
  static void for_each_part(Visit visit) noexcept {
    const std::size_t size = known() ? word(kRuntimeSize) : 0;
    for (std::size_t i = 0; i + sizeof(T) <= size; i += alignof(T))
      visit(*reinterpret_cast<T *>(_PyRuntime + i));
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
  enum Word { kVersion = 1, kRuntimeSize = 3, kHeadOffset = 5, kInterpreterSize = 6, kNextOffset = 8 };
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

/// Whether objects can change their interpreter: any thread may free their memory, and it outlives
/// every interpreter. So it is with mimalloc and malloc (PYTHONMALLOC); not with pymalloc, whose
/// pools belong to an interpreter, nor with hooks that keep books of who allocated what.
class SharedAllocator {
 public:
  /// Thread: attached.
  [[nodiscard]] static bool is_in_use() noexcept {
    // Hooks may be put on at any time.
    const Functions now = functions();
    return shared().free_object != nullptr && now.free_object == shared().free_object &&
           now.free_memory == shared().free_memory;
  }
  /// What has just been put around the allocator that is in use keeps no books of who frees what.
  static void adopt() noexcept { shared() = functions(); }

 private:
  struct Functions {
    decltype(PyMemAllocatorEx::free) free_object;
    decltype(PyMemAllocatorEx::free) free_memory;
  };
  static Functions &shared() noexcept {
    static Functions known = functions_if_shared();
    return known;
  }
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

#include "base/python_compat_objects.hpp"  // IWYU pragma: export
