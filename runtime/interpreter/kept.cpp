// SPDX-License-Identifier: MIT
#include "interpreter/kept.hpp"

#include <utility>

#include "platform/thread.hpp"

namespace interlock {
namespace {

// In the dict that CPython keeps for each interpreter, without a destructor: that would come before
// the last objects go.
constexpr const char *name_of(Kept kind) noexcept {
  return kind == Kept::kArenaPins ? "interlock.arena_pins" : "interlock.images";
}

thread_local RefCounted *last_object = nullptr;  // owned

void drop_last_object(void *) noexcept {
  if (last_object != nullptr) std::exchange(last_object, nullptr)->release();
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

void expect_drop_at_thread_end() noexcept { call_at_thread_end(drop_last_object, nullptr); }

void drop_at_thread_end(Ref<RefCounted> object) noexcept { last_object = object.leak(); }

}  // namespace interlock
