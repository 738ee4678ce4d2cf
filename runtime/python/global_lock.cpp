// SPDX-License-Identifier: MIT
// interlock.global_lock.
#include "lock/global_lock.hpp"

#include "python/blocking.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

PyObject *acquire(PyObject *, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"timeout", nullptr};
  PyObject *timeout = nullptr;
  Deadline deadline;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:acquire", const_cast<char **>(names),
                                   &timeout) ||
      !parse_timeout(timeout, deadline))
    return nullptr;
  const Status status = acquire_global_lock(deadline);
  if (status.code() == Code::kETIMEDOUT) Py_RETURN_FALSE;
  if (!status.ok()) return raise(status);
  Py_RETURN_TRUE;
}

PyObject *release(PyObject *, PyObject *) {
  if (!GlobalLock::instance().release()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "cannot release the global lock: this thread does not hold it");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject *enter(PyObject *, PyObject *) {
  const Status status = acquire_global_lock(Deadline::never());
  if (!status.ok()) return raise(status);
  Py_RETURN_NONE;
}

PyObject *leave(PyObject *self, PyObject *) { return release(self, nullptr); }

PyObject *locked(PyObject *, PyObject *) {
  return PyBool_FromLong(GlobalLock::instance().locked());
}

PyMethodDef methods[] = {
    {"acquire", as_method(acquire), METH_VARARGS | METH_KEYWORDS,
     "acquire($self, timeout=None)\n--\n\n"
     "Wait for the lock up to timeout seconds; True once this thread holds it."},
    {"release", release, METH_NOARGS,
     "release($self, /)\n--\n\nUndo one acquire() of this thread."},
    {"locked", locked, METH_NOARGS,
     "locked($self, /)\n--\n\nWhether any thread of the process holds the lock."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyType_Slot slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "The upper of the two tiers of locks: one for the process, whichever interpreter\n"
         "a thread is in. Re-entrant; `with interlock.global_lock:` holds it.")},
    {Py_tp_methods, methods},
    {0, nullptr}};

PyType_Spec spec = {
    "interlock.GlobalLock", sizeof(PyObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};

}  // namespace

bool add_global_lock(PyObject *module, ModuleState &state) {
  if (!add_type(module, spec, nullptr, state.global_lock)) return false;
  const PyRef lock = PyRef::steal(state.global_lock->tp_alloc(state.global_lock, 0));
  return lock && PyModule_AddObjectRef(module, "global_lock", lock.get()) == 0;
}

}  // namespace interlock
