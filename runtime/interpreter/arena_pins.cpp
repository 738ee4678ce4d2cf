// SPDX-License-Identifier: MIT
#include "interpreter/arena_pins.hpp"

#include <utility>

namespace interlock {
namespace {

// In the dict that CPython keeps for each interpreter, without a destructor: that would come before
// the last objects go.
constexpr const char *kName = "interlock.arena_pins";

ArenaPins *find() noexcept {
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  PyObject *const capsule = dict != nullptr ? PyDict_GetItemString(dict, kName) : nullptr;
  if (capsule == nullptr) return nullptr;
  return static_cast<ArenaPins *>(PyCapsule_GetPointer(capsule, kName));
}

}  // namespace

ArenaPins *ArenaPins::create_current() {
  if (ArenaPins *const known = find()) return known;
  Ref<ArenaPins> made = make_ref<ArenaPins>();
  const PyRef capsule = PyRef::steal(PyCapsule_New(made.get(), kName, nullptr));
  if (!capsule) return nullptr;
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  if (dict == nullptr) PyErr_NoMemory();
  if (dict == nullptr || PyDict_SetItemString(dict, kName, capsule.get()) != 0) return nullptr;
  return made.leak();  // take_current() takes it over
}

Ref<ArenaPins> ArenaPins::take_current() noexcept {
  ArenaPins *const known = find();
  Ref<ArenaPins> taken(known);
  if (known != nullptr) known->release();
  return taken;
}

Ref<ArenaMemory> ArenaPins::default_memory() {
  if (!default_ || default_->is_from_parent()) default_ = make_ref<ArenaMemory>(UINT64_MAX);
  return default_;
}

void ArenaPins::pin_slow(ArenaMemory &memory) {
  if (pinned_.insert(&memory).second) memory.retain();
  give_back_stock();
  last_ = &memory;
}

void ArenaPins::give_back_stock() noexcept {
  if (stock_ != 0) last_->release(std::exchange(stock_, 0));
}

ArenaPins::~ArenaPins() {
  give_back_stock();
  for (ArenaMemory *const each : pinned_) each->release();
}

}  // namespace interlock
