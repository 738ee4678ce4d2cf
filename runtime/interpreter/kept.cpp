// SPDX-License-Identifier: MIT
#include "interpreter/kept.hpp"

#include <utility>
#include <vector>

#include "lock/mutex.hpp"

namespace interlock {
namespace {

// In the dict that CPython keeps for each interpreter, without a destructor: that would come before
// the last objects go.
constexpr const char *name_of(Kept kind) noexcept {
  return kind == Kept::kArenaPins ? "interlock.arena_pins" : "interlock.images";
}

struct Rest {
  Thread thread;
  Ref<RefCounted> object;
};

// Leaked on purpose: interpreters may end when static destructors have run. The mutex guards the
// list.
Mutex &rests_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::vector<Rest> &rests_locked() {
  static auto *const all = new std::vector<Rest>;
  return *all;
}

}  // namespace

RefCounted *find_kept(Kept kind) noexcept {
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  PyObject *const capsule = dict != nullptr ? PyDict_GetItemString(dict, name_of(kind)) : nullptr;
  if (capsule == nullptr) return nullptr;
  return static_cast<RefCounted *>(PyCapsule_GetPointer(capsule, name_of(kind)));
}

bool keep(Kept kind, Ref<RefCounted> object) {
  const PyRef capsule = PyRef::steal(PyCapsule_New(object.get(), name_of(kind), nullptr));
  if (!capsule) return false;
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr) PyErr_NoMemory();
  if (dict == nullptr || PyDict_SetItemString(dict, name_of(kind), capsule.get()) != 0)
    return false;
  (void)object.leak();  // take_kept() takes it over
  return true;
}

Ref<RefCounted> take_kept(Kept kind) noexcept {
  RefCounted *const known = find_kept(kind);
  Ref<RefCounted> taken(known);
  if (known != nullptr) known->release();
  return taken;
}

void leave_behind(Thread thread, Ref<RefCounted> rest) {
  MutexGuard guard(rests_mutex());
  rests_locked().push_back({std::move(thread), std::move(rest)});
}

void forget_rests_after_fork() noexcept {
  rests_mutex().reset_after_fork();
  // Leaked: it leads to threads and locks of the parent.
  (void)new std::vector<Rest>(std::move(rests_locked()));
}

void clear_away() {
  std::vector<Rest> all;
  {
    MutexGuard guard(rests_mutex());
    all.swap(rests_locked());
  }
  for (Rest &each : all) {
    each.thread.join();
    each.object = {};
  }
}

}  // namespace interlock
