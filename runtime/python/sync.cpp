// SPDX-License-Identifier: MIT
// interlock.Lock, Semaphore, Event and Barrier: handles, so that they can be sent. Operations first
// try inside the interpreter; only one that has to wait longer leaves it.
#include <optional>

#include "lock/barrier.hpp"
#include "lock/event.hpp"
#include "lock/semaphore.hpp"
#include "python/arguments.hpp"
#include "python/blocking.hpp"
#include "python/channel.hpp"

namespace interlock {
namespace {

constexpr int kFast = METH_FASTCALL | METH_KEYWORDS;

template <typename T>
T &of(PyObject *self) {
  return static_cast<T &>(*reinterpret_cast<HandleObject *>(self)->shared);
}

/// The name of its type for people: "Lock".
const char *name_of(PyObject *self) { return Py_TYPE(self)->tp_name + std::strlen("interlock."); }

bool is_usable(PyObject *self) {
  return check_process(*reinterpret_cast<HandleObject *>(self)->shared, name_of(self));
}

PyObject *wrap_new(PyTypeObject *type, Ref<Shared> shared) {
  auto *const self = reinterpret_cast<HandleObject *>(type->tp_alloc(type, 0));
  if (self != nullptr) self->shared = shared.leak();
  return reinterpret_cast<PyObject *>(self);
}

/// Reads an integer from `least` to `most`; TypeError or ValueError naming `name` for anything
/// else.
bool parse_number(PyObject *object, const char *name, std::uint64_t least, std::uint64_t most,
                  std::uint64_t &number) {
  if (!is_int(object)) {
    PyErr_Format(PyExc_TypeError, "%s must be an int, not %s", name, Py_TYPE(object)->tp_name);
    return false;
  }
  const PyRef index = PyRef::steal(PyNumber_Index(object));
  if (!index) return false;
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (value == -1 && PyErr_Occurred()) return false;
  const bool is_low = overflow < 0 || (overflow == 0 && value < static_cast<long long>(least));
  number = static_cast<std::uint64_t>(value);
  if (!is_low && overflow == 0 && number <= most) return true;
  PyErr_Format(PyExc_ValueError, "%s must be at %s %llu, not %R", name, is_low ? "least" : "most",
               static_cast<unsigned long long>(is_low ? least : most), object);
  return false;
}

/// Parses the one parameter `timeout` of `function`.
bool parse_wait(PyObject *self, const Arguments &arguments, const char *function,
                Deadline &deadline) {
  static constexpr const char *kParameters[] = {"timeout"};
  PyObject *timeout;
  return is_usable(self) && arguments.parse(function, kParameters, 0, &timeout) &&
         parse_timeout(timeout, deadline);
}

// ---- Lock and Semaphore ----

Status acquire_until(Semaphore &semaphore, Deadline deadline) {
  if (semaphore.try_acquire()) return {};
  if (deadline.passed()) return Code::kETIMEDOUT;
  const auto is_free = [&]() noexcept { return semaphore.looks_free(); };
  spin_attached(semaphore.peer_processor(), is_free);
  if (semaphore.try_acquire()) return {};
  return run_detached([&] { return semaphore.acquire_until(deadline); });
}

PyObject *finish_wait(const Status &status) {
  if (status.code() == Code::kETIMEDOUT) Py_RETURN_FALSE;
  if (!status.ok()) return raise(status);
  Py_RETURN_TRUE;
}

PyObject *acquire(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  Deadline deadline;
  if (!parse_wait(self, {values, count, names}, "acquire", deadline)) return nullptr;
  return finish_wait(acquire_until(of<Semaphore>(self), deadline));
}

PyObject *enter(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  return finish_wait(acquire_until(of<Semaphore>(self), Deadline::never()));
}

PyObject *new_lock(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Lock", const_cast<char **>(names)))
    return nullptr;
  return wrap_new(type, make_ref<Lock>());
}

PyObject *release_lock(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  if (!of<Lock>(self).try_release()) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release the Lock: nobody holds it");
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject *leave_lock(PyObject *self, PyObject *args) {
  if (leaves_in_child(of<Lock>(self), args)) Py_RETURN_NONE;
  return release_lock(self, nullptr);
}

PyObject *locked(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  return PyBool_FromLong(of<Lock>(self).locked());
}

PyObject *new_semaphore(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"value", "limit", nullptr};
  PyObject *value_object = nullptr;
  PyObject *limit_object = Py_None;
  std::uint64_t value = 1;
  std::uint64_t limit = Semaphore::kMost;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:Semaphore", const_cast<char **>(names),
                                   &value_object, &limit_object))
    return nullptr;
  if (!Py_IsNone(limit_object) && !parse_number(limit_object, "limit", 1, limit, limit))
    return nullptr;
  if (value_object != nullptr && !parse_number(value_object, "value", 0, Semaphore::kMost, value))
    return nullptr;
  if (value > limit) {
    PyErr_Format(PyExc_ValueError, "value must be at most limit, and %llu is above %llu",
                 static_cast<unsigned long long>(value), static_cast<unsigned long long>(limit));
    return nullptr;
  }
  return wrap_new(type, make_ref<Semaphore>(value, limit));
}

PyObject *release_semaphore(PyObject *self, PyObject *const *values, Py_ssize_t given,
                            PyObject *names) {
  static constexpr const char *kParameters[] = {"n"};
  PyObject *object;
  std::uint64_t count = 1;
  if (!is_usable(self) ||
      !Arguments{values, given, names}.parse("release", kParameters, 0, &object) ||
      (object != nullptr && !parse_number(object, "n", 1, Semaphore::kMost, count)))
    return nullptr;
  Semaphore &semaphore = of<Semaphore>(self);
  if (!semaphore.try_release(count)) {
    PyErr_Format(PyExc_ValueError, "release(%llu) would exceed the Semaphore's limit of %llu",
                 static_cast<unsigned long long>(count),
                 static_cast<unsigned long long>(semaphore.limit()));
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject *leave_semaphore(PyObject *self, PyObject *args) {
  if (leaves_in_child(of<Semaphore>(self), args)) Py_RETURN_NONE;
  return release_semaphore(self, nullptr, 0, nullptr);
}

PyObject *get_value(PyObject *self, void *) {
  if (!is_usable(self)) return nullptr;
  return PyLong_FromUnsignedLongLong(of<Semaphore>(self).value());
}

PyObject *get_limit(PyObject *self, void *) {
  const std::uint64_t limit = of<Semaphore>(self).limit();
  return limit == Semaphore::kMost ? Py_NewRef(Py_None) : PyLong_FromUnsignedLongLong(limit);
}

// ---- Event ----

PyObject *new_event(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Event", const_cast<char **>(names)))
    return nullptr;
  return wrap_new(type, make_ref<Event>());
}

PyObject *set_event(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  of<Event>(self).set();
  Py_RETURN_NONE;
}

PyObject *clear_event(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  of<Event>(self).clear();
  Py_RETURN_NONE;
}

PyObject *is_set(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  return PyBool_FromLong(of<Event>(self).is_set());
}

PyObject *wait_event(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  Deadline deadline;
  if (!parse_wait(self, {values, count, names}, "wait", deadline)) return nullptr;
  Event &event = of<Event>(self);
  // Kept while signal handlers run: what is set meanwhile counts.
  const Event::Moment start = event.now();
  const auto is_over = [&]() noexcept { return event.was_set_since(start); };
  if (is_over()) Py_RETURN_TRUE;
  if (deadline.passed()) Py_RETURN_FALSE;
  spin_attached(event.peer_processor(), is_over);
  if (is_over()) Py_RETURN_TRUE;
  return finish_wait(run_detached([&] { return event.wait_until(deadline, start); }));
}

// ---- Barrier ----

PyObject *new_barrier(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static const char *names[] = {"parties", nullptr};
  PyObject *object = nullptr;
  std::uint64_t parties = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Barrier", const_cast<char **>(names),
                                   &object) ||
      !parse_number(object, "parties", 1, UINT32_MAX, parties))
    return nullptr;
  return wrap_new(type, make_ref<Barrier>(static_cast<std::uint32_t>(parties)));
}

PyObject *wait_barrier(PyObject *self, PyObject *const *values, Py_ssize_t count, PyObject *names) {
  Deadline deadline;
  if (!parse_wait(self, {values, count, names}, "wait", deadline)) return nullptr;
  Barrier &barrier = of<Barrier>(self);
  // At the end of its scope it breaks the barrier if the round is still open.
  std::optional<Barrier::Arrival> arrival(std::in_place, barrier);
  const auto is_over = [&]() noexcept { return arrival->is_over(); };
  const auto wait = [&]() -> Status { return arrival->wait_until(deadline); };
  spin_attached(barrier.peer_processor(), is_over);
  const Status status = is_over() ? wait() : run_detached(wait);
  const std::uint32_t index = arrival->index();
  arrival.reset();
  if (status.ok()) return PyLong_FromUnsignedLong(index);
  if (status.code() == Code::kETIMEDOUT)
    return raise(Status(Code::kEBROKEN, "the other parties did not come in time"));
  return raise(status);
}

PyObject *abort_barrier(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  of<Barrier>(self).abort();
  Py_RETURN_NONE;
}

PyObject *reset_barrier(PyObject *self, PyObject *) {
  if (!is_usable(self)) return nullptr;
  of<Barrier>(self).reset();
  Py_RETURN_NONE;
}

PyObject *get_parties(PyObject *self, void *) {
  return PyLong_FromUnsignedLong(of<Barrier>(self).parties());
}

PyObject *get_waiting(PyObject *self, void *) {
  if (!is_usable(self)) return nullptr;
  return PyLong_FromUnsignedLong(of<Barrier>(self).waiting());
}

PyObject *get_broken(PyObject *self, void *) {
  if (!is_usable(self)) return nullptr;
  return PyBool_FromLong(of<Barrier>(self).broken());
}

// ---- What they show of themselves ----

PyObject *repr(PyObject *self) {
  const Shared *const shared = reinterpret_cast<HandleObject *>(self)->shared;
  const char *const name = name_of(self);
  if (shared->is_from_parent())
    return PyUnicode_FromFormat("<interlock.%s of the parent process>", name);
  const auto with_state = [&](const char *state) {
    return PyUnicode_FromFormat("<interlock.%s at %p: %s>", name, shared, state);
  };
  switch (shared->kind()) {
    case Shared::Kind::kLock:
      return with_state(of<Lock>(self).locked() ? "held" : "free");
    case Shared::Kind::kEvent:
      return with_state(of<Event>(self).is_set() ? "set" : "clear");
    case Shared::Kind::kBarrier: {
      const Barrier &barrier = of<Barrier>(self);
      if (barrier.broken()) return with_state("broken");
      return PyUnicode_FromFormat("<interlock.%s at %p: %u of %u waiting>", name, shared,
                                  barrier.waiting(), barrier.parties());
    }
    default: {
      const Semaphore &semaphore = of<Semaphore>(self);
      const auto value = static_cast<unsigned long long>(semaphore.value());
      if (semaphore.limit() == Semaphore::kMost)
        return PyUnicode_FromFormat("<interlock.%s at %p: %llu>", name, shared, value);
      return PyUnicode_FromFormat("<interlock.%s at %p: %llu of %llu>", name, shared, value,
                                  static_cast<unsigned long long>(semaphore.limit()));
    }
  }
}

PyMethodDef lock_methods[] = {
    {"acquire", as_method(acquire), kFast,
     "acquire($self, timeout=None)\n--\n\n"
     "Wait for the lock up to timeout seconds; True once it is held, False if time ran out.\n\n"
     "timeout=0 does not wait."},
    {"release", release_lock, METH_NOARGS,
     "release($self, /)\n--\n\n"
     "Let the next one have the lock, whoever holds it; RuntimeError if nobody does."},
    {"locked", locked, METH_NOARGS, "locked($self, /)\n--\n\nWhether anybody holds the lock."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave_lock, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef semaphore_methods[] = {
    {"acquire", as_method(acquire), kFast,
     "acquire($self, timeout=None)\n--\n\n"
     "Wait for a permit up to timeout seconds; True once it is taken, False if time ran out.\n\n"
     "timeout=0 does not wait."},
    {"release", as_method(release_semaphore), kFast,
     "release($self, n=1)\n--\n\n"
     "Give n permits; ValueError if that would exceed the limit, and nothing has changed then."},
    {"__enter__", enter, METH_NOARGS, nullptr},
    {"__exit__", leave_semaphore, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef semaphore_properties[] = {
    {"value", get_value, nullptr, "How many permits are free now.", nullptr},
    {"limit", get_limit, nullptr, "How many permits there may be, None without a bound.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef event_methods[] = {
    {"set", set_event, METH_NOARGS,
     "set($self, /)\n--\n\nSet the event, and wake all who wait for it."},
    {"clear", clear_event, METH_NOARGS, "clear($self, /)\n--\n\nMake the event not set."},
    {"is_set", is_set, METH_NOARGS, "is_set($self, /)\n--\n\nWhether the event is set."},
    {"wait", as_method(wait_event), kFast,
     "wait($self, timeout=None)\n--\n\n"
     "Wait up to timeout seconds; True once the event is or was set, False if time ran out.\n\n"
     "A set() that is cleared at once still wakes all who waited."},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef barrier_methods[] = {
    {"wait", as_method(wait_barrier), kFast,
     "wait($self, timeout=None)\n--\n\n"
     "Wait for the other parties; returns how many came before in this round, from 0.\n\n"
     "Raises threading.BrokenBarrierError if the barrier is or gets broken or is reset. It breaks "
     "if\n"
     "timeout seconds pass, or an exception such as KeyboardInterrupt ends the wait."},
    {"abort", abort_barrier, METH_NOARGS,
     "abort($self, /)\n--\n\nBreak the barrier for all who wait and who come, until reset()."},
    {"reset", reset_barrier, METH_NOARGS,
     "reset($self, /)\n--\n\nMake the barrier as new; who waits gets BrokenBarrierError."},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef barrier_properties[] = {
    {"parties", get_parties, nullptr, "How many threads wait for each other.", nullptr},
    {"n_waiting", get_waiting, nullptr, "How many wait now.", nullptr},
    {"broken", get_broken, nullptr, "Whether somebody gave up, or called abort().", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyType_Slot lock_slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Lock()\n--\n\n"
         "A lock between interpreters and threads; `with lock:` holds it. It can be sent. Not\n"
         "re-entrant, and not bound to who acquired it: any thread may release it. It stays held\n"
         "if the interpreter that acquired it ends.")},
    {Py_tp_new, reinterpret_cast<void *>(new_lock)},
    {Py_tp_methods, lock_methods},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

PyType_Slot semaphore_slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Semaphore(value=1, *, limit=None)\n--\n\n"
         "Permits that interpreters and threads share: acquire() takes one, waiting while there "
         "is\n"
         "none; release() gives them, and need not come from who took them. It can be sent.\n\n"
         "value: how many permits there are at first.  limit: how many there may ever be.")},
    {Py_tp_new, reinterpret_cast<void *>(new_semaphore)},
    {Py_tp_methods, semaphore_methods},
    {Py_tp_getset, semaphore_properties},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

PyType_Slot event_slots[] = {
    {Py_tp_doc,
     const_cast<char *>(
         "Event()\n--\n\n"
         "A flag that interpreters and threads set and wait for, not set at first. It can be "
         "sent.")},
    {Py_tp_new, reinterpret_cast<void *>(new_event)},
    {Py_tp_methods, event_methods},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

PyType_Slot barrier_slots[] = {
    {Py_tp_doc, const_cast<char *>(
                    "Barrier(parties)\n--\n\n"
                    "Where threads of any interpreters wait until as many as parties have come; "
                    "then all go on,\n"
                    "and the next round begins. It can be sent.")},
    {Py_tp_new, reinterpret_cast<void *>(new_barrier)},
    {Py_tp_methods, barrier_methods},
    {Py_tp_getset, barrier_properties},
    {Py_tp_repr, reinterpret_cast<void *>(repr)},
    {0, nullptr}};

constexpr unsigned kFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;
PyType_Spec lock_spec = {"interlock.Lock", sizeof(HandleObject), 0, kFlags, lock_slots};
PyType_Spec semaphore_spec = {"interlock.Semaphore", sizeof(HandleObject), 0, kFlags,
                              semaphore_slots};
PyType_Spec event_spec = {"interlock.Event", sizeof(HandleObject), 0, kFlags, event_slots};
PyType_Spec barrier_spec = {"interlock.Barrier", sizeof(HandleObject), 0, kFlags, barrier_slots};

}  // namespace

bool add_sync(PyObject *module, ModuleState &state) {
  PyTypeObject *const handle = state.transfer.handle;
  return add_type(module, lock_spec, handle, state.lock) &&
         add_type(module, semaphore_spec, handle, state.semaphore) &&
         add_type(module, event_spec, handle, state.event) &&
         add_type(module, barrier_spec, handle, state.barrier);
}

}  // namespace interlock
