/* SPDX-License-Identifier: MIT
   A module that makes keys of threads, as runtimes of other languages do when they are first used, and keeps them. */
#include <Python.h>
#include <pthread.h>

static void end(void *value) { free(value); }

static PyObject *set(PyObject *self, PyObject *ignored) {
  pthread_key_t key;
  if (pthread_key_create(&key, end) != 0) return PyErr_SetFromErrno(PyExc_OSError);
  return PyLong_FromLong(pthread_setspecific(key, malloc(100)));
}

static PyMethodDef functions[] = {{"set", set, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "registering", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_registering(void) { return PyModuleDef_Init(&definition); }
