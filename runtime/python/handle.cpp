// SPDX-License-Identifier: MIT
// Handles: Python objects that stand for something outside every interpreter's heap. Equal when
// they stand for the same thing.
#include "base/check.hpp"
#include "interpreter/interpreter.hpp"
#include "python/channel.hpp"
#include "python/proxy.hpp"
#include "transfer/array.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

Shared *shared_of(PyObject *self) { return reinterpret_cast<HandleObject *>(self)->shared; }

/// Equal when they stand for the same thing; a closed Sender stands for none.
bool is_same(PyObject *self, PyObject *other) {
  if (self == other) return true;
  return shared_of(self) != nullptr && shared_of(self) == shared_of(other);
}

void dealloc(PyObject *self) {
  PyTypeObject *const type = Py_TYPE(self);
  if (Shared *const shared = shared_of(self)) shared->release();
  type->tp_free(self);
  Py_DECREF(type);
}

Py_hash_t hash(PyObject *self) { return Py_HashPointer(shared_of(self)); }

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char *>("What crosses by reference.")},
                       {Py_tp_dealloc, reinterpret_cast<void *>(dealloc)},
                       {Py_tp_hash, reinterpret_cast<void *>(hash)},
                       {Py_tp_richcompare, reinterpret_cast<void *>(compare_handles)},
                       {0, nullptr}};

PyType_Spec spec = {"interlock.Handle", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                        Py_TPFLAGS_IMMUTABLETYPE,
                    slots};

}  // namespace

PyObject *compare_handles(PyObject *self, PyObject *other, int operation) {
  const ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  if ((operation != Py_EQ && operation != Py_NE) ||
      !PyObject_TypeCheck(other, state->transfer.handle))
    Py_RETURN_NOTIMPLEMENTED;
  return PyBool_FromLong(is_same(self, other) == (operation == Py_EQ));
}

bool add_handle(PyObject *module, ModuleState &state) {
  return add_type(module, spec, nullptr, state.transfer.handle);
}

PyObject *wrap_shared(Ref<Shared> shared) {
  ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  PyTypeObject *type = nullptr;
  switch (shared->kind()) {
    case Shared::Kind::kChannel:
      type = state->channel;
      break;
    case Shared::Kind::kInterpreter:
      type = state->interpreter;
      break;
    case Shared::Kind::kDefinition:
      type = state->definition;
      break;
    case Shared::Kind::kSender:
      return wrap_sender(*state, std::move(shared));
    case Shared::Kind::kLock:
      type = state->lock;
      break;
    case Shared::Kind::kSemaphore:
      type = state->semaphore;
      break;
    case Shared::Kind::kEvent:
      type = state->event;
      break;
    case Shared::Kind::kBarrier:
      type = state->barrier;
      break;
    case Shared::Kind::kProxy:
      return wrap_proxy(*state, std::move(shared));
    case Shared::Kind::kBuffer:
      return wrap_buffer(*state, std::move(shared));
    case Shared::Kind::kArrayItems:
      return static_cast<ArrayItems &>(*shared).attach(state->transfer);
    case Shared::Kind::kDescriptor:
      type = state->descriptor;
      break;
    case Shared::Kind::kArena:
      type = state->arena;
      break;
    case Shared::Kind::kFrozenShell:
      return unwrap_frozen_shell(*state, std::move(shared));
    case Shared::Kind::kArenaMemory:
    case Shared::Kind::kMovedGraph:
      CHECK(false);  // objects have no handle
  }
  auto *const handle = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (handle != nullptr) handle->shared = shared.leak();
  return reinterpret_cast<PyObject *>(handle);
}

}  // namespace interlock
