/* SPDX-License-Identifier: MIT
   A module that defines what the C library has under the same names, and uses its own, as uvloop does with libuv: a
   function that it calls, one whose address stands in its data, a variable. */
#include <Python.h>

#define IS_OURS 1000

int optopt = IS_OURS;
static long counter = IS_OURS;
__attribute__((noinline)) long random(void) { return ++counter; }
static long (*const functions_of_this[])(void) = {random};

static PyObject *use(PyObject *self, PyObject *index) {
  const long called = random();
  return Py_BuildValue("lli", called, functions_of_this[PyLong_AsLong(index)](), optopt);
}

static PyMethodDef functions[] = {{"use", use, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "preferring", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_preferring(void) { return PyModuleDef_Init(&definition); }
