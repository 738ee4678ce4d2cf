// SPDX-License-Identifier: MIT
// A module with threads of its own: each waits until it can read a byte, and writes what static
// data hold then.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace {

long secret = 0;

void wait_and_tell(int from, int to) {
  char byte;
  if (::read(from, &byte, 1) != 1) return;
  if (::write(to, &secret, sizeof secret) != sizeof secret) std::abort();
}

struct Ends {
  int from;
  int to;
};

void finish(void *given) {
  const Ends ends = *static_cast<Ends *>(given);
  delete static_cast<Ends *>(given);
  wait_and_tell(ends.from, ends.to);
}

void *run(void *given) {
  finish(given);
  return nullptr;
}

void *run_at_end(void *given) {
  static pthread_key_t key;
  if (pthread_key_create(&key, finish) != 0 || pthread_setspecific(key, given) != 0) std::abort();
  return nullptr;
}

/// start(secret, from, to, how): the id of a thread, for join(). How it begins or what it does it in:
/// "C++", "POSIX", "key": of threads, when it ends.
PyObject *start(PyObject *, PyObject *args) {
  int from, to;
  const char *how;
  if (!PyArg_ParseTuple(args, "liis", &secret, &from, &to, &how)) return nullptr;
  if (how[0] == 'C') {
    std::thread thread(wait_and_tell, from, to);
    const pthread_t id = thread.native_handle();
    thread.detach();
    return PyLong_FromUnsignedLongLong(id);
  }
  pthread_t id;
  const auto function = how[0] == 'P' ? run : run_at_end;
  if (pthread_create(&id, nullptr, function, new Ends{from, to}) != 0) return PyErr_NoMemory();
  return PyLong_FromUnsignedLongLong(id);
}

/// For one of pthread_create() alone.
PyObject *join(PyObject *, PyObject *id) {
  void *result;
  return PyLong_FromLong(
      pthread_join(static_cast<pthread_t>(PyLong_AsUnsignedLongLong(id)), &result));
}

// A pool of one thread that nothing destroys, as libraries have it: it ends its thread before a
// fork, and starts another after it.
struct Pool {
  int ends[2];
  std::thread thread;
};
Pool *pool = nullptr;

void start_pool() {
  if (pipe(pool->ends) != 0) std::abort();
  pool->thread = std::thread([from = pool->ends[0]] {
    char byte;
    if (::read(from, &byte, 1) != 0) std::abort();
    close(from);
  });
}
void end_pool() {
  close(pool->ends[1]);
  pool->thread.join();
}

PyObject *start_until_fork(PyObject *, PyObject *) {
  pool = new Pool;
  start_pool();
  return PyLong_FromLong(pthread_atfork(end_pool, start_pool, start_pool));
}

/// setNumThreads(1): the pool has none but the calling thread.
PyObject *set_thread_count(PyObject *, PyObject *count) {
  if (PyLong_AsLong(count) == 1) end_pool();
  return PyErr_Occurred() != nullptr ? nullptr : Py_NewRef(Py_None);
}

// One that its destructor ends, and whose lock nobody else is to hold over a fork.
struct LockedPool {
  std::mutex mutex;
  std::condition_variable ended;
  bool is_ended = false;
  std::thread thread;
  ~LockedPool() {
    if (!thread.joinable()) return;
    {
      std::lock_guard lock(mutex);
      is_ended = true;
    }
    ended.notify_all();
    thread.join();
  }
} locked_pool;

PyObject *start_locked(PyObject *, PyObject *) {
  locked_pool.thread = std::thread([] {
    std::unique_lock lock(locked_pool.mutex);
    locked_pool.ended.wait(lock, [] { return locked_pool.is_ended; });
  });
  const auto lock = [] { locked_pool.mutex.lock(); };
  const auto unlock = [] { locked_pool.mutex.unlock(); };
  return PyLong_FromLong(pthread_atfork(lock, unlock, unlock));
}

// A handler of fork that takes as long as somebody wants.
Ends fork_ends;

/// hold_forks(from, to): a fork writes to `to`, and waits until it can read a byte.
PyObject *hold_forks(PyObject *, PyObject *args) {
  if (!PyArg_ParseTuple(args, "ii", &fork_ends.from, &fork_ends.to)) return nullptr;
  const auto hold = [] {
    const Ends ends = fork_ends;
    char byte = 0;
    if (::write(ends.to, &byte, 1) != 1 || ::read(ends.from, &byte, 1) != 1) std::abort();
  };
  return PyLong_FromLong(pthread_atfork(hold, nullptr, nullptr));
}

PyObject *address(PyObject *, PyObject *) { return PyLong_FromVoidPtr(&secret); }

PyMethodDef functions[] = {{"start", start, METH_VARARGS, nullptr},
                           {"join", join, METH_O, nullptr},
                           {"start_until_fork", start_until_fork, METH_NOARGS, nullptr},
                           {"start_locked", start_locked, METH_NOARGS, nullptr},
                           {"setNumThreads", set_thread_count, METH_O, nullptr},
                           {"hold_forks", hold_forks, METH_VARARGS, nullptr},
                           {"address", address, METH_NOARGS, nullptr},
                           {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = {{0, nullptr}};
PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "threads", nullptr, 0, functions, slots, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit_threads() { return PyModuleDef_Init(&definition); }
