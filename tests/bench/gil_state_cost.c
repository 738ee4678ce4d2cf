/* SPDX-License-Identifier: MIT
   A module that measures PyGILState_Ensure() and PyGILState_Release(). Nanoseconds for each pair. */
#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
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

static int compare(const void *one, const void *other) {
  const double difference = *(const double *)one - *(const double *)other;
  return difference < 0 ? -1 : difference > 0;
}

typedef int creator(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

/* From creation to end. */
static double measure_thread(creator *create, void *(*run)(void *)) {
  struct job job = {1, 0};
  const double start = now();
  pthread_t thread;
  if (create(&thread, NULL, run, &job) != 0 || pthread_join(thread, NULL) != 0) abort();
  return now() - start;
}

static double median(double *taken, long count) {
  qsort(taken, count, sizeof *taken, compare);
  const double result = taken[count / 2];
  free(taken);
  return result;
}

/* Threads that call the pair once. */
static PyObject *fresh(PyObject *module, PyObject *given) {
  const long count = PyLong_AsLong(given);
  double *const taken = malloc(count * sizeof *taken);
  Py_BEGIN_ALLOW_THREADS;
  for (long i = 0; i < count; ++i) taken[i] = measure_thread(pthread_create, measure_in_thread);
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(median(taken, count));
}

/* Threads that have nothing to do with Python: how much longer they take than by the C library's pthread_create(). Called
   as a function of a library, too. */
double compare_plain_threads(long count) {
  double *const longer = malloc(count * sizeof *longer);
  creator *const original = (creator *)dlsym(dlopen("libc.so.6", RTLD_NOW), "pthread_create");
  for (long i = 0; i < count; ++i) {
    const double before = measure_thread(original, do_nothing);
    const double ours = measure_thread(pthread_create, do_nothing);
    const double after = measure_thread(original, do_nothing);
    longer[i] = ours - (before + after) / 2;
  }
  return median(longer, count);
}

static PyObject *plain(PyObject *module, PyObject *count) {
  const long number = PyLong_AsLong(count);
  double longer;
  Py_BEGIN_ALLOW_THREADS;
  longer = compare_plain_threads(number);
  Py_END_ALLOW_THREADS;
  return PyFloat_FromDouble(longer);
}

static PyMethodDef functions[] = {
    {"attached", attached, METH_O, NULL}, {"detached", detached, METH_O, NULL}, {"foreign", foreign, METH_O, NULL},
    {"fresh", fresh, METH_O, NULL},       {"plain", plain, METH_O, NULL},             {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "gil_state_cost", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_gil_state_cost(void) { return PyModuleDef_Init(&definition); }
