/* SPDX-License-Identifier: MIT
   Modules that count in static data. COUNTING_KIND says how each is initialised, COUNTING_NAME what it is called. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define SINGLE_PHASE 1 /* cannot be initialised twice */
#define SINGLE_PHASE_WITH_STATE 2
#define MULTI_PHASE 3
#define OWN_LOCK 4 /* says that it supports interpreters with locks of their own */
#define EXPORTED 5
#define EXPORTED_OWN_LOCK 6

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)

#ifdef COUNTING_LIBRARY
extern long library_count(void);
#else
static long library_count(void) { return 0; }
#endif

#ifdef TABLE
const char *counting_table = TABLE; /* what import_array() of NumPy asks for */
#endif

#ifdef THREAD_LOCAL
__thread char counting_thread_local[THREAD_LOCAL];
#endif

static long counter = 0;
static long initialised = 0;
static long zeros[100000]; /* beyond the pages of the file */

static PyObject *count(PyObject *self, PyObject *ignored) {
#ifdef THREAD_LOCAL
  ++counting_thread_local[counter];
#endif
  ++zeros[99999];
  return PyLong_FromLong(++counter == zeros[99999] ? counter : -1);
}

static PyObject *count_in_library(PyObject *self, PyObject *ignored) { return PyLong_FromLong(library_count()); }

static PyObject *initialisations(PyObject *self, PyObject *ignored) { return PyLong_FromLong(initialised); }

static PyObject *address(PyObject *self, PyObject *ignored) { return PyLong_FromVoidPtr(&counter); }

static PyObject *found(PyObject *self, PyObject *ignored);

static PyMethodDef functions[] = {{"count", count, METH_NOARGS, "One more."},
                                  {"count_in_library", count_in_library, METH_NOARGS, NULL},
                                  {"initialisations", initialisations, METH_NOARGS, NULL},
                                  {"address", address, METH_NOARGS, NULL},
                                  {"found", found, METH_NOARGS, "What PyState_FindModule() gives."},
                                  {NULL, NULL, 0, NULL}};

static PyTypeObject thing_type = {PyVarObject_HEAD_INIT(NULL, 0).tp_name = "counting.Thing",
                                  .tp_basicsize = sizeof(PyObject),
                                  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                  .tp_new = PyType_GenericNew};

#ifdef MAKES_INNER
/* As #[pymodule] in a #[pymodule] of PyO3: a module of this file that another one makes when it is executed. */
static PyModuleDef_Slot inner_slots[] = {{Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
                                         {0, NULL}};
static struct PyModuleDef inner_definition = {PyModuleDef_HEAD_INIT, "inner", NULL, 0, NULL, inner_slots, NULL, NULL,
                                              NULL};
static int make_inner(PyObject *module) {
  PyObject *const spec = PyObject_GetAttrString(module, "__spec__");
  PyObject *const inner = spec != NULL ? PyModule_FromDefAndSpec(&inner_definition, spec) : NULL;
  Py_XDECREF(spec);
  return inner != NULL ? PyModule_Add(module, "inner", inner) : -1;
}
#else
static int make_inner(PyObject *module) { return 0; }
#endif

static int execute(PyObject *module) {
  ++initialised;
  if (make_inner(module) != 0) return -1;
  if (PyType_Ready(&thing_type) != 0) return -1;
  return PyModule_AddObjectRef(module, "Thing", (PyObject *)&thing_type);
}

#if COUNTING_KIND == SINGLE_PHASE || COUNTING_KIND == SINGLE_PHASE_WITH_STATE
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, TEXT(COUNTING_NAME), NULL,
                                        COUNTING_KIND == SINGLE_PHASE ? -1 : 8, functions, NULL, NULL, NULL, NULL};

static PyObject *found(PyObject *self, PyObject *ignored) {
  PyObject *const module = PyState_FindModule(&definition);
  return Py_NewRef(module != NULL ? module : Py_None);
}

PyMODINIT_FUNC JOIN(PyInit_, COUNTING_NAME)(void) {
  PyObject *module = PyModule_Create(&definition);
  if (module != NULL && execute(module) != 0) Py_CLEAR(module);
#ifdef ADDS_ITSELF
  if (module != NULL && PyState_AddModule(module, &definition) != 0) return NULL;
#endif
  return module;
}
#else
static PyObject *found(PyObject *self, PyObject *ignored) { return Py_NewRef(Py_None); }

#if COUNTING_KIND == MULTI_PHASE || COUNTING_KIND == OWN_LOCK
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute},
                                   {Py_mod_multiple_interpreters, COUNTING_KIND == OWN_LOCK
                                                                      ? Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
                                                                      : Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
                                   {0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, TEXT(COUNTING_NAME), NULL, 0, functions, slots, NULL,
                                        NULL, NULL};

PyMODINIT_FUNC JOIN(PyInit_, COUNTING_NAME)(void) { return PyModuleDef_Init(&definition); }

#ifdef OTHER_NAME
/* A second module of the file, which supports interpreters with locks of their own. */
static PyModuleDef_Slot other_slots[] = {{Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}, {0, NULL}};
static struct PyModuleDef other_definition = {PyModuleDef_HEAD_INIT, TEXT(OTHER_NAME), NULL, 0, functions, other_slots,
                                              NULL, NULL, NULL};
PyMODINIT_FUNC JOIN(PyInit_, OTHER_NAME)(void) { return PyModuleDef_Init(&other_definition); }
#endif
#else
PyABIInfo_VAR(abi_info);
static PySlot slots[] = {PySlot_DATA(Py_mod_abi, &abi_info),
                         PySlot_STATIC_DATA(Py_mod_name, TEXT(COUNTING_NAME)),
                         PySlot_STATIC_DATA(Py_mod_methods, functions),
                         PySlot_FUNC(Py_mod_exec, execute),
                         PySlot_DATA(Py_mod_multiple_interpreters, COUNTING_KIND == EXPORTED_OWN_LOCK
                                                                       ? Py_MOD_PER_INTERPRETER_GIL_SUPPORTED
                                                                       : Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED),
                         PySlot_END};

PyMODEXPORT_FUNC JOIN(PyModExport_, COUNTING_NAME)(void) { return slots; }
#endif
#endif
