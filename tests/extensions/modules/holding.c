/* SPDX-License-Identifier: MIT
   A module that never lets go: static data hold what hold() is given, and what a Wrapper holds is no business of the
   collector's. A witness writes a line to the descriptor that the environment names when it is freed, as a Wrapper does. */
#include <Python.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

PyObject *held[100]; /* not static, so that compilers keep what is only written */
static int count;

static PyObject *hold_borrowed(PyObject *module, PyObject *object) {
  if (count == 100) Py_RETURN_FALSE;
  held[count++] = object;
  Py_RETURN_TRUE;
}

static PyObject *hold_elsewhere(PyObject *module, PyObject *object) {
  PyObject **const place = malloc(sizeof *place);
  if (place == NULL) return PyErr_NoMemory();
  *place = Py_NewRef(object);
  return PyLong_FromLong(-(long)((uintptr_t)place >> 12)); /* for nobody, so that it is not optimised away */
}

static PyObject *hold(PyObject *module, PyObject *object) {
  PyObject *const result = hold_borrowed(module, object);
  if (result == Py_True) Py_INCREF(object);
  return result;
}

static void report(const char *line) {
  const char *const descriptor = getenv("WITNESS_DESCRIPTOR");
  if (descriptor != NULL && write(atoi(descriptor), line, strlen(line)) < 0) abort();
}

static void report_witness(PyObject *capsule) { report("freed\n"); }

static PyObject *witness(PyObject *module, PyObject *ignored) { return PyCapsule_New(module, NULL, report_witness); }

typedef struct {
  PyObject_HEAD
  PyObject *object;
} Wrapper;

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  PyObject *object;
  if (!PyArg_ParseTuple(args, "O", &object)) return NULL;
  Wrapper *const self = (Wrapper *)type->tp_alloc(type, 0);
  if (self != NULL) self->object = Py_NewRef(object);
  return (PyObject *)self;
}

static void wrapper_dealloc(PyObject *self) {
  report("wrapper freed\n");
  Py_DECREF(((Wrapper *)self)->object);
  Py_TYPE(self)->tp_free(self);
}

static PyTypeObject wrapper_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "holding.Wrapper",
                                    .tp_basicsize = sizeof(Wrapper),
                                    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                    .tp_dealloc = wrapper_dealloc,
                                    .tp_new = wrapper_new};

static struct PyModuleDef definition;

/* What it tells the collector of is in the state of its type's module. */
static int stateful_traverse(PyObject *self, visitproc visit, void *arg) {
  PyObject **const state = PyModule_GetState(PyType_GetModuleByDef(Py_TYPE(self), &definition));
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(state[0]);
  return 0;
}

static PyType_Slot stateful_slots[] = {
    {Py_tp_traverse, stateful_traverse}, {0, NULL}}; /* freed as objects of classes are */
static PyType_Spec stateful_spec = {.name = "holding.Stateful",
                                    .basicsize = sizeof(PyObject),
                                    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
                                    .slots = stateful_slots};

static int execute(PyObject *module) {
  PyObject *const type = PyType_FromModuleAndSpec(module, &stateful_spec, NULL);
  if (type == NULL || PyModule_AddObjectRef(module, "Stateful", type) != 0) return -1;
  Py_DECREF(type);
  return PyModule_AddType(module, &wrapper_type);
}

static PyMethodDef functions[] = {{"hold", hold, METH_O, "Keep an object for ever."},
                                  {"hold_borrowed", hold_borrowed, METH_O, "Keep an address for ever."},
                                  {"hold_elsewhere", hold_elsewhere, METH_O, "Keep an object in memory that is no static data."},
                                  {"witness", witness, METH_NOARGS, "Something that reports when it is freed."},
                                  {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "holding", NULL, sizeof(PyObject *), functions, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_holding(void) { return PyModuleDef_Init(&definition); }
