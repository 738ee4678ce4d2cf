// SPDX-License-Identifier: MIT
#include "extension/redirections.hpp"

#include <cstdint>

#include "base/by_memory.hpp"
#include "interpreter/gil_state.hpp"
#include "lock/mutex.hpp"

namespace interlock {
namespace {

struct Owner {
  std::span<std::byte> memory;
  Entrance *entrance;  // of the interpreter
};

// Leaked on purpose: images may call when static destructors have run. The mutex guards the owners;
// the count tells of changes.
Mutex &owners_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
ByMemory<Owner> &owners_locked() {
  static auto *const all = new ByMemory<Owner>;
  return *all;
}
Atomic<std::uint32_t> owner_changes{0};

/// Into the interpreter that the image with this code belongs to; null if it is no image's.
Entrance *entrance_for(const void *code) {
  thread_local Owner last{};
  thread_local std::uint32_t changes_before_last = 0;
  const std::byte *const start = last.memory.data();
  const auto *const at = static_cast<const std::byte *>(code);
  // SYNC(owners): who is given an image learns of it after the change.
  if (at >= start && at < start + last.memory.size() &&
      load_acquire(owner_changes) == changes_before_last)
    return last.entrance;
  MutexGuard guard(owners_mutex());
  const Owner *const found = owners_locked().find(code);
  if (found == nullptr) return nullptr;
  last = *found;
  changes_before_last = load_acquire(owner_changes);
  return found->entrance;
}

/// Py_AddPendingCall() always has the main interpreter's main thread call it (3.12-3.15).
int add_pending_call_of_image(int (*function)(void *), void *argument) {
  const void *const caller = __builtin_return_address(0);
  if (PyThreadState *const state = PyThreadState_GetUnchecked()) {
    PyInterpreterState *const interpreter = PyThreadState_GetInterpreter(state);
    return add_pending_call(interpreter, function, argument) ? 0 : -1;
  }
  Entrance *const entrance = entrance_for(caller);
  if (entrance == nullptr) return Py_AddPendingCall(function, argument);
  if (!entrance->enter()) return 0;
  const bool is_added = add_pending_call(entrance->interpreter(), function, argument);
  entrance->leave();
  return is_added ? 0 : -1;
}

PyGILState_STATE ensure_gil_of_image() {
  Entrance *const entrance = entrance_for(__builtin_return_address(0));
  PrivateLibraries::leave_finaliser();  // a destructor that did not ask whether Python is there
  return GilState::ensure(entrance);
}

int check_gil_of_image() {
  return GilState::check(entrance_for(__builtin_return_address(0))) ? 1 : 0;
}

PyThreadState *thread_state_of_image() {
  return GilState::this_thread_state(entrance_for(__builtin_return_address(0)));
}

/// Whether the code is of an image whose interpreter has ended. Destructors ask before they look at
/// Python objects, which CPython has only one answer for.
bool is_over(const void *code) {
  const Entrance *const entrance = entrance_for(code);
  return entrance != nullptr && entrance->is_closed();
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
    {"PyGILState_Check", reinterpret_cast<void *>(check_gil_of_image)},
    {"PyGILState_GetThisThreadState", reinterpret_cast<void *>(thread_state_of_image)},
    {"Py_AddPendingCall", reinterpret_cast<void *>(add_pending_call_of_image)},
    {"PyTraceMalloc_Track", reinterpret_cast<void *>(track_for_image)},
    {"Py_IsInitialized", reinterpret_cast<void *>(is_initialized_for_image)},
    {"Py_IsFinalizing", reinterpret_cast<void *>(is_finalizing_for_image)},
    {"_Py_IsFinalizing", reinterpret_cast<void *>(is_finalizing_for_image)}};

}  // namespace

std::span<const Redirection> redirections() noexcept { return kRedirections; }

void ImageOwners::add(std::span<std::byte> memory, Entrance &entrance) {
  MutexGuard guard(owners_mutex());
  owners_locked().add(memory, {memory, &entrance});
  // SYNC(owners): see entrance_for().
  owner_changes.fetch_add(1);
}

void ImageOwners::reset_after_fork() noexcept { owners_mutex().reset_after_fork(); }

}  // namespace interlock
