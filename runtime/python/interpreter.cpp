// SPDX-License-Identifier: MIT
// `_interlock.Interpreter`: a handle to an interpreter and its worker. The package's Interpreter is
// written on it.
#include "interpreter/interpreter.hpp"

#include "interpreter/registry.hpp"
#include "pool/worker.hpp"
#include "python/blocking.hpp"
#include "python/task.hpp"
#include "transfer/transfer.hpp"

namespace interlock {
namespace {

constexpr std::int64_t kInterruptGraceNs = 500'000'000;

Interpreter &interpreter_of(PyObject *self) {
  return static_cast<Interpreter &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

Worker &worker_of(PyObject *self) { return static_cast<Worker &>(interpreter_of(self).service()); }

bool usable(PyObject *self) { return check_process(interpreter_of(self), "Interpreter"); }

PyObject *create(PyObject *, PyObject *args, PyObject *kwargs) {
  if (!keep_tracing_to_main_interpreter()) return nullptr;
  static const char *names[] = {"name",  "queue",      "completions", "key",
                                "setup", "setup_args", nullptr};
  const char *name = nullptr;
  PyObject *queue, *completions, *key, *function, *arguments;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sOOOOO!:create", const_cast<char **>(names),
                                   &name, &queue, &completions, &key, &function, &PyTuple_Type,
                                   &arguments))
    return nullptr;
  const ModuleState *const state = module_state();
  if (state == nullptr) return nullptr;
  if (!Py_IsNone(queue) && !Py_IS_TYPE(queue, state->task_queue)) {
    PyErr_Format(PyExc_TypeError, "queue must be a TaskQueue or None, not %T", queue);
    return nullptr;
  }
  PyObject *object = nullptr;
  Move move;
  Ref<CallTask> set_up = create_task(completions, key, function, arguments, nullptr, move, &object);
  if (!set_up) return nullptr;
  const PyRef owned = PyRef::steal(object);
  Ref<TaskQueue> tasks =
      Py_IsNone(queue) ? make_ref<TaskQueue>() : Ref<TaskQueue>(&task_queue_of(queue));
  auto worker = make_ref<Worker>(std::move(tasks), set_up);
  auto created = Interpreter::create(name, worker);
  if (created.ok()) {
    move.commit();
    return wrap_shared(created.value());
  }
  move.undo();
  forget_task(completions, *set_up);
  worker->ended(created.status());
  return raise(created.status());
}

/// After the caller's wait was broken off: nobody wants the result any more.
void give_up(Interpreter &interpreter, CallTask &task) {
  if (!task.cancel()) interpreter.interrupt();
}

PyObject *wait_ready(PyObject *self, PyObject *) {
  if (!usable(self)) return nullptr;
  Interpreter &interpreter = interpreter_of(self);
  const Status status = run_detached([&] { return interpreter.wait_serving(Deadline::never()); });
  if (!status.ok()) return raise(status);
  CallTask &set_up = worker_of(self).set_up_task();
  const Status done = run_detached([&] { return set_up.wait_until(Deadline::never()); });
  if (!done.ok()) return raise(done);
  return task_result(set_up);
}

/// Until the call has begun, it can be taken back, and with it what it was given. False with a
/// Python exception set.
bool wait_for_begin(Interpreter &interpreter, CallTask &task, Move &move) {
  const Status status = run_detached([&] { return task.wait_begun(); });
  if (!status.ok()) give_up(interpreter, task);
  if (task.was_begun()) {
    move.commit();
  } else {
    move.undo();
  }
  if (!status.ok()) raise(status);
  return status.ok();
}

PyObject *call(PyObject *self, PyObject *args, PyObject *kwargs) {
  if (!usable(self)) return nullptr;
  if (PyTuple_GET_SIZE(args) == 0) {
    PyErr_SetString(PyExc_TypeError, "call() needs a function to call");
    return nullptr;
  }
  Interpreter &interpreter = interpreter_of(self);
  if (Interpreter::current() == &interpreter)
    return raise(
        Status(Code::kESTATE, "an interpreter cannot wait for itself: call the function directly"));
  const PyRef arguments = PyRef::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  if (!arguments) return nullptr;
  Message message;
  Move move;
  if (Status status =
          encode_call(PyTuple_GET_ITEM(args, 0), arguments.get(), kwargs, message, move);
      !status.ok())
    return raise(status);
  const auto task = make_ref<CallTask>(std::move(message), Ref<Completions>());
  if (!move.empty()) task->announce_begin();
  if (Status status = worker_of(self).queue().push(task); !status.ok()) {
    move.undo();
    return raise_for_interpreter(status);
  }
  if (!move.empty() && !wait_for_begin(interpreter, *task, move)) return nullptr;
  const Status status = run_detached([&] { return task->wait_until(Deadline::never()); });
  if (status.ok()) return task_result(*task);
  give_up(interpreter, *task);
  return raise(status);
}

PyObject *submit(PyObject *self, PyObject *args) {
  if (!usable(self)) return nullptr;
  const PyRef queue =
      PyRef::steal(create_task_queue(*module_state(), Ref<TaskQueue>(&worker_of(self).queue())));
  if (!queue) return nullptr;
  const PyRef method = PyRef::steal(PyObject_GetAttrString(queue.get(), "submit"));
  return method ? PyObject_Call(method.get(), args, nullptr) : nullptr;
}

PyObject *interrupt(PyObject *self, PyObject *) {
  if (interpreter_of(self).is_from_parent()) Py_RETURN_NONE;
  interpreter_of(self).interrupt();
  Py_RETURN_NONE;
}

PyObject *stop(PyObject *self, PyObject *) {
  if (interpreter_of(self).is_from_parent()) Py_RETURN_NONE;
  worker_of(self).stop();
  Py_RETURN_NONE;
}

PyObject *close(PyObject *self, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"timeout", "shared_queue", nullptr};
  PyObject *timeout = nullptr;
  int shared_queue = 0;
  Deadline drained;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Op:close", const_cast<char **>(names), &timeout,
                                   &shared_queue) ||
      !parse_timeout(timeout, drained))
    return nullptr;
  Interpreter &interpreter = interpreter_of(self);
  if (interpreter.is_from_parent()) Py_RETURN_TRUE;  // nothing of it is in this process
  if (Interpreter::current() == &interpreter)
    return raise(Status(Code::kESTATE, "an interpreter cannot close itself"));
  if (!shared_queue) worker_of(self).queue().close();
  worker_of(self).stop();
  Status status = run_detached([&] { return interpreter.wait_ended(drained); });
  if (status.code() == Code::kETIMEDOUT) {
    interpreter.interrupt(true);
    const Deadline last = Deadline::after_ns(kInterruptGraceNs);
    status = run_detached([&] { return interpreter.wait_ended(last); });
  }
  if (status.code() == Code::kETIMEDOUT) {
    const LeaveInterpreter leave;
    interpreter.abandon();
  } else if (!status.ok()) {
    return raise(status);
  }
  return PyBool_FromLong(interpreter.state() == Interpreter::State::kEnded);
}

const char *state_name(const Interpreter &interpreter) {
  if (interpreter.is_from_parent()) return "ended";
  switch (interpreter.state()) {
    case Interpreter::State::kStarting:
      return "starting";
    case Interpreter::State::kServing:
      return "running";
    case Interpreter::State::kEnding:
      return "ending";
    case Interpreter::State::kEnded:
      return "ended";
    default:
      return "abandoned";
  }
}

PyObject *stats(PyObject *self, PyObject *) {
  if (!usable(self)) return nullptr;
  Worker &worker = worker_of(self);
  const Worker::Stats stats = worker.stats();
  Contents contents;
  worker.sent()->add_to(contents);
  PyRef sent = dict_of(contents);
  if (!sent) return nullptr;
  return Py_BuildValue("{s:s,s:K,s:n,s:d,s:N}", "state", state_name(interpreter_of(self)), "tasks",
                       static_cast<unsigned long long>(stats.tasks), "queued",
                       static_cast<Py_ssize_t>(worker.queue().size()), "busy_seconds",
                       static_cast<double>(stats.busy_ns) / 1e9, "sent", sent.release());
}

PyObject *get_id(PyObject *self, void *) { return PyLong_FromLongLong(interpreter_of(self).id()); }

PyObject *get_name(PyObject *self, void *) {
  return PyUnicode_DecodeFSDefault(interpreter_of(self).name().c_str());
}

PyObject *get_state(PyObject *self, void *) {
  return PyUnicode_FromString(state_name(interpreter_of(self)));
}

PyMethodDef methods[] = {
    {"create", as_method(create), METH_VARARGS | METH_KEYWORDS | METH_STATIC,
     "create(name, queue, completions, key, setup, setup_args)\n--\n\n"
     "Start an interpreter that first calls setup(*setup_args); see wait_ready()."},
    {"wait_ready", wait_ready, METH_NOARGS,
     "wait_ready($self, /)\n--\n\nWait until set up; its result, or raise its exception."},
    {"call", as_method(call), METH_VARARGS | METH_KEYWORDS,
     "call($self, function, /, *args, **kwargs)\n--\n\n"
     "function(*args, **kwargs) in this interpreter, waiting for the result."},
    {"submit", submit, METH_VARARGS,
     "submit($self, completions, key, function, args, kwargs, /)\n--\n\nAs TaskQueue.submit()."},
    {"interrupt", interrupt, METH_NOARGS,
     "interrupt($self, /)\n--\n\n"
     "Raise KeyboardInterrupt in what the interpreter is running now, if anything."},
    {"stop", stop, METH_NOARGS,
     "stop($self, /)\n--\n\nLet the interpreter end once nothing is queued; does not wait."},
    {"close", as_method(close), METH_VARARGS | METH_KEYWORDS,
     "close($self, timeout=None, shared_queue=False)\n--\n\n"
     "Drain for timeout seconds, then interrupt, then abandon; False if abandoned."},
    {"stats", stats, METH_NOARGS,
     "stats($self, /)\n--\n\n"
     "A dict: state, tasks run, tasks queued, busy_seconds; sent, by tier."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef properties[] = {
    {"id", get_id, nullptr, "CPython's id of the interpreter; -1 until it exists.", nullptr},
    {"name", get_name, nullptr, "The name given at creation.", nullptr},
    {"state", get_state, nullptr, "'starting', 'running', 'ending', 'ended' or 'abandoned'.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char *>("A handle to an interpreter.")},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, properties},
                       {0, nullptr}};

PyType_Spec spec = {
    "_interlock.Interpreter", sizeof(HandleObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_interpreter(PyObject *module, ModuleState &state) {
  return add_type(module, spec, state.transfer.handle, state.interpreter);
}

}  // namespace interlock
