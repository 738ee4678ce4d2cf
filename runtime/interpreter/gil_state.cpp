// SPDX-License-Identifier: MIT
#include "interpreter/gil_state.hpp"

#include <dlfcn.h>

#include <map>
#include <new>

#include "base/check.hpp"
#include "interpreter/end.hpp"
#include "lock/interpreter_lock.hpp"
#include "lock/mutex.hpp"
#include "platform/thread_heritage.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

/// CPython's own functions, which ours come before.
template <typename Function>
[[nodiscard]] Function *original(const char *name) noexcept {
  auto *const found = reinterpret_cast<Function *>(dlsym(RTLD_NEXT, name));
  CHECK(found != nullptr);
  return found;
}
PyGILState_STATE original_ensure() noexcept {
  static auto *const function = original<PyGILState_STATE()>("PyGILState_Ensure");
  return function();
}
void original_release(PyGILState_STATE state) noexcept {
  static auto *const function = original<void(PyGILState_STATE)>("PyGILState_Release");
  function(state);
}
/// The one that the thread was attached through last, if it is still there.
PyThreadState *last_state() noexcept {
  static auto *const function = original<PyThreadState *()>("PyGILState_GetThisThreadState");
  return function();
}

// Leaked on purpose: threads may ask when static destructors have run. The mutex guards the map.
Mutex &entrances_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::map<PyInterpreterState *, Ref<Entrance>> &entrances_locked() {
  static auto *const all = new std::map<PyInterpreterState *, Ref<Entrance>>;
  return *all;
}

Ref<Entrance> find_entrance(PyInterpreterState *interpreter) {
  MutexGuard guard(entrances_mutex());
  const auto found = entrances_locked().find(interpreter);
  return found != entrances_locked().end() ? found->second : Ref<Entrance>();
}

constexpr const char *kName = "interlock.entrance";  // in the interpreter's dict

/// An ensure() that has changed what the thread is attached to. They are nested.
struct Change {
  Change *outer;
  PyThreadState *entered;
  PyThreadState *left;       // what the thread was attached through before, or last; or null
  bool was_attached;         // through `left`
  bool is_new;               // `entered` was made for it
  Ref<Entrance> entrance;    // that `entered` has come by; or null
  unsigned unchanged_count;  // calls of ensure() within it that changed nothing
};

thread_local Change *last_change = nullptr;
thread_local unsigned unchanged_outside = 0;  // of all changes

[[nodiscard]] unsigned &unchanged_count() noexcept {
  return last_change != nullptr ? last_change->unchanged_count : unchanged_outside;
}

/// One of the calling thread's that it is not attached through, in this interpreter; or null.
[[nodiscard]] PyThreadState *find_state(PyInterpreterState *interpreter,
                                        PyThreadState *last) noexcept {
  if (last != nullptr && PyThreadState_GetInterpreter(last) == interpreter) return last;
  for (const Change *each = last_change; each != nullptr; each = each->outer) {
    if (each->left != nullptr && PyThreadState_GetInterpreter(each->left) == interpreter)
      return each->left;
  }
  return nullptr;
}

[[nodiscard]] Ref<Entrance> inherited_entrance() noexcept {
  return Ref<Entrance>(static_cast<Entrance *>(thread_heritage()));
}

[[nodiscard]] bool is_of(PyThreadState *state, const Entrance *entrance) noexcept {
  return entrance == nullptr || PyThreadState_GetInterpreter(state) == entrance->interpreter();
}

PyThreadState *make_state(Entrance &entrance) noexcept {
  if (!entrance.enter()) stay_frozen();
  PyThreadState *const made = PyThreadState_New(entrance.interpreter());
  if (made == nullptr) Py_FatalError("PyGILState_Ensure: no memory for a thread state");
  return made;
}

}  // namespace

Ref<Entrance> Entrance::of_current() noexcept {
  PyInterpreterState *const interpreter = PyInterpreterState_Get();
  if (interpreter == PyInterpreterState_Main()) return {};
  if (Ref<Entrance> known = find_entrance(interpreter)) return known;
  Ref<Entrance> made = make_ref<Entrance>(interpreter);
  {
    MutexGuard guard(entrances_mutex());
    entrances_locked().insert_or_assign(interpreter, made);
  }
  // CPython clears the dict when the interpreter ends: nobody has closed the entrance of one that
  // others have created.
  const auto forget = [](PyObject *capsule) {
    static_cast<Entrance *>(PyCapsule_GetPointer(capsule, kName))->close();
    Ref<Entrance> taken;
    MutexGuard guard(entrances_mutex());
    taken = std::move(entrances_locked()[PyInterpreterState_Get()]);
    entrances_locked().erase(PyInterpreterState_Get());
  };
  PyObject *const raised = PyErr_GetRaisedException();
  const PyRef capsule = PyRef::steal(PyCapsule_New(made.get(), kName, forget));
  PyObject *const dict = PyInterpreterState_GetDict(interpreter);
  const bool is_kept =
      capsule && dict != nullptr && PyDict_SetItemString(dict, kName, capsule.get()) == 0;
  PyErr_SetRaisedException(raised);
  return is_kept ? made : Ref<Entrance>();
}

Ref<Entrance> Entrance::main() noexcept {
  static auto *const entrance = new Ref<Entrance>(make_ref<Entrance>(PyInterpreterState_Main()));
  return *entrance;
}

bool Entrance::close_current(Deadline deadline) noexcept {
  const Ref<Entrance> known = find_entrance(PyInterpreterState_Get());
  if (!known) return true;
  known->close();
  const LeaveInterpreter leave;
  return known->wait_until_empty(deadline);
}

void Entrance::close() noexcept { inside_.fetch_or(kClosed); }

bool Entrance::enter() noexcept {
  // SYNC(entrance): either we see kClosed, or who waits until it is empty counts us.
  if ((inside_.fetch_add(1) & kClosed) == 0) return true;
  leave();
  return false;
}

void Entrance::leave() noexcept {
  if (inside_.fetch_sub(1) == (kClosed | 1)) wake_all(inside_);
}

bool Entrance::wait_until_empty(Deadline deadline) noexcept {
  for (std::uint32_t seen = inside_; seen != kClosed; seen = inside_) {
    if (wait_on_address(inside_, seen, deadline) == WaitResult::kTimedOut) return false;
  }
  return true;
}

void Entrance::reset_after_fork() noexcept {
  entrances_mutex().reset_after_fork();
  // Their references are of threads that are gone.
  for (auto &[interpreter, each] : entrances_locked()) {
    each->inside_ = kClosed;
    (void)each.leak();
  }
  entrances_locked().clear();
}

PyGILState_STATE GilState::ensure(Entrance *entrance) noexcept {
  PyThreadState *const attached = PyThreadState_GetUnchecked();
  if (attached != nullptr && is_of(attached, entrance)) {
    ++unchanged_count();
    return PyGILState_LOCKED;
  }
  PyThreadState *const last = attached != nullptr ? attached : last_state();
  Ref<Entrance> wanted(entrance);
  if (entrance == nullptr && last == nullptr) {
    wanted = inherited_entrance();
    if (!wanted) return original_ensure();  // of the main interpreter
  }
  PyThreadState *state = wanted ? find_state(wanted->interpreter(), last) : last;
  const bool is_new = state == nullptr;
  if (is_new) state = make_state(*wanted);
  if (attached != nullptr) PyEval_SaveThread();
  last_change = new Change{last_change,
                           state,
                           last,
                           attached != nullptr,
                           is_new,
                           is_new ? std::move(wanted) : Ref<Entrance>(),
                           0};
  PyEval_RestoreThread(state);
  return PyGILState_UNLOCKED;
}

void GilState::release(PyGILState_STATE state) noexcept {
  if (unsigned &count = unchanged_count(); count != 0) {
    --count;
    return;
  }
  if (last_change == nullptr) return original_release(state);
  Change *const change = last_change;
  if (PyThreadState_GetUnchecked() != change->entered)
    Py_FatalError("PyGILState_Release: the thread is not attached as PyGILState_Ensure left it");
  if (change->is_new) PyThreadState_Clear(change->entered);  // which may run code, in here
  last_change = change->outer;
  if (change->is_new) {
    PyThreadState_DeleteCurrent();
  } else {
    PyEval_SaveThread();
  }
  if (change->entrance) change->entrance->leave();
  PyThreadState *const left = change->left;
  const bool was_attached = change->was_attached;
  delete change;
  if (left == nullptr) return;
  if (was_attached) {
    PyEval_RestoreThread(left);
  } else if (last_state() != left) {
    // CPython remembers the last one.
    PyEval_RestoreThread(left);
    PyEval_SaveThread();
  }
}

bool GilState::check(const Entrance *entrance) noexcept {
  PyThreadState *const attached = PyThreadState_GetUnchecked();
  return attached != nullptr && is_of(attached, entrance);
}

PyThreadState *GilState::this_thread_state(const Entrance *entrance) noexcept {
  PyThreadState *const last = last_state();
  return entrance != nullptr ? find_state(entrance->interpreter(), last) : last;
}

void GilState::let_threads_inherit() noexcept {
  const auto give = []() noexcept -> void * {
    PyThreadState *const attached = PyThreadState_GetUnchecked();
    if (attached != nullptr) return Entrance::of_current().leak();
    PyThreadState *const last = last_state();
    if (last == nullptr) return inherited_entrance().leak();
    return find_entrance(PyThreadState_GetInterpreter(last)).leak();
  };
  const auto drop = [](void *given) noexcept { static_cast<Entrance *>(given)->release(); };
  set_thread_heritage({give, drop});
}

}  // namespace interlock

// What shared objects that are nobody's image call: the program, or libinterlock, comes before
// CPython's library in the order of symbol lookup.

extern "C" {

PyGILState_STATE PyGILState_Ensure() { return interlock::GilState::ensure(nullptr); }

void PyGILState_Release(PyGILState_STATE state) { interlock::GilState::release(state); }

int PyGILState_Check() { return interlock::GilState::check(nullptr) ? 1 : 0; }

PyThreadState *PyGILState_GetThisThreadState() {
  return interlock::GilState::this_thread_state(nullptr);
}

}  // extern "C"
