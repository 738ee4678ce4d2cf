// SPDX-License-Identifier: MIT
#include "interpreter/gil_state.hpp"

#include <dlfcn.h>

#include <memory>
#include <utility>

#include "base/check.hpp"
#include "base/python_compat_gil_state.hpp"
#include "interpreter/end.hpp"
#include "platform/thread.hpp"
#include "platform/thread_heritage.hpp"

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

/// An ensure() that has changed what the thread is attached to. They are nested.
struct Change {
  Change *outer;
  PyThreadState *entered;
  Entrance *entrance;        // by which it has come in; null if the thread had `entered` before
  PyThreadState *left;       // what the thread was attached through before, or last; or null
  bool was_attached;         // through `left`
  unsigned unchanged_count;  // calls of ensure() within it that changed nothing
};

thread_local Change *last_change = nullptr;
thread_local Change first_change;  // mostly there is one, for which no memory is to be asked
thread_local unsigned unchanged_outside = 0;  // of all changes

[[nodiscard]] unsigned &unchanged_count() noexcept {
  return last_change != nullptr ? last_change->unchanged_count : unchanged_outside;
}

/// One that the calling thread has in this interpreter and is not attached through: its last one,
/// or one that it has left; or null.
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

/// The states that the calling thread keeps, one for each interpreter that it has come into.
class OwnStates {
 public:
  [[nodiscard]] static PyThreadState *find(const Entrance &entrance) noexcept {
    for (const Own *each = first; each != nullptr; each = each->next) {
      if (each->entrance.get() == &entrance) return each->kept->state;
    }
    return nullptr;
  }
  /// Thread: inside.
  static void add(Entrance &entrance, PyThreadState *state) {
    if (first == nullptr) call_at_thread_end(drop_all, nullptr);
    first = new Own{first, Ref<Entrance>(&entrance), entrance.keep(state)};
  }

 private:
  struct Own {
    Own *next;
    Ref<Entrance> entrance;
    Ref<KeptState> kept;
  };
  static void drop_all(void *) noexcept {
    if (PyThreadState_GetUnchecked() != nullptr) return;  // it ends without a release()
    while (first != nullptr) {
      const std::unique_ptr<Own> own(std::exchange(first, first->next));
      if (!own->entrance->enter()) continue;  // the end of the interpreter deletes it
      PyEval_RestoreThread(own->kept->state);
      own->entrance->forget(*own->kept);
      PyThreadState_Clear(own->kept->state);
      PyThreadState_DeleteCurrent();
      own->entrance->leave();
    }
  }
  static inline thread_local Own *first = nullptr;
};

/// The calling thread's state for coming in by `entrance`, through which it is not attached.
PyThreadState *come_in(Entrance &entrance) noexcept {
  if (!entrance.enter()) stay_frozen();
  if (PyThreadState *const kept = OwnStates::find(entrance)) return kept;
  PyThreadState *const made = PyThreadState_New(entrance.interpreter());
  if (made == nullptr) Py_FatalError("PyGILState_Ensure: no memory for a thread state");
  return made;
}

/// Goes out by `entrance`. `state` is kept for the next time, if `last`, or none, can become the
/// thread's last one again.
void go_out(Entrance &entrance, PyThreadState *state, PyThreadState *last) noexcept {
  const bool is_kept = OwnStates::find(entrance) == state;
  if (is_kept || (&entrance != Entrance::main().get() && LastState::verified())) {
    if (!is_kept) OwnStates::add(entrance, state);
    LastState::replace(state, last);
    PyEval_SaveThread();
  } else {
    PyThreadState_Clear(state);  // which may run Python code, in here
    PyThreadState_DeleteCurrent();
  }
  entrance.leave();
}

/// `entrance`: by which the thread has come in, to be released; or null.
void change_to(PyThreadState *state, Entrance *entrance, PyThreadState *left,
               bool is_attached) noexcept {
  if (is_attached) PyEval_SaveThread();
  Change *const change = last_change == nullptr ? &first_change : new Change;
  *change = {.outer = last_change,
             .entered = state,
             .entrance = entrance,
             .left = left,
             .was_attached = is_attached,
             .unchanged_count = 0};
  last_change = change;
  PyEval_RestoreThread(state);
}

}  // namespace

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
  PyThreadState *const known = wanted ? find_state(wanted->interpreter(), last) : last;
  if (known != nullptr) {
    change_to(known, nullptr, last, attached != nullptr);
  } else {
    PyThreadState *const state = come_in(*wanted);
    change_to(state, wanted.leak(), last, attached != nullptr);
  }
  return PyGILState_UNLOCKED;
}

void GilState::release(PyGILState_STATE state) noexcept {
  if (unsigned &count = unchanged_count(); count != 0) {
    --count;
    return;
  }
  if (last_change == nullptr) return original_release(state);
  if (PyThreadState_GetUnchecked() != last_change->entered)
    Py_FatalError("PyGILState_Release: the thread is not attached as PyGILState_Ensure left it");
  if (last_change->entrance != nullptr) {
    go_out(*last_change->entrance, last_change->entered, last_change->left);
    last_change->entrance->release();
  } else {
    PyEval_SaveThread();
  }
  const Change change = *last_change;
  if (last_change != &first_change) delete last_change;
  last_change = change.outer;
  if (change.left == nullptr) return;
  if (change.was_attached) {
    PyEval_RestoreThread(change.left);
  } else if (change.left != change.entered && last_state() != change.left) {
    // CPython remembers the last one.
    PyEval_RestoreThread(change.left);
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
    if (PyThreadState_GetUnchecked() != nullptr) return Entrance::of_current().leak();
    PyThreadState *const last = last_state();
    if (last == nullptr) return inherited_entrance().leak();
    PyInterpreterState *const interpreter = PyThreadState_GetInterpreter(last);
    if (interpreter == PyInterpreterState_Main()) return nullptr;
    return Entrance::find(interpreter).leak();
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
