// SPDX-License-Identifier: MIT
// The builtin module `_interlock`: one of it in each interpreter that imports it, with heap types
// and exceptions of its own.
#pragma once

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "base/status.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

struct ModuleState {
  TransferState transfer;
  std::int64_t interpreter_id;
  PyTypeObject *definition;
  PyTypeObject *channel;
  PyTypeObject *sender;
  PyTypeObject *loop_bell;
  PyTypeObject *loop_waiter;
  PyTypeObject *timer;
  PyTypeObject *interpreter;
  PyTypeObject *task_queue;
  PyTypeObject *task;
  PyTypeObject *completions;
  PyTypeObject *map_job;
  PyTypeObject *global_lock;
  PyTypeObject *lock;
  PyTypeObject *semaphore;
  PyTypeObject *event;
  PyTypeObject *barrier;
  PyTypeObject *proxy;
  PyTypeObject *proxy_server;
  PyObject *proxy_class;  // interlock.Proxy; null until interlock._proxy was imported
  PyTypeObject *descriptor;
  PyObject *create_dynamic;  // CPython's, as the next one; null in the main interpreter
  PyObject *exec_dynamic;
  PyObject *create_builtin;
  PyObject *exec_builtin;
  PyObject *ctypes_dlopen;  // CPython's; null until _ctypes was imported
  PyTypeObject *arena;
  PyObject *channel_closed;
  PyObject *channel_full;
  PyObject *channel_empty;
  PyObject *interpreter_ended;
  void *first_sender;  // of python/sender.cpp
};

/// The state of the calling interpreter's module, which is imported if need be; null with a Python
/// exception set if that fails. Thread: attached.
[[nodiscard]] ModuleState *module_state();
/// The same, for a method of one of the module's types.
[[nodiscard]] inline ModuleState &state_of(PyObject *self) noexcept {
  return *static_cast<ModuleState *>(PyType_GetModuleState(Py_TYPE(self)));
}

// Each part adds its types and functions to the module under construction.
[[nodiscard]] bool add_errors(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_handle(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_definition(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_descriptor(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_arena(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_buffer(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_moved(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_channel(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_sender(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_loop_bell(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_select(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_interpreter(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_task(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_map_job(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_global_lock(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_sync(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_extensions(PyObject *module, ModuleState &state);
[[nodiscard]] bool add_proxy(PyObject *module, ModuleState &state);

/// `==` and `!=` of handles, for types that have a hash of their own. In python/handle.cpp.
PyObject *compare_handles(PyObject *self, PyObject *other, int operation);
/// The memoryview or PickleBuffer of a received Buffer. In python/buffer.cpp.
[[nodiscard]] PyObject *wrap_buffer(ModuleState &state, Ref<Shared> buffer);
// interlock._register's list of the process. In python/definition.cpp.
PyObject *add_registration(PyObject *, PyObject *args);
PyObject *registrations(PyObject *, PyObject *number);
/// What interlock.explain() shows. In python/explain.cpp.
PyObject *explain(PyObject *, PyObject *args);
/// What moved() gives for `object`; null with a Python exception set. In python/moved.cpp.
[[nodiscard]] PyRef mark_moved(PyRef object);
/// Closes every Sender of the calling interpreter. In python/sender.cpp.
PyObject *close_senders(PyObject *, PyObject *);
/// Makes `type` the class of handles to proxies in the calling interpreter. In python/proxy.cpp.
PyObject *set_proxy_class(PyObject *, PyObject *type);
// In python/arena.cpp.
PyObject *freeze(PyObject *, PyObject *object);
PyObject *can_freeze_here(PyObject *, PyObject *);
PyObject *is_frozen(PyObject *, PyObject *object);
PyObject *is_shared(PyObject *, PyObject *object);
PyObject *add_frozen_shell(PyObject *module, PyObject *object);
PyObject *drop_frozen_shells(PyObject *module, PyObject *);
/// The object of a received FrozenShell.
[[nodiscard]] PyObject *unwrap_frozen_shell(ModuleState &state, Ref<Shared> shell);
/// `ctypes` is the module `_ctypes` of an interpreter but the main one, which was just executed. False
/// with a Python exception set. In python/ctypes_library.cpp.
[[nodiscard]] bool take_over_ctypes(PyObject *module, PyObject *ctypes);
// In python/tracing.cpp.
/// In the main interpreter: tracemalloc.start() and stop() become those that leave others alone.
/// False with a Python exception set.
[[nodiscard]] bool replace_tracing();
/// Before an interpreter is created: if tracemalloc traces, it concerns the main interpreter alone
/// from now on. False with a Python exception set.
[[nodiscard]] bool keep_tracing_to_main_interpreter();
// In python/signal.cpp.
PyObject *signal_disposition(PyObject *, PyObject *number);
PyObject *set_wakeup_fd(PyObject *, PyObject *args, PyObject *kwargs);
PyObject *set_signal_handler(PyObject *, PyObject *const *values, Py_ssize_t count);
// interlock.select() and its timers, in python/select.cpp.
PyObject *select(PyObject *, PyObject *const *values, Py_ssize_t count, PyObject *names);
PyObject *after(PyObject *, PyObject *seconds);
PyObject *every(PyObject *, PyObject *seconds);

/// {tier: {"messages": n, "objects": n, "bytes": n}}, or null with a Python exception set. In
/// python/explain.cpp.
[[nodiscard]] PyRef dict_of(const Contents &contents);

/// Creates a type from `spec` with `base` (or null), adds it to the module and stores it in `slot`.
[[nodiscard]] bool add_type(PyObject *module, PyType_Spec &spec, PyTypeObject *base,
                            PyTypeObject *&slot);

/// A method of any signature for a PyMethodDef, whose flags say which.
template <typename Function>
[[nodiscard]] PyCFunction as_method(Function *function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

/// Sets the Python exception that `status` stands for; with kEPYTHON it is already set.
/// Returns null, for use in a return statement.
PyObject *raise(const Status &status);

/// True if `object` can be used in this process; else a RuntimeError says that `what` was made
/// before a fork.
[[nodiscard]] bool check_process(const RefCounted &object, const char *what);
/// For `__exit__`, called with `args`: whether an exception leaves a block that was entered before
/// the fork, as sys.exit() does. What check_process() raises would hide it.
[[nodiscard]] bool leaves_in_child(const RefCounted &object, PyObject *args) noexcept;

extern "C" PyObject *PyInit__interlock();
extern "C" PyObject *PyInit_interlock();

/// Adds `_interlock` and `interlock` to the builtin modules. Before CPython is initialised.
[[nodiscard]] bool register_builtin_modules();

}  // namespace interlock
