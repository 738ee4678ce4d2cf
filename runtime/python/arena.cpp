// SPDX-License-Identifier: MIT
// interlock.freeze() and interlock.Arena. What is not plain is left to interlock._freeze.
#include "memory/arena.hpp"

#include "interpreter/arena_pins.hpp"
#include "python/module.hpp"
#include "transfer/freeze.hpp"
#include "transfer/frozen_guards.hpp"

namespace interlock {
namespace {

Arena &arena_of_handle(PyObject *self) {
  return static_cast<Arena &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

/// Where `arena`, or the calling interpreter if that is None, has its frozen objects; null with a
/// Python exception set.
Ref<ArenaMemory> memory_of(ModuleState &state, PyObject *arena) {
  if (Py_IsNone(arena)) return state.transfer.pins->default_memory();
  if (!Py_IS_TYPE(arena, state.arena)) {
    PyErr_Format(PyExc_TypeError, "an Arena is needed, not %T", arena);
    return {};
  }
  Arena &shared = arena_of_handle(arena);
  if (!check_process(shared, "Arena")) return {};
  Ref<ArenaMemory> memory = shared.memory();
  if (!memory) PyErr_SetString(PyExc_ValueError, "the arena is closed");
  return memory;
}

bool is_frozen_here(ModuleState &state, PyObject *object) {
  if (arena_of(object) != nullptr) return true;
  return state.transfer.shells != nullptr && state.transfer.shells->find(object) != nullptr;
}

PyObject *freeze_into(PyObject *object, PyObject *arena) {
  ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  const Ref<ArenaMemory> memory = memory_of(*state, arena);
  if (!memory) return nullptr;
  if (is_frozen_here(*state, object)) return Py_NewRef(object);
  if (can_freeze()) {
    PyObject *twin = nullptr;
    switch (freeze_plain(object, *memory, twin)) {
      case FreezeResult::kDone:
        state->transfer.pins->pin(*memory);
        return Py_NewRef(twin);
      case FreezeResult::kFailed:
        return nullptr;
      case FreezeResult::kForeign:
        break;
    }
  }
  const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._freeze"));
  return module ? PyObject_CallMethod(module.get(), "freeze", "OO", object, arena) : nullptr;
}

PyObject *create(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *const names[] = {"limit", nullptr};
  PyObject *given = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Arena", const_cast<char **>(names), &given))
    return nullptr;
  std::uint64_t limit = UINT64_MAX;
  if (!Py_IsNone(given)) {
    const PyRef number = PyRef::steal(PyNumber_Index(given));
    if (!number) return nullptr;
    limit = PyLong_AsUnsignedLongLong(number.get());
    if (PyErr_Occurred()) return nullptr;
  }
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self != nullptr) self->shared = make_ref<Arena>(limit).leak();
  return reinterpret_cast<PyObject *>(self);
}

PyObject *arena_freeze(PyObject *self, PyObject *object) { return freeze_into(object, self); }

PyObject *close(PyObject *self, PyObject *) {
  if (!check_process(arena_of_handle(self), "Arena")) return nullptr;
  arena_of_handle(self).close();
  Py_RETURN_NONE;
}

PyObject *enter(PyObject *self, PyObject *) { return Py_NewRef(self); }

PyObject *leave(PyObject *self, PyObject *args) {
  if (leaves_in_child(arena_of_handle(self), args)) Py_RETURN_NONE;
  return close(self, nullptr);
}

PyObject *get_closed(PyObject *self, void *) {
  if (!check_process(arena_of_handle(self), "Arena")) return nullptr;
  return PyBool_FromLong(!arena_of_handle(self).memory());
}

PyObject *get_size(PyObject *self, void *) {
  if (!check_process(arena_of_handle(self), "Arena")) return nullptr;
  const Ref<ArenaMemory> memory = arena_of_handle(self).memory();
  return PyLong_FromUnsignedLongLong(memory ? memory->used() : 0);
}

PyMethodDef methods[] = {
    {"freeze", arena_freeze, METH_O,
     "freeze($self, obj, /)\n--\n\n"
     "interlock.freeze() into this arena. ValueError if it is closed, MemoryError if it would\n"
     "exceed its limit."},
    {"close", close, METH_NOARGS,
     "close($self, /)\n--\n\n"
     "Nothing can be frozen into it any more. Its memory is given back as soon as every "
     "interpreter\n"
     "that froze or received something from it has ended, and nothing of it is on its way."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"closed", get_closed, nullptr, "Whether it is.", nullptr},
    {"size", get_size, nullptr, "Bytes that the objects in it take; 0 once it is closed.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Arena(limit=None)\n--\n\n"
         "Memory for frozen objects, at most limit bytes, that is given back as a whole.\n\n"
         "A context manager: leaving it closes it. Can be sent: every handle stands for "
         "the same\n"
         "arena, and any interpreter may freeze into it.")},
    {Py_tp_new, reinterpret_cast<void *>(create)},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {0, nullptr}};

PyType_Spec spec = {"interlock.Arena", sizeof(HandleObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_arena(PyObject *module, ModuleState &state) {
  state.transfer.pins = ArenaPins::create_current();
  return state.transfer.pins != nullptr && install_frozen_guards() &&
         add_type(module, spec, state.transfer.handle, state.arena);
}

PyObject *freeze(PyObject *, PyObject *object) { return freeze_into(object, Py_None); }

PyObject *can_freeze_here(PyObject *, PyObject *) { return PyBool_FromLong(can_freeze()); }

PyObject *is_shared(PyObject *, PyObject *object) {
  return PyBool_FromLong(arena_of(object) != nullptr);
}

PyObject *is_frozen(PyObject *, PyObject *object) {
  ModuleState *const state = module_state();
  return state != nullptr ? PyBool_FromLong(is_frozen_here(*state, object)) : nullptr;
}

/// Those of the calling interpreter, made if need be; null with a Python exception set. They lead
/// from the module to classes and so to anything, also to what keeps the module without the
/// collector's knowledge: so they are dropped when the interpreter ends.
static FrozenShells *create_shells(ModuleState &state) {
  if (state.transfer.shells != nullptr) return state.transfer.shells;
  const PyRef module = PyRef::steal(PyImport_ImportModule("_interlock"));
  const PyRef drop =
      module ? PyRef::steal(PyObject_GetAttrString(module.get(), "drop_frozen_shells")) : PyRef();
  const PyRef atexit = drop ? PyRef::steal(PyImport_ImportModule("atexit")) : PyRef();
  if (!atexit) return nullptr;
  const PyRef done = PyRef::steal(PyObject_CallMethod(atexit.get(), "register", "O", drop.get()));
  if (done && state.transfer.shells == nullptr) state.transfer.shells = new FrozenShells;
  return state.transfer.shells;
}

PyObject *add_frozen_shell(PyObject *, PyObject *object) {
  ModuleState *const state = module_state();
  FrozenShells *const shells = state != nullptr ? create_shells(*state) : nullptr;
  if (shells == nullptr) return nullptr;
  Message parts;
  if (Status status = encode_for_many(object, "object", parts); !status.ok()) return raise(status);
  shells->add(PyRef::borrow(object), make_ref<FrozenShell>(std::move(parts)));
  Py_RETURN_NONE;
}

PyObject *unwrap_frozen_shell(ModuleState &state, Ref<Shared> shell) {
  FrozenShells *const shells = create_shells(state);
  if (shells == nullptr) return nullptr;
  return shells->object_of(Ref<FrozenShell>(static_cast<FrozenShell *>(shell.get())));
}

PyObject *drop_frozen_shells(PyObject *module, PyObject *) {
  auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  if (state.transfer.shells != nullptr) state.transfer.shells->clear();
  Py_RETURN_NONE;
}

}  // namespace interlock
