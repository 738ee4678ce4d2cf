// SPDX-License-Identifier: MIT
// tracemalloc beside interpreters with own locks. CPython's hooks keep frames of whoever asks for
// memory in one table, and take the lock that they find for the thread: with two such interpreters
// they hang or crash (3.13-3.15). So they only see what threads of the main interpreter do.
#include "base/python_compat_tracing.hpp"
#include "python/module.hpp"

namespace interlock {
namespace {

/// One domain's. Written while the main interpreter is the only one.
struct Allocators {
  PyMemAllocatorEx traced;    // CPython's hooks
  PyMemAllocatorEx untraced;  // what was there before them
};
constexpr PyMemAllocatorDomain kDomains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
Allocators allocators[std::size(kDomains)];

/// What CPython has told of each new object.
struct Tracer {
  PyRefTracer function;
  void *data;
};
Tracer tracer;

[[nodiscard]] bool is_traced() noexcept {
  PyThreadState *const state = PyThreadState_GetUnchecked();
  return state != nullptr && PyThreadState_GetInterpreter(state) == PyInterpreterState_Main();
}
/// Others do not even free through the hooks, whose lock a fork would copy. What they free of the
/// main interpreter's memory seems to be there for as long as nobody gets it again; objects never
/// change their interpreter while there are hooks.
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
void release(void *context, void *block) {
  const PyMemAllocatorEx &under = chosen(context);
  under.free(under.ctx, block);
}
int trace(PyObject *object, PyRefTracerEvent event, void *) {
  return is_traced() ? tracer.function(object, event, tracer.data) : 0;
}

[[nodiscard]] bool is_around() noexcept {
  PyMemAllocatorEx last;
  PyMem_GetAllocator(kDomains[0], &last);
  return last.malloc == allocate;
}

using Untraced = PyMemAllocatorEx[std::size(kDomains)];

void put_around_allocators(const Untraced &untraced) noexcept {
  for (std::size_t i = 0; i < std::size(kDomains); ++i) {
    PyMem_GetAllocator(kDomains[i], &allocators[i].traced);
    allocators[i].untraced = untraced[i];
    PyMemAllocatorEx ours = {&allocators[i], allocate, allocate_zeroed, resize, release};
    PyMem_SetAllocator(kDomains[i], &ours);
  }
}

/// Each start() sets it anew.
void put_around_tracer() noexcept {
  void *data = nullptr;
  const PyRefTracer known = PyRefTracer_GetTracer(&data);
  if (known == nullptr || known == trace) return;
  tracer = {known, data};
  (void)PyRefTracer_SetTracer(trace, nullptr);
}

/// -1 with a Python exception set.
int is_tracing() {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_tracemalloc"));
  if (!module && PyErr_ExceptionMatches(PyExc_ImportError) != 0) {
    PyErr_Clear();  // a CPython without it
    return 0;
  }
  const PyRef answer =
      module ? PyRef::steal(PyObject_CallMethod(module.get(), "is_tracing", nullptr)) : PyRef();
  return answer ? PyObject_IsTrue(answer.get()) : -1;
}

/// Others' threads may be asking for memory right now. False with a Python exception set.
bool check_alone(const char *what) {
  if (PyInterpreterState_Head() == PyInterpreterState_Main()) return true;
  PyErr_Format(
      PyExc_RuntimeError,
      "tracemalloc cannot be %s while there are other interpreters: do it before the first "
      "one is created (python -X tracemalloc), or when all are closed",
      what);
  return false;
}

// `original`: CPython's own function.

PyObject *start(PyObject *original, PyObject *const *values, Py_ssize_t count) {
  const int before = is_tracing();
  if (before < 0 || (before == 0 && !check_alone("started"))) return nullptr;
  Untraced untraced;
  for (std::size_t i = 0; i < std::size(kDomains); ++i)
    PyMem_GetAllocator(kDomains[i], &untraced[i]);
  PyObject *const done =
      PyObject_Vectorcall(original, values, static_cast<std::size_t>(count), nullptr);
  if (done == nullptr) return nullptr;
  if (before == 0) put_around_allocators(untraced);
  put_around_tracer();
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
  if (!original) return false;
  const bool is_done = PyCFunction_Check(original.get()) &&
                       PyCFunction_GetFunction(original.get()) == function.ml_meth;
  if (is_done) return true;
  const PyRef ours = PyRef::steal(PyCFunction_New(&function, original.get()));
  return ours && PyObject_SetAttrString(module, function.ml_name, ours.get()) == 0 &&
         (users == nullptr || PyObject_SetAttrString(users, function.ml_name, ours.get()) == 0);
}

}  // namespace

bool replace_tracing() {
  const PyRef module = PyRef::steal(PyImport_ImportModule("_tracemalloc"));
  if (!module) {
    PyErr_Clear();  // a CPython without it
    return true;
  }
  PyObject *const users = PyDict_GetItemString(PyImport_GetModuleDict(), "tracemalloc");
  return replace(module.get(), users, functions[0]) && replace(module.get(), users, functions[1]);
}

bool keep_tracing_to_main_interpreter() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) return true;
  const int before = is_tracing();
  if (before <= 0 || is_around()) return before >= 0;
  // Somebody had CPython's start() by another name, or it was called before all.
  Untraced untraced;
  bool is_possible = PyInterpreterState_Head() == PyInterpreterState_Main();
  for (std::size_t i = 0; i < std::size(kDomains); ++i)
    is_possible = is_possible && TracingHooks::allocator_under(kDomains[i], untraced[i]);
  if (!is_possible) {
    PyErr_SetString(PyExc_RuntimeError,
                    "tracemalloc traces, and would hang in another interpreter: call "
                    "tracemalloc.stop() before one is created");
    return false;
  }
  put_around_allocators(untraced);
  put_around_tracer();
  return true;
}

}  // namespace interlock
