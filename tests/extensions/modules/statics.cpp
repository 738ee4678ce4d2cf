// SPDX-License-Identifier: MIT
// A module with what C++ does before main() and after it: static objects, inline variables that are
// one for the whole process, objects of threads. What happens is written to the descriptor that the
// environment names.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace {

void report(const char *text) {
  const char *const descriptor = std::getenv("STATICS_DESCRIPTOR");
  if (descriptor == nullptr) return;
  const std::string line = std::string(text) + "\n";
  if (::write(std::atoi(descriptor), line.data(), line.size()) < 0) std::abort();
}

struct Static {
  Static() : text(new std::string("static")) { report("constructed"); }
  ~Static() {
    report(("destroyed " + *text).c_str());
    delete text;
  }
  std::string *text;
};
Static object;

struct OfThread {
  ~OfThread() { report(("thread ends, " + *object.text).c_str()); }
  int value = 0;
};
thread_local OfThread of_thread;

/// After the destructors of C++ in the life of a thread: jemalloc and others end there.
void end_of_key(void *) { report(("key ends, " + *object.text).c_str()); }

template <typename T>
struct Unique {
  static inline long count = 0;  // STB_GNU_UNIQUE
};

void at_fork() { report("forks"); }

PyObject *count_unique(PyObject *, PyObject *) { return PyLong_FromLong(++Unique<int>::count); }

PyObject *set_text(PyObject *, PyObject *text) {
  *object.text = PyUnicode_AsUTF8(text);
  of_thread.value = 1;
  pthread_key_t key;
  pthread_key_create(&key, end_of_key);
  pthread_setspecific(key, &object);
  pthread_atfork(at_fork, nullptr, nullptr);
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {{"count_unique", count_unique, METH_NOARGS, nullptr},
                           {"set_text", set_text, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyModuleDef_Slot slots[] = {{0, nullptr}};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "statics", nullptr, 0, functions, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_statics() { return PyModuleDef_Init(&definition); }
