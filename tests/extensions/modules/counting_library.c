/* SPDX-License-Identifier: MIT
   A library that counts, for modules that need it. With USES_PYTHON it uses the Python C API. */
#ifdef USES_PYTHON
#include <Python.h>
static long last(void) { return PyLong_AsLong(Py_None) == -1 ? (PyErr_Clear(), 0) : 1; }
#else
static long last(void) { return 0; }
#endif

static long counter = 0;

long library_count(void) { return ++counter + last(); }
