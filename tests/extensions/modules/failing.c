/* SPDX-License-Identifier: MIT
   Modules whose initialisation fails; FAILURE says how. */
#include <Python.h>

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "failing", NULL, -1, NULL, NULL, NULL, NULL, NULL};

#define SILENTLY 1
#define RAISES 2
#define UNREPORTED 3
#define UNINITIALISED 4
#define NO_MODULE 5
#define NO_DEFINITION 6

PyMODINIT_FUNC
#ifdef OTHER_NAME
PyInit_of_another_name(void)
#else
PyInit_failing(void)
#endif
{
#if FAILURE == SILENTLY
  return NULL;
#elif FAILURE == RAISES
  PyErr_SetString(PyExc_OverflowError, "as it was told");
  return NULL;
#elif FAILURE == UNREPORTED
  PyErr_SetString(PyExc_OverflowError, "as it was told");
  return PyModule_Create(&definition);
#elif FAILURE == UNINITIALISED
  return (PyObject *)&definition;
#elif FAILURE == NO_MODULE
  return PyList_New(0);
#else
  return PyModule_New("failing");
#endif
}
