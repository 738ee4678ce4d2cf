// SPDX-License-Identifier: MIT
#include "python/module.hpp"

#include <atomic>

#include "base/python_compat_types.hpp"
#include "interpreter/gil_state.hpp"
#include "interpreter/interpreter.hpp"
#include "interpreter/returns.hpp"
#include "lock/lock_rank.hpp"
#include "platform/process.hpp"
#include "platform/thread.hpp"
#include "pool/worker.hpp"
#include "python/blocking.hpp"
#include "python/exit.hpp"
#include "transfer/detach.hpp"
#include "transfer/move.hpp"
#include "transfer/owner_check.hpp"

namespace interlock {
namespace {

PyObject *interpreter_id(PyObject *, PyObject *) {
  return PyLong_FromLongLong(PyInterpreterState_GetID(PyInterpreterState_Get()));
}

PyObject *unique_number(PyObject *, PyObject *) {
  static std::atomic<std::uint64_t> last{0};
  return PyLong_FromUnsignedLongLong(++last);
}

PyObject *check_transfer(PyObject *, PyObject *object) {
  Message message;
  Move move;
  if (Status status = encode(object, "object", message, &move); !status.ok()) return raise(status);
  move.undo();
  Py_RETURN_NONE;
}

PyObject *still_holds_now(PyObject *, PyObject *watched) {
  return PyBool_FromLong(still_holds(watched));
}

PyObject *type_version(PyObject *, PyObject *type) {
  if (!PyType_Check(type)) return PyErr_Format(PyExc_TypeError, "a class is needed, not %R", type);
  return PyLong_FromUnsignedLong(TypeTable::version_of(reinterpret_cast<PyTypeObject *>(type)));
}

PyObject *parallelism(PyObject *, PyObject *) {
  return PyLong_FromUnsignedLong(available_parallelism());
}

PyObject *can_move_here(PyObject *, PyObject *) { return PyBool_FromLong(can_move()); }

#ifdef INTERLOCK_OWNER_TAGS
PyObject *check_owners(PyObject *, PyObject *) {
  return PyLong_FromSize_t(owner_tags::check_interpreter());
}
#endif

PyMethodDef functions[] = {
    {"can_move", can_move_here, METH_NOARGS,
     "can_move()\n--\n\nWhether objects can change their interpreter in this process."},
    {"can_freeze", can_freeze_here, METH_NOARGS,
     "can_freeze()\n--\n\nWhether frozen objects can be shared in this process."},
    {"freeze", freeze, METH_O,
     "freeze(obj, /)\n--\n\n"
     "A deeply immutable twin of obj, which all interpreters can have: sending it costs a "
     "pointer.\n\n"
     "Lists become tuples, sets frozensets, bytearrays bytes, dicts frozendicts (Python 3.15) or\n"
     "mappingproxies; instances of frozen dataclasses, members of enums and named tuples stay "
     "what\n"
     "they are. What is frozen already is used as it is. Raises TransferError for anything else "
     "and\n"
     "for what is part of itself, with the path to it. The twin takes memory until this "
     "interpreter\n"
     "and all that received it have ended: see Arena."},
    {"is_frozen", is_frozen, METH_O,
     "is_frozen(obj, /)\n--\n\nWhether obj was frozen: sending it costs a pointer."},
    {"is_shared", is_shared, METH_O,
     "is_shared(obj, /)\n--\n\nWhether obj is frozen and the very same in all interpreters."},
    {"add_frozen_shell", add_frozen_shell, METH_O,
     "add_frozen_shell(obj, /)\n--\n\nFrom now on, each interpreter builds obj once."},
    {"drop_frozen_shells", drop_frozen_shells, METH_NOARGS,
     "drop_frozen_shells()\n--\n\nForget those of the calling interpreter, which ends."},
    {"interpreter_id", interpreter_id, METH_NOARGS,
     "interpreter_id()\n--\n\nId of the calling interpreter; 0 is the main one."},
    {"check_transfer", check_transfer, METH_O,
     "check_transfer(obj, /)\n--\n\nRaise TransferError if obj cannot leave its interpreter."},
    {"unique_number", unique_number, METH_NOARGS,
     "unique_number()\n--\n\nA number that no other call in this process gives."},
    {"set_wakeup_fd", as_method(set_wakeup_fd), METH_VARARGS | METH_KEYWORDS,
     "set_wakeup_fd(fd, /, *, warn_on_full_buffer=True)\n--\n\n"
     "Where interrupts of the calling interpreter write a byte, SIGINT; -1 for nowhere. What it "
     "was "
     "before."},
    {"still_holds", still_holds_now, METH_O,
     "still_holds(watched, /)\n--\n\nWhether what a definition was made of is as it was: a list of "
     "(owner, name, value)."},
    {"type_version", type_version, METH_O,
     "type_version(cls, /)\n--\n\nA number that changes when an attribute of cls or of a base is "
     "set or\ndeleted; 0 if that cannot be told."},
    {"signal_disposition", signal_disposition, METH_O,
     "signal_disposition(signalnum, /)\n--\n\n"
     "What an interrupt of the calling interpreter calls, for SIGINT. Else signal.SIG_DFL, "
     "signal.SIG_IGN,\n"
     "or None: something that is not this interpreter's handles the signal."},
    {"set_signal_handler", as_method(set_signal_handler), METH_FASTCALL,
     "set_signal_handler(signalnum, handler, /)\n--\n\n"
     "What an interrupt of the calling interpreter calls, for SIGINT; what it called before."},
    {"available_parallelism", parallelism, METH_NOARGS,
     "available_parallelism()\n--\n\nProcessors that this process may run on."},
    {"select", as_method(select), METH_FASTCALL | METH_KEYWORDS,
     "select(cases, timeout=None, *, biased=False)\n--\n\n"
     "Wait for the first of several cases that is possible, do it, and return (index, value).\n\n"
     "A case is a Channel, to receive from (value is the item); a tuple (Channel or Sender, item), "
     "to\n"
     "send; or after(seconds) or every(seconds), which become ready by themselves. Of several "
     "possible\n"
     "cases, another one comes first each time; with biased=True always the first in the list.\n"
     "Raises ChannelClosed, ChannelFull (policy 'refuse', if no other case is possible), whose\n"
     "attribute `index` says whose channel it is, or TimeoutError."},
    {"after", after, METH_O,
     "after(seconds, /)\n--\n\n"
     "A case of select() that is ready from seconds from now on; never for None."},
    {"every", every, METH_O,
     "every(seconds, /)\n--\n\n"
     "A case of select() that is ready once in seconds. Ticks that nobody took are dropped."},
    {"explain", explain, METH_VARARGS,
     "explain(obj, move, /)\n--\n\n"
     "How each part of obj would cross: (parts, rests, totals), for interlock._explain."},
    {"add_registration", add_registration, METH_VARARGS,
     "add_registration(type, reduce, /)\n--\n\n"
     "Tell all interpreters what function, a Definition or None, is registered for the type of "
     "that "
     "name."},
    {"registrations", registrations, METH_O,
     "registrations(number, /)\n--\n\n"
     "What add_registration() was told, from the one with this number on: a list of (type, "
     "reduce)."},
    {"set_proxy_class", set_proxy_class, METH_O,
     "set_proxy_class(cls, /)\n--\n\nThe class of handles to proxies in the calling interpreter."},
    {"close_senders", close_senders, METH_NOARGS,
     "close_senders()\n--\n\nClose every Sender of the calling interpreter, which ends."},
    {"close_all", close_all, METH_VARARGS,
     "close_all(drain, give_up, /)\n--\n\n"
     "End every interpreter: wait for their work for drain seconds, then interrupt it, then "
     "abandon\n"
     "those that have not ended give_up seconds later. Returns how many were abandoned."},
#ifdef INTERLOCK_OWNER_TAGS
    {"check_owners", check_owners, METH_NOARGS,
     "check_owners()\n--\n\n"
     "End the process if the calling interpreter reaches what is another's. Returns how many "
     "references\nit has looked at."},
#endif
    {nullptr, nullptr, 0, nullptr}};

int execute(PyObject *module) {
  auto &state = *static_cast<ModuleState *>(PyModule_GetState(module));
  // Once for the process: the first import, before any home thread runs.
  static const bool prepared = [] {
    set_handles_signals();
    if (PyInterpreterState_Get() == PyInterpreterState_Main()) TypeVersions::assign_all();
    call_in_fork_child(forget_parent);
    lock_rank_set_interpreter_probe([] { return PyThreadState_GetUnchecked() != nullptr; });
    return true;
  }();
  (void)prepared;
  if (Returns::create_current() == nullptr) return -1;
  state.interpreter_id = PyInterpreterState_GetID(PyInterpreterState_Get());
  Interpreter *const own = Interpreter::current();
  const bool is_own = own != nullptr && own->id() == state.interpreter_id;
  Ref<Tally> sent = is_own ? static_cast<Worker &>(own->service()).sent() : make_ref<Tally>();
  state.transfer.sent = sent.leak();
  const bool added =
      add_errors(module, state) && add_handle(module, state) && add_definition(module, state) &&
      add_arena(module, state) && add_buffer(module, state) && add_descriptor(module, state) &&
      add_channel(module, state) && add_moved(module, state) && add_sender(module, state) &&
      add_loop_bell(module, state) && add_select(module, state) && add_task(module, state) &&
      add_interpreter(module, state) && add_map_job(module, state) &&
      add_global_lock(module, state) && add_sync(module, state) && add_proxy(module, state) &&
      add_extensions(module, state);
  const bool is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
  return added && (!is_main || replace_tracing()) ? 0 : -1;
}

int traverse(PyObject *module, visitproc visit, void *arg) {
  const auto *state = static_cast<ModuleState *>(PyModule_GetState(module));
  if (state == nullptr) return 0;
  for (PyTypeObject *type : {state->transfer.handle,
                             state->transfer.buffer,
                             state->transfer.array,
                             state->transfer.moved,
                             state->descriptor,
                             state->definition,
                             state->arena,
                             state->channel,
                             state->sender,
                             state->loop_bell,
                             state->loop_waiter,
                             state->timer,
                             state->interpreter,
                             state->task_queue,
                             state->task,
                             state->completions,
                             state->map_job,
                             state->global_lock,
                             state->lock,
                             state->semaphore,
                             state->event,
                             state->barrier,
                             state->proxy,
                             state->proxy_server}) {
    Py_VISIT(type);
  }
  for (PyObject *object : {state->transfer.transfer_error, state->channel_closed,
                           state->channel_full, state->channel_empty, state->interpreter_ended}) {
    Py_VISIT(object);
  }
  Py_VISIT(state->proxy_class);
  Py_VISIT(state->create_dynamic);
  Py_VISIT(state->exec_dynamic);
  Py_VISIT(state->create_builtin);
  Py_VISIT(state->exec_builtin);
  Py_VISIT(state->ctypes_dlopen);
  Py_VISIT(state->transfer.dispatch_table);
  Py_VISIT(state->transfer.new_object);
  Py_VISIT(state->transfer.restore);
  Py_VISIT(state->transfer.entries);
  Py_VISIT(state->transfer.by_key);
  Py_VISIT(state->transfer.reduce_ex);
  Py_VISIT(state->transfer.protocol);
  Py_VISIT(state->transfer.reduce_foreign);
  Py_VISIT(state->transfer.find_registered);
  Py_VISIT(state->transfer.registered);
  Py_VISIT(state->transfer.rebuild_ndarray);
  Py_VISIT(state->transfer.reducers);
  Py_VISIT(state->transfer.reduce_definition);
  return state->transfer.shells != nullptr ? state->transfer.shells->traverse(visit, arg) : 0;
}

int clear(PyObject *module) {
  auto *state = static_cast<ModuleState *>(PyModule_GetState(module));
  if (state == nullptr) return 0;
  state->transfer.ints.clear();
  if (state->transfer.sent != nullptr) std::exchange(state->transfer.sent, nullptr)->release();
  delete std::exchange(state->transfer.types, nullptr);
  delete std::exchange(state->transfer.names, nullptr);
  Py_CLEAR(state->transfer.handle);
  Py_CLEAR(state->transfer.buffer);
  Py_CLEAR(state->transfer.array);
  Py_CLEAR(state->transfer.moved);
  Py_CLEAR(state->transfer.reduce_foreign);
  Py_CLEAR(state->transfer.find_registered);
  Py_CLEAR(state->transfer.registered);
  Py_CLEAR(state->transfer.rebuild_ndarray);
  Py_CLEAR(state->descriptor);
  Py_CLEAR(state->arena);
  delete std::exchange(state->transfer.shells, nullptr);
  Py_CLEAR(state->transfer.dispatch_table);
  Py_CLEAR(state->transfer.reducers);
  Py_CLEAR(state->transfer.reduce_definition);
  Py_CLEAR(state->transfer.new_object);
  Py_CLEAR(state->transfer.restore);
  Py_CLEAR(state->transfer.entries);
  Py_CLEAR(state->transfer.by_key);
  Py_CLEAR(state->transfer.reduce_ex);
  Py_CLEAR(state->transfer.protocol);
  Py_CLEAR(state->definition);
  Py_CLEAR(state->channel);
  Py_CLEAR(state->sender);
  Py_CLEAR(state->loop_bell);
  Py_CLEAR(state->loop_waiter);
  Py_CLEAR(state->timer);
  Py_CLEAR(state->interpreter);
  Py_CLEAR(state->task_queue);
  Py_CLEAR(state->task);
  Py_CLEAR(state->completions);
  Py_CLEAR(state->map_job);
  Py_CLEAR(state->global_lock);
  Py_CLEAR(state->lock);
  Py_CLEAR(state->semaphore);
  Py_CLEAR(state->event);
  Py_CLEAR(state->barrier);
  Py_CLEAR(state->proxy);
  Py_CLEAR(state->proxy_server);
  Py_CLEAR(state->proxy_class);
  Py_CLEAR(state->create_dynamic);
  Py_CLEAR(state->exec_dynamic);
  Py_CLEAR(state->create_builtin);
  Py_CLEAR(state->exec_builtin);
  Py_CLEAR(state->ctypes_dlopen);
  Py_CLEAR(state->transfer.transfer_error);
  Py_CLEAR(state->channel_closed);
  Py_CLEAR(state->channel_full);
  Py_CLEAR(state->channel_empty);
  Py_CLEAR(state->interpreter_ended);
  return 0;
}

/// The end of the module; CPython calls `clear` only for a module in a cycle of garbage.
void free_state(void *module) { (void)clear(static_cast<PyObject *>(module)); }

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void *>(execute)},
                            {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
                            {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_interlock",
                          "What the Interlock runtime offers to the package interlock.",
                          sizeof(ModuleState),
                          functions,
                          slots,
                          traverse,
                          clear,
                          free_state};

}  // namespace

ModuleState *module_state() {
  // An interpreter's id is never used again, so a stale cache cannot be taken for another's.
  thread_local std::int64_t cached_id = -1;
  thread_local ModuleState *cached = nullptr;
  const std::int64_t id = PyInterpreterState_GetID(PyInterpreterState_Get());
  if (id == cached_id) return cached;
  const PyRef module = PyRef::steal(PyImport_ImportModule("_interlock"));
  if (!module) return nullptr;
  // sys.modules and the package keep the module for as long as the interpreter lives.
  cached = static_cast<ModuleState *>(PyModule_GetState(module.get()));
  cached_id = id;
  return cached;
}

TransferState *transfer_state() {
  ModuleState *const state = module_state();
  return state != nullptr ? &state->transfer : nullptr;
}

bool add_type(PyObject *module, PyType_Spec &spec, PyTypeObject *base, PyTypeObject *&slot) {
  PyObject *const type =
      PyType_FromModuleAndSpec(module, &spec, reinterpret_cast<PyObject *>(base));
  slot = reinterpret_cast<PyTypeObject *>(type);
  return type != nullptr && PyModule_AddType(module, slot) == 0;
}

extern "C" PyObject *PyInit__interlock() { return PyModuleDef_Init(&definition); }

bool register_builtin_modules() {
  GilState::let_threads_inherit();
  return PyImport_AppendInittab("_interlock", PyInit__interlock) == 0 &&
         PyImport_AppendInittab("interlock", PyInit_interlock) == 0;
}

}  // namespace interlock
