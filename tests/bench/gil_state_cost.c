/* SPDX-License-Identifier: MIT
   A module that measures PyGILState_Ensure() and PyGILState_Release(). Nanoseconds for each pair. */
#include <Python.h>
#include <pthread.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double measure_pairs(long count) {
  const double start = now();
  for (long i = 0; i < count; ++i) PyGILState_Release(PyGILState_Ensure());
  return (now() - start) / (double)count;
}

/* On a thread that holds the lock. */
static PyObject *attached(PyObject *module, PyObject *count) {
  return PyFloat_FromDouble(measure_pairs(PyLong_AsLong(count)));
}

/* On a thread that has let go of the lock. */
static PyObject *detached(PyObject *module, PyObject *count) {
  const long number = PyLong_AsLong(count);
  double taken;
  Py_BEGIN_ALLOW_THREADS;
  taken = measure_pairs(number);
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(taken);
}

struct job {
  long count;
  double taken;
};

static void *measure_in_thread(void *given) {
  struct job *const job = given;
  job->taken = measure_pairs(job->count);
  return NULL;
}

static void *do_nothing(void *given) { return given; }

/* Pairs one after the other on a thread that CPython does not know. */
static PyObject *foreign(PyObject *module, PyObject *count) {
  struct job job = {PyLong_AsLong(count), 0};
  Py_BEGIN_ALLOW_THREADS;
  pthread_t thread;
  if (pthread_create(&thread, NULL, measure_in_thread, &job) != 0 || pthread_join(thread, NULL) != 0) abort();
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(job.taken);
}

static PyObject *create_threads(PyObject *count, void *(*run)(void *)) {
  const long number = PyLong_AsLong(count);
  double taken;
  Py_BEGIN_ALLOW_THREADS;
  const double start = now();
  for (long i = 0; i < number; ++i) {
    struct job job = {1, 0};
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, &job) != 0 || pthread_join(thread, NULL) != 0) abort();
  }
  taken = (now() - start) / (double)number;
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(taken);
}

/* Threads that call the pair once, with their creation and end. */
static PyObject *fresh(PyObject *module, PyObject *count) { return create_threads(count, measure_in_thread); }

/* Threads that have nothing to do with Python. */
static PyObject *plain(PyObject *module, PyObject *count) { return create_threads(count, do_nothing); }

static PyMethodDef functions[] = {
    {"attached", attached, METH_O, NULL}, {"detached", detached, METH_O, NULL}, {"foreign", foreign, METH_O, NULL},
    {"fresh", fresh, METH_O, NULL},       {"plain", plain, METH_O, NULL},       {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "gil_state_cost", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_gil_state_cost(void) { return PyModuleDef_Init(&definition); }
