/* SPDX-License-Identifier: MIT
   A module that never lets go: static data hold what hold() is given, and what a Wrapper holds is no business of the
   collector's. A Witness writes a line to the descriptor that the environment names when it is freed. */
#include <Python.h>
#include <stdlib.h>
#include <unistd.h>

PyObject *held[100]; /* not static, so that compilers keep what is only written */
static int count;

static PyObject *hold(PyObject *module, PyObject *object) {
  if (count == 100) Py_RETURN_FALSE;
  held[count++] = Py_NewRef(object);
  Py_RETURN_TRUE;
}

static void witness_dealloc(PyObject *self) {
  static const char line[] = "freed\n";
  const char *const descriptor = getenv("WITNESS_DESCRIPTOR");
  if (descriptor != NULL && write(atoi(descriptor), line, sizeof line - 1) < 0) abort();
  Py_TYPE(self)->tp_free(self);
}

static PyTypeObject witness_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "holding.Witness",
                                    .tp_basicsize = sizeof(PyObject),
                                    .tp_flags = Py_TPFLAGS_DEFAULT,
                                    .tp_dealloc = witness_dealloc,
                                    .tp_new = PyType_GenericNew};

typedef struct {
  PyObject_HEAD
  PyObject *object;
} Wrapper;

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  PyObject *object;
  if (!PyArg_ParseTuple(args, "O", &object)) return NULL;
  Wrapper *const self = PyObject_New(Wrapper, type);
  if (self != NULL) self->object = Py_NewRef(object);
  return (PyObject *)self;
}

static void wrapper_dealloc(PyObject *self) {
  Py_DECREF(((Wrapper *)self)->object);
  Py_TYPE(self)->tp_free(self);
}

static PyTypeObject wrapper_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "holding.Wrapper",
                                    .tp_basicsize = sizeof(Wrapper),
                                    .tp_flags = Py_TPFLAGS_DEFAULT,
                                    .tp_dealloc = wrapper_dealloc,
                                    .tp_new = wrapper_new};

static int execute(PyObject *module) {
  return PyModule_AddType(module, &witness_type) != 0 || PyModule_AddType(module, &wrapper_type) != 0 ? -1 : 0;
}

static PyMethodDef functions[] = {{"hold", hold, METH_O, "Keep an object for ever."}, {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "holding", NULL, 0, functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_holding(void) { return PyModuleDef_Init(&definition); }
