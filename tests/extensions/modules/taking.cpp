/* SPDX-License-Identifier: MIT
   A module whose static object takes the GIL when it is destroyed, without asking whether there is one, as does what
   the linker is told to call at the end. All write a line to the descriptor that the environment names. */
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace {

void report(const char *line) {
  const char *const descriptor = getenv("TAKING_DESCRIPTOR");
  if (descriptor != nullptr && write(atoi(descriptor), line, strlen(line)) < 0) abort();
}

struct Last {
  ~Last() { report("last\n"); }
} last;

struct Taking {
  PyObject *object = nullptr;
  ~Taking() {
    const PyGILState_STATE state = PyGILState_Ensure();
    report("taken\n");
    Py_CLEAR(object);
    PyGILState_Release(state);
  }
} taking;

__attribute__((destructor)) void end() {
  report("end\n");
  PyGILState_Release(PyGILState_Ensure());
  report("taken\n");
}

PyObject *keep(PyObject *, PyObject *object) {
  Py_XSETREF(taking.object, Py_NewRef(object));
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"keep", keep, METH_O, "Keep an object until the end."}, {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = {{0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "taking", nullptr, 0, functions, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_taking() { return PyModuleDef_Init(&definition); }
