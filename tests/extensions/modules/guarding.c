/* SPDX-License-Identifier: MIT
   A module with threads that come in by the functions of PEP 788. */
#include <Python.h>
#include <pthread.h>
#include <unistd.h>

#include "interlock.h"

struct job {
  PyInterpreterGuard *guard; /* or null */
  PyInterpreterView *view;
  int from; /* a byte to wait for */
  int to;   /* where to say what was reached: 'i' and the id, or 'n' */
};

static void say(int to, long long id) {
  char text[32];
  const int size = id < 0 ? snprintf(text, sizeof text, "n ") : snprintf(text, sizeof text, "i%lld ", id);
  if (write(to, text, size) != size) abort();
}

static long long current(void) { return PyInterpreterState_GetID(PyInterpreterState_Get()); }

static void *run(void *given) {
  struct job *const job = given;
  char byte;
  if (read(job->from, &byte, 1) != 1) abort();
  PyThreadStateToken *const token = job->guard != NULL ? PyThreadState_Ensure(job->guard) : PyThreadState_EnsureFromView(job->view);
  if (token == NULL) {
    say(job->to, -1);
  } else {
    PyThreadStateToken *const inner = PyThreadState_EnsureFromView(job->view);
    say(job->to, inner != NULL ? current() : -1);
    if (inner != NULL) PyThreadState_Release(inner);
    PyThreadState_Release(token);
  }
  PyInterpreterGuard *const late = PyInterpreterGuard_FromView(job->view);
  say(job->to, late == NULL ? -1 : 1000);
  if (late != NULL) PyInterpreterGuard_Close(late);
  if (job->guard != NULL) PyInterpreterGuard_Close(job->guard);
  PyInterpreterView_Close(job->view);
  free(job);
  return NULL;
}

/* start(has_guard, from, to): a thread that comes in once it can read a byte. */
static PyObject *start(PyObject *module, PyObject *arguments) {
  int has_guard, from, to;
  if (!PyArg_ParseTuple(arguments, "iii", &has_guard, &from, &to)) return NULL;
  struct job *const job = malloc(sizeof *job);
  *job = (struct job){has_guard ? PyInterpreterGuard_FromCurrent() : NULL, PyInterpreterView_FromCurrent(), from, to};
  if (job->view == NULL || (has_guard && job->guard == NULL)) return NULL;
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, job) != 0 || pthread_detach(thread) != 0) abort();
  Py_RETURN_NONE;
}

/* The ids that the main interpreter's view and this one's lead to, one in the other. */
static PyObject *reach(PyObject *module, PyObject *ignored) {
  PyInterpreterView *const here = PyInterpreterView_FromCurrent(), *const there = PyInterpreterView_FromMain();
  const long long before = current();
  PyThreadStateToken *const one = PyThreadState_EnsureFromView(there);
  const long long first = current();
  PyThreadStateToken *const two = PyThreadState_EnsureFromView(here);
  const long long second = current();
  PyThreadState_Release(two);
  const long long third = current();
  PyThreadState_Release(one);
  const long long after = current();
  PyInterpreterView_Close(here);
  PyInterpreterView_Close(there);
  return Py_BuildValue("LLLLL", before, first, second, third, after);
}

static PyMethodDef functions[] = {{"start", start, METH_VARARGS, NULL}, {"reach", reach, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "guarding", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_guarding(void) { return PyModuleDef_Init(&definition); }
