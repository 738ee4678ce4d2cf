// SPDX-License-Identifier: MIT
#include "interpreter/end.hpp"

#include <utility>

#include "base/python_compat_interned.hpp"
#include "interpreter/detached.hpp"
#include "interpreter/entrance.hpp"
#include "interpreter/kept.hpp"
#include "interpreter/owner_tags.hpp"
#include "lock/global_lock.hpp"
#include "lock/interpreter_lock.hpp"
#include "platform/thread.hpp"

namespace interlock {
namespace {

/// Calls `module.function()` if the module has been imported.
void call_if_imported(const char *module_name, const char *function_name) {
  PyObject *const modules = PyImport_GetModuleDict();
  PyObject *const module = PyDict_GetItemString(modules, module_name);
  if (module == nullptr) return;
  const PyRef result = PyRef::steal(PyObject_CallMethod(module, function_name, nullptr));
  if (result) return;
  // An interrupt was asked for by whoever waits for the end: no news to anybody.
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) return PyErr_Clear();
  PyErr_WriteUnraisable(module);
}

void flush_stream(const char *name) {
  PyObject *const stream = PySys_GetObject(name);
  if (stream == nullptr || Py_IsNone(stream)) return;
  const PyRef result = PyRef::steal(PyObject_CallMethod(stream, "flush", nullptr));
  if (!result) PyErr_Clear();
}

/// What an interpreter that has ended leaves to be dropped when nothing of it runs any more.
class Rest final : public RefCounted {
 public:
  Rest(Ref<RefCounted> images, InternedStrings strings)
      : strings_(std::move(strings)), images_(std::move(images)) {}

 private:
  InternedStrings strings_;  // goes last: images' finalisers may look at names
  Ref<RefCounted> images_;
};

bool is_only_thread(PyThreadState *state) {
  PyInterpreterState *const interpreter = PyThreadState_GetInterpreter(state);
  return PyInterpreterState_ThreadHead(interpreter) == state &&
         PyThreadState_Next(state) == nullptr;
}

}  // namespace

void run_exit_functions() {
  call_if_imported("threading", "_shutdown");
  if (PyObject *const threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading")) {
    // Py_EndInterpreter() calls it again, under the global lock: any callable without effect will
    // do.
    if (PyObject_SetAttrString(threading, "_shutdown", reinterpret_cast<PyObject *>(&PyDict_Type)))
      PyErr_Clear();
  }
  call_if_imported("atexit", "_run_exitfuncs");
  flush_standard_streams();
}

void tear_down() {
  call_if_imported("interlock._set_up", "tear_down");
  (void)Entrance::close_current();
}

void flush_standard_streams() {
  flush_stream("stdout");
  flush_stream("stderr");
}

Ending end_interpreter(PyThreadState *state, Ref<RefCounted> &rest) {
  PyEval_SaveThread();
  GlobalLockGuard global;
  PyEval_RestoreThread(state);
  if (!is_only_thread(state)) {
    PyEval_SaveThread();
    return Ending::kFrozen;
  }
  InternedStrings strings = InternedStrings::take();
  strings.for_each_block([](void *block) { owner_tags::leave(block, "a name"); });
  Ref<RefCounted> images = take_kept(Kept::kImages);
  if (images || !strings.empty()) rest = make_ref<Rest>(std::move(images), std::move(strings));
  const Ref<RefCounted> pins = take_kept(Kept::kArenaPins);  // to be dropped after its last object
  Py_EndInterpreter(state);
  return Ending::kDeleted;
}

void take_lock_for_good(PyThreadState *state) {
  PyEval_RestoreThread(state);
  DetachedWait::interrupt_all(PyThreadState_GetInterpreter(state));
}

void stay_frozen() {
  std::atomic<std::uint32_t> never{0};
  for (;;) (void)wait_on_address(never, 0, Deadline::never());
}

void freeze_from_outside(PyInterpreterState *interpreter) {
  auto thread = Thread::start("il-freeze", 0, [interpreter] {
    take_lock_for_good(PyThreadState_New(interpreter));
    stay_frozen();
  });
  if (thread.ok()) thread.value().detach();
}

}  // namespace interlock
