// SPDX-License-Identifier: MIT
// Shared by the faces of interpreters, queues and tasks.
#pragma once

#include "pool/call_task.hpp"
#include "python/module.hpp"
#include "transfer/move.hpp"

namespace interlock {

/// Encodes a call; as interlock::encode(). `keywords` may be null. Thread: attached.
[[nodiscard]] Status encode_call(PyObject *function, PyObject *arguments, PyObject *keywords,
                                 Message &call, Move &move);

/// The value (new reference) of a task that has ended; or null with its exception raised.
[[nodiscard]] PyObject *task_result(const CallTask &task);

/// Makes a task from a call. With `completions` (an object of the Python type, or null) its end
/// will be reported there with `key`. Returns null with a Python exception set if the call cannot
/// cross. `move`: to be committed when the task was queued.
[[nodiscard]] Ref<CallTask> create_task(PyObject *completions, PyObject *key, PyObject *function,
                                        PyObject *arguments, PyObject *keywords, Move &move,
                                        PyObject **task_object);
/// The same for a task that `make(call, completions, bell)` makes. `completions` may also be a
/// Channel: it gets a None when the task has ended.
using TaskMaker = Ref<CallTask> (*)(Message, Ref<Completions>, Ref<Channel>);
[[nodiscard]] Ref<CallTask> create_task(PyObject *completions, PyObject *key, Message call,
                                        TaskMaker make, PyObject **task_object);
/// Takes back what create_task() registered with `completions`, after the task could not be queued.
void forget_task(PyObject *completions, const CallTask &task);

[[nodiscard]] TaskQueue &task_queue_of(PyObject *object);
[[nodiscard]] PyObject *create_task_queue(const ModuleState &state, Ref<TaskQueue> queue);

/// As raise(), for an interpreter or pool rather than a channel: kECLOSED is InterpreterEnded.
PyObject *raise_for_interpreter(const Status &status);

}  // namespace interlock
