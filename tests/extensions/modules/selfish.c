/* SPDX-License-Identifier: MIT
   A module that cannot bear other interpreters: SELFISH says what it does in one. */
#include <Python.h>
#include <stdlib.h>
#include <unistd.h>

#define ABORTS 1
#define WAITS 2
#define RAISES 3
#define EXITS 4
#define CHATTY 5

static int execute(PyObject *module) {
#if SELFISH == CHATTY
  fputs("no newline", stdout);
  fflush(stdout);
  return system("sleep 100000 &") == 0 ? 0 : -1;
#endif
  if (PyInterpreterState_Get() == PyInterpreterState_Main()) return 0;
#if SELFISH == ABORTS
  abort();
#elif SELFISH == WAITS
  for (;;) pause();
#elif SELFISH == RAISES
  PyErr_SetString(PyExc_ImportError, "only in the main interpreter");
#else
  puts("not JSON");
  fflush(stdout);
  fputs("last words\n", stderr);
  _exit(7);
#endif
  return -1;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "selfish", NULL, 0, NULL, slots, NULL, NULL, NULL};

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
PyMODINIT_FUNC JOIN(PyInit_, SELFISH_NAME)(void) { return PyModuleDef_Init(&definition); }
