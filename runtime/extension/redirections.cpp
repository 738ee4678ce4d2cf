// SPDX-License-Identifier: MIT
#include "extension/redirections.hpp"

#include <map>

#include "interpreter/end.hpp"
#include "lock/mutex.hpp"

namespace interlock {
namespace {

struct Owned {
  std::span<std::byte> memory;
  PyInterpreterState *interpreter;
};

// Leaked on purpose: images may call when static destructors have run. The mutex guards the map.
Mutex &owners_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::map<const void *, Owned> &owners_locked() {
  static auto *const all = new std::map<const void *, Owned>;  // by the end of their memory
  return *all;
}

/// Null if it is no image, or its interpreter has ended.
PyInterpreterState *owner_locked(const void *code) {
  const auto found = owners_locked().upper_bound(code);
  if (found == owners_locked().end() || code < found->second.memory.data()) return nullptr;
  return found->second.interpreter;
}

/// Py_AddPendingCall() always has the main interpreter's main thread call it (3.12-3.15).
int add_pending_call_of_image(int (*function)(void *), void *argument) {
  const void *const caller = __builtin_return_address(0);
  // The lock keeps the interpreter from ending.
  MutexGuard guard(owners_mutex());
  PyInterpreterState *const interpreter = owner_locked(caller);
  if (interpreter == nullptr) return 0;
  return add_pending_call(interpreter, function, argument) ? 0 : -1;
}

/// PyGILState_Ensure() takes a thread without a thread state to the main interpreter (3.13-3.15).
/// The state that is made here is like the one that it makes: PyGILState_Release() deletes it.
PyGILState_STATE ensure_gil_of_image() {
  const void *const caller = __builtin_return_address(0);
  if (PyGILState_GetThisThreadState() != nullptr) return PyGILState_Ensure();
  PyThreadState *state = nullptr;
  {
    // The lock keeps the interpreter from ending.
    MutexGuard guard(owners_mutex());
    PyInterpreterState *const interpreter = owner_locked(caller);
    if (interpreter != nullptr) state = PyThreadState_New(interpreter);
  }
  if (state == nullptr) stay_frozen();  // as CPython stops threads when it has ended
  PyEval_RestoreThread(state);
  return PyGILState_UNLOCKED;
}

const Redirection kRedirections[] = {
    {"PyGILState_Ensure", reinterpret_cast<void *>(ensure_gil_of_image)},
    {"Py_AddPendingCall", reinterpret_cast<void *>(add_pending_call_of_image)}};

}  // namespace

std::span<const Redirection> redirections() noexcept { return kRedirections; }

void ImageOwners::set(PyInterpreterState *interpreter,
                      const std::vector<std::span<std::byte>> &memories) {
  MutexGuard guard(owners_mutex());
  std::erase_if(owners_locked(),
                [interpreter](const auto &each) { return each.second.interpreter == interpreter; });
  for (const std::span<std::byte> each : memories)
    owners_locked().emplace(each.data() + each.size(), Owned{each, interpreter});
}

}  // namespace interlock
