/* SPDX-License-Identifier: MIT
   A module with a function that the dynamic linker chooses (STT_GNU_IFUNC), by a variable of its own. */
#include <Python.h>

static long counter = 0;
static long count_by_one(void) { return counter += 1; }
static long (*choose(void))(void) { return count_by_one; }
long chosen(void) __attribute__((ifunc("choose")));

static PyObject *count(PyObject *self, PyObject *ignored) { return PyLong_FromLong(chosen()); }
static PyMethodDef functions[] = {{"count", count, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "resolving", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_resolving(void) { return PyModuleDef_Init(&definition); }
