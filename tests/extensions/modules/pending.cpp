// SPDX-License-Identifier: MIT
// A module that has CPython call it back: from its interpreter, from a thread that CPython does not
// know, and when a thread ends.
#include <Python.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <utility>

namespace {

long long called_in = -1;  // id of the interpreter

int note_interpreter(void *) {
  called_in = PyInterpreterState_GetID(PyInterpreterState_Get());
  return 0;
}

int report(void *) {
  const char *const descriptor = std::getenv("PENDING_DESCRIPTOR");
  if (descriptor != nullptr && ::write(std::atoi(descriptor), "called\n", 7) < 0) std::abort();
  return 0;
}

/// As static objects do that hold Python objects: they ask whether there still is an interpreter.
struct Guarded {
  ~Guarded() {
    if (is_used && Py_IsInitialized() && !Py_IsFinalizing()) report(nullptr);
  }
  bool is_used = false;
};
Guarded guarded;

/// A thread that runs before the module is made.
long long early = -1;
struct Early {
  Early() {
    std::thread([] {
      if (Py_AddPendingCall(
              [](void *) { return early = PyInterpreterState_GetID(PyInterpreterState_Get()), 0; },
              nullptr) != 0)
        std::abort();
    }).join();
  }
};
Early early_thread;

struct OfThread {
  ~OfThread() {
    if (is_used && (!Py_IsInitialized() || Py_IsFinalizing())) return;
    if (is_used && Py_AddPendingCall(report, nullptr) != 0) std::abort();
  }
  bool is_used = false;
};
thread_local OfThread of_thread;

PyObject *ask(PyObject *, PyObject *) {
  return PyLong_FromLong(Py_AddPendingCall(note_interpreter, nullptr));
}

PyObject *ask_from_thread(PyObject *, PyObject *) {
  int result = -1;
  std::thread([&result] { result = Py_AddPendingCall(note_interpreter, nullptr); }).join();
  return PyLong_FromLong(result);
}

PyObject *ask_at_thread_end(PyObject *, PyObject *) {
  of_thread.is_used = guarded.is_used = true;
  Py_RETURN_NONE;
}

/// take_answer() then gives where a thread that CPython does not know has come to.
PyObject *enter_from_thread(PyObject *, PyObject *) {
  bool is_gone = false;
  Py_BEGIN_ALLOW_THREADS;
  std::thread([&is_gone] {
    for (int i = 0; i < 3; ++i) {
      const PyGILState_STATE state = PyGILState_Ensure();
      const PyGILState_STATE inner = PyGILState_Ensure();
      note_interpreter(nullptr);
      PyGILState_Release(inner);
      PyGILState_Release(state);
    }
    is_gone = PyGILState_GetThisThreadState() == nullptr;
  }).join();
  Py_END_ALLOW_THREADS;
  return PyLong_FromLong(is_gone ? 0 : -1);
}

PyObject *early_answer(PyObject *, PyObject *) { return PyLong_FromLongLong(early); }

PyObject *take_answer(PyObject *, PyObject *) {
  return PyLong_FromLongLong(std::exchange(called_in, -1));
}

PyMethodDef functions[] = {{"ask", ask, METH_NOARGS, nullptr},
                           {"ask_from_thread", ask_from_thread, METH_NOARGS, nullptr},
                           {"ask_at_thread_end", ask_at_thread_end, METH_NOARGS, nullptr},
                           {"enter_from_thread", enter_from_thread, METH_NOARGS, nullptr},
                           {"early_answer", early_answer, METH_NOARGS, nullptr},
                           {"take_answer", take_answer, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = {{0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pending", nullptr, 0, functions, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_pending() { return PyModuleDef_Init(&definition); }
