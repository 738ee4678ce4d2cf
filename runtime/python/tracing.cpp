// SPDX-License-Identifier: MIT
// tracemalloc beside interpreters with own locks. CPython's hooks keep frames of whoever asks for
// memory in one table, and take the lock that they find for the thread: with two such interpreters
// they hang or crash (3.13-3.15). So they only see what threads of the main interpreter ask for.
#include "base/python_compat_tracing.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

/// One domain's. Written while the main interpreter is the only one.
struct Allocators {
  PyMemAllocatorEx traced;   // CPython's hooks
  PyMemAllocatorEx untraced;  // what was there before them
};
constexpr PyMemAllocatorDomain kDomains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
Allocators allocators[std::size(kDomains)];

[[nodiscard]] bool is_traced() noexcept {
  PyThreadState *const state = PyThreadState_GetUnchecked();
  return state != nullptr && PyThreadState_GetInterpreter(state) == PyInterpreterState_Main();
}
[[nodiscard]] const PyMemAllocatorEx &chosen(void *context) noexcept {
  const auto &both = *static_cast<const Allocators *>(context);
  return is_traced() ? both.traced : both.untraced;
}

void *allocate(void *context, std::size_t size) {
  const PyMemAllocatorEx &under = chosen(context);
  return under.malloc(under.ctx, size);
}
void *allocate_zeroed(void *context, std::size_t count, std::size_t size) {
  const PyMemAllocatorEx &under = chosen(context);
  return under.calloc(under.ctx, count, size);
}
void *resize(void *context, void *block, std::size_t size) {
  const PyMemAllocatorEx &under = chosen(context);
  return under.realloc(under.ctx, block, size);
}
/// Whoever frees it: it may have been traced. The hook has a lock for its table.
void release(void *context, void *block) {
  const PyMemAllocatorEx &under = static_cast<const Allocators *>(context)->traced;
  under.free(under.ctx, block);
}

void put_around(const PyMemAllocatorEx (&untraced)[std::size(kDomains)]) noexcept {
  for (std::size_t i = 0; i < std::size(kDomains); ++i) {
    PyMem_GetAllocator(kDomains[i], &allocators[i].traced);
    allocators[i].untraced = untraced[i];
    PyMemAllocatorEx ours = {&allocators[i], allocate, allocate_zeroed, resize, release};
    PyMem_SetAllocator(kDomains[i], &ours);
  }
}

/// -1 with a Python exception set.
int is_tracing() {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_tracemalloc"));
  const PyRef answer =
      module ? PyRef::steal(PyObject_CallMethod(module.get(), "is_tracing", nullptr)) : PyRef();
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

/// Others' threads may be asking for memory right now. False with a Python exception set.
bool check_alone(const char *what) {
  if (PyInterpreterState_Head() == PyInterpreterState_Main()) return true;
  PyErr_Format(PyExc_RuntimeError,
               "tracemalloc cannot be %s while there are other interpreters: do it before the first "
               "one is created (python -X tracemalloc), or when all are closed",
               what);
  return false;
}

// `original`: CPython's own function.

PyObject *start(PyObject *original, PyObject *const *values, Py_ssize_t count) {
  const int before = is_tracing();
  if (before < 0 || (before == 0 && !check_alone("started"))) return nullptr;
  PyMemAllocatorEx untraced[std::size(kDomains)];
  for (std::size_t i = 0; i < std::size(kDomains); ++i)
    PyMem_GetAllocator(kDomains[i], &untraced[i]);
  PyObject *const done =
      PyObject_Vectorcall(original, values, static_cast<std::size_t>(count), nullptr);
  if (done != nullptr && before == 0) put_around(untraced);
  return done;
}

/// CPython puts back what was there before its hooks.
PyObject *stop(PyObject *original, PyObject *) {
  const int before = is_tracing();
  if (before < 0 || (before > 0 && !check_alone("stopped"))) return nullptr;
  return PyObject_CallNoArgs(original);
}

PyMethodDef functions[] = {
    {"start", as_method(start), METH_FASTCALL,
     "start($module, nframe=1, /)\n--\n\n"
     "Start tracing Python memory allocations of the main interpreter.\n\n"
     "Also set the maximum number of frames stored in the traceback of a\ntrace to nframe."},
    {"stop", stop, METH_NOARGS,
     "stop($module, /)\n--\n\n"
     "Stop tracing Python memory allocations.\n\n"
     "Also clear traces of memory blocks allocated by Python."}};

/// In the places of CPython's own.
bool replace(PyObject *module, PyObject *users, PyMethodDef &function) {
  const PyRef original = PyRef::steal(PyObject_GetAttrString(module, function.ml_name));
  const PyRef ours = original ? PyRef::steal(PyCFunction_New(&function, original.get())) : PyRef();
  return ours && PyObject_SetAttrString(module, function.ml_name, ours.get()) == 0 &&
         (users == nullptr || PyObject_SetAttrString(users, function.ml_name, ours.get()) == 0);
}

}  // namespace

bool keep_tracing_to_main_interpreter() {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_tracemalloc"));
  if (!module) {
    PyErr_Clear();  // a CPython without it
    return true;
  }
  PyObject *const users = PyDict_GetItemString(PyImport_GetModuleDict(), "tracemalloc");
  if (!replace(module.get(), users, functions[0]) || !replace(module.get(), users, functions[1]))
    return false;
  const int before = is_tracing();
  if (before <= 0) return before == 0;
  PyMemAllocatorEx untraced[std::size(kDomains)];
  for (std::size_t i = 0; i < std::size(kDomains); ++i)
    if (!TracingHooks::allocator_under(kDomains[i], untraced[i])) return true;
  if (!check_alone("taken over")) return false;
  put_around(untraced);
  return true;
}

}  // namespace interlock
