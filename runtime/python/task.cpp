// SPDX-License-Identifier: MIT
// TaskQueue, Task and Completions of `_interlock`.
#include "python/task.hpp"

#include "python/blocking.hpp"
#include "python/channel.hpp"
#include "python/holder.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

Status encode_call(PyObject *function, PyObject *arguments, PyObject *keywords, Message &call,
                   Move &move) {
  const bool named = keywords != nullptr && keywords != Py_None && PyDict_GET_SIZE(keywords) != 0;
  const PyRef parts =
      PyRef::steal(PyTuple_Pack(3, function, arguments, named ? keywords : Py_None));
  if (!parts) return Code::kEPYTHON;
  return encode(parts.get(), "call", call, &move);
}

PyObject *raise_for_interpreter(const Status &status) {
  if (status.code() != Code::kECLOSED) return raise(status);
  return raise(Status(Code::kEENDED, "the interpreter is closed"));
}

PyObject *task_result(const CallTask &task) {
  switch (task.state()) {
    case CallTask::State::kDone:
      return decode(task.outcome());
    case CallTask::State::kRaised: {
      PyObject *const exception = decode_exception(task.outcome());
      if (exception != nullptr) PyErr_SetRaisedException(exception);
      return nullptr;
    }
    case CallTask::State::kFailed:
      return raise_for_interpreter(task.failure());
    case CallTask::State::kCancelled:
      return raise(Code::kECANCELLED);
    default:
      return raise(Status(Code::kESTATE, "the task has not ended"));
  }
}

namespace {

// Completions: the queue of ended tasks, and what the submitter gave for each.
struct CompletionsObject {
  PyObject_HEAD Completions *held;
  PyObject *expected;  // dict: address of a CallTask -> (key, Task)
};

CompletionsObject &completions_of(PyObject *self) {
  return *reinterpret_cast<CompletionsObject *>(self);
}

PyObject *create_completions(PyTypeObject *type, PyObject *, PyObject *) {
  PyRef object = PyRef::steal(type->tp_alloc(type, 0));
  if (!object) return nullptr;
  CompletionsObject &self = completions_of(object.get());
  self.held = make_ref<Completions>().leak();
  self.expected = PyDict_New();
  return self.expected != nullptr ? object.release() : nullptr;
}

int traverse_completions(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(completions_of(self).expected);
  return 0;
}

int clear_completions(PyObject *self) {
  Py_CLEAR(completions_of(self).expected);
  return 0;
}

void dealloc_completions(PyObject *self) {
  PyObject_GC_UnTrack(self);
  (void)clear_completions(self);
  PyTypeObject *const type = Py_TYPE(self);
  completions_of(self).held->release();
  type->tp_free(self);
  Py_DECREF(type);
}

/// The list of (key, Task) for `tasks`.
PyObject *deliver(PyObject *self, const std::vector<Ref<CallTask>> &tasks) {
  PyRef list = PyRef::steal(PyList_New(0));
  for (const auto &task : tasks) {
    const PyRef address = PyRef::steal(PyLong_FromVoidPtr(task.get()));
    if (!list || !address) return nullptr;
    PyObject *entry = nullptr;
    if (PyDict_Pop(completions_of(self).expected, address.get(), &entry) < 0) return nullptr;
    const PyRef owned = PyRef::steal(entry);
    if (owned && PyList_Append(list.get(), owned.get()) != 0) return nullptr;
  }
  return list.release();
}

PyObject *wait_completions(PyObject *self, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"timeout", nullptr};
  PyObject *timeout = nullptr;
  Deadline deadline;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", const_cast<char **>(names), &timeout) ||
      !parse_timeout(timeout, deadline))
    return nullptr;
  std::vector<Ref<CallTask>> tasks;
  Completions &completions = *completions_of(self).held;
  const Status status = run_detached([&] { return completions.wait_until(deadline, tasks); });
  if (!status.ok() && status.code() != Code::kETIMEDOUT) return raise(status);
  return deliver(self, tasks);
}

PyObject *take_expected(PyObject *self, PyObject *) {
  PyRef entries = PyRef::steal(PyDict_Values(completions_of(self).expected));
  PyDict_Clear(completions_of(self).expected);
  return entries.release();
}

PyObject *wake_completions(PyObject *self, PyObject *) {
  if (completions_of(self).held->is_from_parent()) Py_RETURN_NONE;
  completions_of(self).held->wake();
  Py_RETURN_NONE;
}

Py_ssize_t count_expected(PyObject *self) { return PyDict_GET_SIZE(completions_of(self).expected); }

PyMethodDef completions_methods[] = {
    {"wait", as_method(wait_completions), METH_VARARGS | METH_KEYWORDS,
     "wait($self, timeout=None)\n--\n\n"
     "All ended tasks as (key, task), waiting for at least one; [] at the timeout or after "
     "wake()."},
    {"take_expected", take_expected, METH_NOARGS,
     "take_expected($self, /)\n--\n\nEvery (key, task) that has not ended; no longer waits for "
     "them."},
    {"wake", wake_completions, METH_NOARGS,
     "wake($self, /)\n--\n\nLet the current or next wait() return."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot completions_slots[] = {
    {Py_tp_doc, const_cast<char *>("Completions()\n--\n\nEnded tasks, on their way back.")},
    {Py_tp_new, reinterpret_cast<void *>(create_completions)},
    {Py_tp_traverse, reinterpret_cast<void *>(traverse_completions)},
    {Py_tp_clear, reinterpret_cast<void *>(clear_completions)},
    {Py_tp_dealloc, reinterpret_cast<void *>(dealloc_completions)},
    {Py_tp_methods, completions_methods},
    {Py_sq_length, reinterpret_cast<void *>(count_expected)},
    {0, nullptr}};

PyType_Spec completions_spec = {"interlock.Completions", sizeof(CompletionsObject), 0,
                                Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                                completions_slots};

// Task.
CallTask &task_of(PyObject *self) { return Holder<CallTask>::of(self); }

PyObject *cancel_task(PyObject *self, PyObject *) {
  if (task_of(self).is_from_parent()) Py_RETURN_TRUE;  // it does not exist here
  return PyBool_FromLong(task_of(self).cancel());
}

PyObject *result_of_task(PyObject *self, PyObject *) { return task_result(task_of(self)); }

PyObject *get_state(PyObject *self, void *) {
  switch (task_of(self).state()) {
    case CallTask::State::kQueued:
      return PyUnicode_FromString("queued");
    case CallTask::State::kRunning:
      return PyUnicode_FromString("running");
    case CallTask::State::kCancelled:
      return PyUnicode_FromString("cancelled");
    default:
      return PyUnicode_FromString("done");
  }
}

PyMethodDef task_methods[] = {
    {"cancel", cancel_task, METH_NOARGS,
     "cancel($self, /)\n--\n\nTrue if the task had not started: it never will."},
    {"result", result_of_task, METH_NOARGS,
     "result($self, /)\n--\n\nThe value of a task that has ended, or raise its exception."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef task_properties[] = {
    {"state", get_state, nullptr, "'queued', 'running', 'done' or 'cancelled'.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot task_slots[] = {{Py_tp_doc, const_cast<char *>("A call in another interpreter.")},
                            {Py_tp_dealloc, reinterpret_cast<void *>(Holder<CallTask>::dealloc)},
                            {Py_tp_methods, task_methods},
                            {Py_tp_getset, task_properties},
                            {0, nullptr}};

PyType_Spec task_spec = {
    "interlock.Task", sizeof(Holder<CallTask>), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, task_slots};

// TaskQueue.
PyObject *create_queue(PyTypeObject *type, PyObject *, PyObject *) {
  return Holder<TaskQueue>::create(type, make_ref<TaskQueue>());
}

PyObject *submit(PyObject *self, PyObject *args) {
  PyObject *completions, *key, *function, *arguments, *keywords;
  if (!PyArg_ParseTuple(args, "OOOO!O!:submit", &completions, &key, &function, &PyTuple_Type,
                        &arguments, &PyDict_Type, &keywords) ||
      !check_process(task_queue_of(self), "Pool"))
    return nullptr;
  PyObject *object = nullptr;
  Move move;
  const Ref<CallTask> task =
      create_task(completions, key, function, arguments, keywords, move, &object);
  if (!task) return nullptr;
  PyRef owned = PyRef::steal(object);
  if (Status status = task_queue_of(self).push(task); !status.ok()) {
    forget_task(completions, *task);
    move.undo();
    return raise_for_interpreter(status);
  }
  move.commit();
  return owned.release();
}

PyObject *close_queue(PyObject *self, PyObject *) {
  if (task_queue_of(self).is_from_parent()) Py_RETURN_NONE;
  task_queue_of(self).close();
  Py_RETURN_NONE;
}

PyObject *cancel_queued(PyObject *self, PyObject *) {
  if (task_queue_of(self).is_from_parent()) return PyLong_FromLong(0);
  return PyLong_FromSize_t(task_queue_of(self).cancel_all());
}

Py_ssize_t queue_length(PyObject *self) {
  if (task_queue_of(self).is_from_parent()) return 0;
  return static_cast<Py_ssize_t>(task_queue_of(self).size());
}

PyMethodDef queue_methods[] = {
    {"submit", submit, METH_VARARGS,
     "submit($self, completions, key, function, args, kwargs, /)\n--\n\n"
     "Queue a call; completions gets (key, task) when it has ended."},
    {"close", close_queue, METH_NOARGS,
     "close($self, /)\n--\n\nRefuse further tasks; what is queued is still done."},
    {"cancel_queued", cancel_queued, METH_NOARGS,
     "cancel_queued($self, /)\n--\n\nCancel every task not yet started; how many."},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot queue_slots[] = {
    {Py_tp_doc, const_cast<char *>("TaskQueue()\n--\n\nTasks waiting for a home thread.")},
    {Py_tp_new, reinterpret_cast<void *>(create_queue)},
    {Py_tp_dealloc, reinterpret_cast<void *>(Holder<TaskQueue>::dealloc)},
    {Py_tp_methods, queue_methods},
    {Py_sq_length, reinterpret_cast<void *>(queue_length)},
    {0, nullptr}};

PyType_Spec queue_spec = {"interlock.TaskQueue", sizeof(Holder<TaskQueue>), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, queue_slots};

}  // namespace

TaskQueue &task_queue_of(PyObject *object) { return Holder<TaskQueue>::of(object); }

PyObject *create_task_queue(const ModuleState &state, Ref<TaskQueue> queue) {
  return Holder<TaskQueue>::create(state.task_queue, std::move(queue));
}

Ref<CallTask> create_task(PyObject *completions, PyObject *key, PyObject *function,
                          PyObject *arguments, PyObject *keywords, Move &move,
                          PyObject **task_object) {
  Message call;
  if (Status status = encode_call(function, arguments, keywords, call, move); !status.ok()) {
    raise(status);
    return {};
  }
  const auto make = [](Message its_call, Ref<Completions> its_completions, Ref<Channel> its_bell) {
    return make_ref<CallTask>(std::move(its_call), std::move(its_completions), std::move(its_bell));
  };
  Ref<CallTask> task = create_task(completions, key, std::move(call), make, task_object);
  if (!task) move.undo();
  return task;
}

Ref<CallTask> create_task(PyObject *completions, PyObject *key, Message call, TaskMaker make,
                          PyObject **task_object) {
  ModuleState *const state = module_state();
  if (state == nullptr) return {};
  Ref<Channel> bell;
  if (completions != nullptr && Py_IS_TYPE(completions, state->channel)) {
    bell = Ref<Channel>(usable_channel(completions));
    if (!bell) return {};
  }
  if (completions == nullptr || Py_IsNone(completions) || bell) {
    Ref<CallTask> task = make(std::move(call), {}, std::move(bell));
    *task_object = Holder<CallTask>::create(state->task, task);
    return *task_object != nullptr ? task : Ref<CallTask>();
  }
  if (!PyObject_TypeCheck(completions, state->completions)) {
    PyErr_Format(PyExc_TypeError, "completions must be Completions, a Channel or None, not %T",
                 completions);
    return {};
  }
  Ref<CallTask> task =
      make(std::move(call), Ref<Completions>(completions_of(completions).held), {});
  PyRef object = PyRef::steal(Holder<CallTask>::create(state->task, task));
  const PyRef address = PyRef::steal(PyLong_FromVoidPtr(task.get()));
  if (!object || !address) return {};
  const PyRef entry = PyRef::steal(PyTuple_Pack(2, key, object.get()));
  if (!entry ||
      PyDict_SetItem(completions_of(completions).expected, address.get(), entry.get()) != 0)
    return {};
  *task_object = object.release();
  return task;
}

void forget_task(PyObject *completions, const CallTask &task) {
  const ModuleState *const state = module_state();
  if (state == nullptr) PyErr_Clear();
  if (state == nullptr || completions == nullptr ||
      !PyObject_TypeCheck(completions, state->completions))
    return;
  const PyRef address = PyRef::steal(PyLong_FromVoidPtr(const_cast<CallTask *>(&task)));
  if (!address || PyDict_Pop(completions_of(completions).expected, address.get(), nullptr) < 0)
    PyErr_Clear();
}

bool add_task(PyObject *module, ModuleState &state) {
  return add_type(module, task_spec, nullptr, state.task) &&
         add_type(module, queue_spec, nullptr, state.task_queue) &&
         add_type(module, completions_spec, nullptr, state.completions);
}

}  // namespace interlock
