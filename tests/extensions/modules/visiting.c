/* SPDX-License-Identifier: MIT
   A module that tells which interpreter PyGILState_Ensure() comes into, when one calls the other. */
#include <Python.h>

struct visit;
typedef void visitor(struct visit *);
struct visit {
  visitor **next;      /* who is to be called; ends with null */
  long long *reached;  /* ids of interpreters, or what is wrong: -1 and less */
};

static void note(struct visit *visit) {
  long long answer = PyInterpreterState_GetID(PyInterpreterState_Get());
  if (PyGILState_Check() != 1) answer = -2;
  if (PyGILState_GetThisThreadState() != PyThreadState_Get()) answer = -3;
  *visit->reached++ = answer;
}

static void go_on(struct visit *visit) {
  visitor *const next = *visit->next;
  if (next == NULL) return;
  ++visit->next;
  next(visit);
}

/* Calls the next one while it holds the lock. */
static void visit(struct visit *visit) {
  const PyGILState_STATE outer = PyGILState_Ensure();
  const PyGILState_STATE inner = PyGILState_Ensure();
  note(visit);
  go_on(visit);
  note(visit);
  PyGILState_Release(inner);
  note(visit);
  PyGILState_Release(outer);
}

/* Calls the next one without the lock, as most code does before it waits. */
static void visit_and_let_go(struct visit *visit) {
  const PyGILState_STATE state = PyGILState_Ensure();
  note(visit);
  PyThreadState *const left = PyEval_SaveThread();
  if (PyGILState_GetThisThreadState() != left) *visit->reached++ = -4;
  go_on(visit);
  if (PyGILState_GetThisThreadState() != left) *visit->reached++ = -5;
  PyEval_RestoreThread(left);
  note(visit);
  PyGILState_Release(state);
}

/* Lets go although a call in between has not. */
static void visit_and_forget(struct visit *visit) {
  const PyGILState_STATE state = PyGILState_Ensure();
  (void)PyGILState_Ensure();
  note(visit);
  PyGILState_Release(state);
  if (state == PyGILState_UNLOCKED && PyThreadState_GetUnchecked() != NULL) *visit->reached++ = -6;
}

/* Leaves an exception. */
static void visit_and_fail(struct visit *visit) {
  const PyGILState_STATE state = PyGILState_Ensure();
  if (PyErr_Occurred() != NULL) *visit->reached++ = -7;
  note(visit);
  PyErr_SetString(PyExc_ValueError, "left");
  PyGILState_Release(state);
}

static PyObject *visitors(PyObject *module, PyObject *ignored) {
  visitor *const all[] = {visit, visit_and_let_go, visit_and_forget, visit_and_fail};
  PyObject *const result = PyTuple_New(4);
  for (int i = 0; i < 4; ++i) PyTuple_SET_ITEM(result, i, PyLong_FromVoidPtr((void *)all[i]));
  return result;
}

static PyMethodDef functions[] = {{"visitors", visitors, METH_NOARGS, "Addresses of all."}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "visiting", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_visiting(void) { return PyModuleDef_Init(&definition); }
