// SPDX-License-Identifier: MIT
// Start and end of the runtime in a C program, and its interpreters. Interpreters are those of the
// Python package: a C thread enters the main interpreter for the time of the call.
// Lock: none; `phase` orders start, use and end.
#include <atomic>

#include "embed/error.hpp"
#include "embed/handles.hpp"
#include "interlock.h"
#include "interpreter/gil_state.hpp"
#include "interpreter/owner_tags.hpp"
#include "platform/thread.hpp"
#include "python/module.hpp"
#include "transfer/transfer.hpp"

using namespace interlock;

namespace {

enum class Phase { kNew, kStarting, kRunning, kEnding, kOver };
std::atomic<Phase> phase{Phase::kNew};
PyThreadState *main_state = nullptr;  // of the thread that started the runtime
thread_local bool started_here = false;

int report_phase() {
  return report(Status(Code::kESTATE, phase == Phase::kNew || phase == Phase::kStarting
                                          ? "the runtime has not been started"
                                          : "the runtime has ended"));
}

PyStatus initialize(int argc, char *const *argv) {
  PyStatus status = preinitialize(0, nullptr);
  if (PyStatus_Exception(status)) return status;
  owner_tags::install();
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;
  config.parse_argv = 0;
  if (argc > 0) status = PyConfig_SetBytesArgv(&config, argc, const_cast<char **>(argv));
  if (!PyStatus_Exception(status)) status = Py_InitializeFromConfig(&config);
  PyConfig_Clear(&config);
  return status;
}

/// Calls a function of the package; null with a Python exception set.
PyRef call_package(const char *module_name, const char *function, PyObject *arguments) {
  const PyRef owned = PyRef::steal(arguments);
  const PyRef module = PyRef::steal(PyImport_ImportModule(module_name));
  const PyRef callable =
      module && owned ? PyRef::steal(PyObject_GetAttrString(module.get(), function)) : PyRef();
  return callable ? PyRef::steal(PyObject_CallObject(callable.get(), owned.get())) : PyRef();
}

/// Calls a method of the interpreter's Python object and reports what it raises.
int call_method(interlock_interpreter_t *interpreter, const char *name, PyObject *arguments) {
  const PyRef owned = PyRef::steal(arguments);
  const PyRef method =
      owned ? PyRef::steal(PyObject_GetAttrString(interpreter->object, name)) : PyRef();
  if (method && PyRef::steal(PyObject_CallObject(method.get(), owned.get()))) return INTERLOCK_OK;
  const ModuleState *const state = module_state();
  const bool ended = state != nullptr && PyErr_ExceptionMatches(state->interpreter_ended);
  const int code = report_python();
  return ended ? INTERLOCK_EENDED : code;
}

PyObject *timeout_object(double timeout) {
  return timeout >= 0 ? PyFloat_FromDouble(timeout) : Py_NewRef(Py_None);
}

}  // namespace

extern "C" {

int interlock_runtime_start(int argc, char *const *argv) {
  Phase expected = Phase::kNew;
  if (Py_IsInitialized() || !phase.compare_exchange_strong(expected, Phase::kStarting))
    return report(
        Status(Code::kESTATE, "Python or the runtime was started before in this process"));
  if (!register_builtin_modules()) return report(Code::kENOMEM);
  const PyStatus status = initialize(argc, argv);
  if (PyStatus_Exception(status)) {
    phase = Phase::kNew;
    return report(
        Status(Code::kEPYTHON, status.err_msg != nullptr ? status.err_msg : "Python cannot start"));
  }
  started_here = true;
  const bool imported = static_cast<bool>(PyRef::steal(PyImport_ImportModule("interlock._exit")));
  const int code = imported ? INTERLOCK_OK : report_python();
  main_state = PyEval_SaveThread();
  phase = Phase::kRunning;
  return code;
}

int interlock_runtime_end(double timeout) {
  Phase expected = Phase::kRunning;
  if (!started_here || !phase.compare_exchange_strong(expected, Phase::kEnding))
    return report(Status(Code::kESTATE, "only the thread that started the runtime ends it, once"));
  PyEval_RestoreThread(main_state);
  const PyRef done =
      call_package("interlock._exit", "close_all", Py_BuildValue("(N)", timeout_object(timeout)));
  int code = done ? INTERLOCK_OK : report_python();
  if (Py_FinalizeEx() != 0 && code == INTERLOCK_OK)
    code = report(Status(Code::kEPYTHON, "Python could not write all that was printed"));
  phase = Phase::kOver;
  return code;
}

int interlock_interpreter_create(const char *name, interlock_interpreter_t **interpreter) {
  if (interpreter == nullptr) return report(Status(Code::kEINVAL, "interpreter is null"));
  *interpreter = nullptr;
  if (phase != Phase::kRunning) return report_phase();
  const EnterMainInterpreter enter;
  PyRef object = call_package("interlock.interpreter", "Interpreter",
                              name != nullptr ? Py_BuildValue("(s)", name) : PyTuple_New(0));
  if (!object) return report_python();
  *interpreter = new interlock_interpreter{object.release()};
  return INTERLOCK_OK;
}

int interlock_interpreter_run(interlock_interpreter_t *interpreter, const char *source) {
  if (interpreter == nullptr || source == nullptr)
    return report(Status(Code::kEINVAL, "interpreter or source is null"));
  if (phase != Phase::kRunning) return report_phase();
  const EnterMainInterpreter enter;
  return call_method(interpreter, "exec", Py_BuildValue("(s)", source));
}

int interlock_interpreter_give_channel(interlock_interpreter_t *interpreter, const char *name,
                                       interlock_channel_t *channel) {
  if (interpreter == nullptr || name == nullptr || channel == nullptr)
    return report(Status(Code::kEINVAL, "interpreter, name or channel is null"));
  if (phase != Phase::kRunning) return report_phase();
  const EnterMainInterpreter enter;
  const PyRef text = PyRef::steal(PyUnicode_FromString(name));
  if (!text || PyUnicode_IsIdentifier(text.get()) != 1) {
    PyErr_Clear();
    return report(Status(Code::kEINVAL, std::string("not an identifier: ") + name));
  }
  return call_method(interpreter, "_set_variable",
                     Py_BuildValue("(sN)", name, wrap_shared(Ref<Shared>(channel->channel))));
}

int interlock_interpreter_interrupt(interlock_interpreter_t *interpreter) {
  if (interpreter == nullptr) return report(Status(Code::kEINVAL, "interpreter is null"));
  if (phase != Phase::kRunning) return report_phase();
  const EnterMainInterpreter enter;
  return call_method(interpreter, "interrupt", PyTuple_New(0));
}

int interlock_interpreter_close(interlock_interpreter_t *interpreter, double timeout) {
  if (interpreter == nullptr) return INTERLOCK_OK;
  const std::unique_ptr<interlock_interpreter> owned(interpreter);
  if (phase != Phase::kRunning) return report_phase();
  const EnterMainInterpreter enter;
  const PyRef object = PyRef::steal(owned->object);
  const PyRef ended =
      PyRef::steal(PyObject_CallMethod(object.get(), "_close", "N", timeout_object(timeout)));
  if (!ended) return report_python();
  return Py_IsTrue(ended.get()) ? INTERLOCK_OK
                                : report(Status(Code::kETIMEDOUT, "the interpreter was abandoned"));
}

}  // extern "C"
