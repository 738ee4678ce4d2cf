// SPDX-License-Identifier: MIT
#include "extension/redirections.hpp"

#include <cstdint>

#include "base/by_memory.hpp"
#include "interpreter/end.hpp"
#include "lock/mutex.hpp"

namespace interlock {
namespace {

using Owner = PyInterpreterState *;  // null: it has ended

// Leaked on purpose: images may call when static destructors have run. The mutex guards the others.
Mutex &owners_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
ByMemory<Owner> &owners_locked() {
  static auto *const all = new ByMemory<Owner>;
  return *all;
}

/// Py_AddPendingCall() always has the main interpreter's main thread call it (3.12-3.15).
int add_pending_call_of_image(int (*function)(void *), void *argument) {
  const void *const caller = __builtin_return_address(0);
  if (PyThreadState *const state = PyThreadState_GetUnchecked()) {
    PyInterpreterState *const interpreter = PyThreadState_GetInterpreter(state);
    return add_pending_call(interpreter, function, argument) ? 0 : -1;
  }
  {
    // The lock keeps the interpreter from ending.
    MutexGuard guard(owners_mutex());
    if (const Owner *const owner = owners_locked().find(caller)) {
      if (*owner == nullptr) return 0;
      return add_pending_call(*owner, function, argument) ? 0 : -1;
    }
  }
  return Py_AddPendingCall(function, argument);
}

/// PyGILState_Ensure() takes a thread without a thread state to the main interpreter (3.13-3.15).
/// The state that is made here is like the one that it makes: PyGILState_Release() deletes it.
PyGILState_STATE ensure_gil_of_image() {
  const void *const caller = __builtin_return_address(0);
  PrivateLibraries::leave_finaliser();  // a destructor that did not ask whether Python is there
  if (PyGILState_GetThisThreadState() != nullptr) return PyGILState_Ensure();
  PyThreadState *state = nullptr;
  bool is_known = false;
  {
    // The lock keeps the interpreter from ending.
    MutexGuard guard(owners_mutex());
    const Owner *const owner = owners_locked().find(caller);
    is_known = owner != nullptr;
    if (is_known && *owner != nullptr) state = PyThreadState_New(*owner);
  }
  if (!is_known) return PyGILState_Ensure();
  if (state == nullptr) stay_frozen();  // as CPython stops threads when it has ended
  PyEval_RestoreThread(state);
  return PyGILState_UNLOCKED;
}

/// Whether the code is of an image whose interpreter has ended. Destructors ask before they look at
/// Python objects, which CPython has only one answer for.
bool is_over(const void *code) {
  MutexGuard guard(owners_mutex());
  const Owner *const owner = owners_locked().find(code);
  return owner != nullptr && *owner == nullptr;
}

int is_initialized_for_image() {
  return is_over(__builtin_return_address(0)) ? 0 : Py_IsInitialized();
}

int is_finalizing_for_image() {
  return is_over(__builtin_return_address(0)) ? 1 : Py_IsFinalizing();
}

/// "Return -2 if tracemalloc is disabled": it is the main interpreter's.
int track_for_image(unsigned int, std::uintptr_t, std::size_t) { return -2; }

const Redirection kRedirections[] = {
    {"PyGILState_Ensure", reinterpret_cast<void *>(ensure_gil_of_image)},
    {"Py_AddPendingCall", reinterpret_cast<void *>(add_pending_call_of_image)},
    {"PyTraceMalloc_Track", reinterpret_cast<void *>(track_for_image)},
    {"Py_IsInitialized", reinterpret_cast<void *>(is_initialized_for_image)},
    {"Py_IsFinalizing", reinterpret_cast<void *>(is_finalizing_for_image)},
    {"_Py_IsFinalizing", reinterpret_cast<void *>(is_finalizing_for_image)}};

}  // namespace

std::span<const Redirection> redirections() noexcept { return kRedirections; }

void ImageOwners::add(std::span<std::byte> memory, PyInterpreterState *interpreter) {
  MutexGuard guard(owners_mutex());
  owners_locked().add(memory, interpreter);
}

void ImageOwners::remove(PyInterpreterState *interpreter) noexcept {
  MutexGuard guard(owners_mutex());
  owners_locked().for_each([interpreter](Owner &each) {
    if (each == interpreter) each = nullptr;
  });
}

void ImageOwners::reset_after_fork() noexcept {
  owners_mutex().reset_after_fork();
  owners_locked().for_each([](Owner &each) { each = nullptr; });
}

}  // namespace interlock
