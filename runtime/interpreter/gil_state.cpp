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

/// CPython's own functions, which ours come before; where libinterlock stands behind CPython's
/// library, those are what everybody finds.
template <typename Function>
[[nodiscard]] Function *original(const char *name) noexcept {
  void *found = dlsym(RTLD_NEXT, name);
  Dl_info library;
  void *const code = reinterpret_cast<void *>(PyType_Type.tp_dealloc);
  if (found == nullptr && dladdr(code, &library) != 0) {
    if (void *const handle = dlopen(library.dli_fname, RTLD_LAZY | RTLD_NOLOAD))
      found = dlsym(handle, name);
  }
  CHECK(found != nullptr);
  return reinterpret_cast<Function *>(found);
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
  Entrance *entrance;   // by which it has come in; null if the thread had `entered` before
  PyThreadState *left;  // what the thread was attached through before, or last; or null
  bool was_attached;    // through `left`
};

thread_local Change *last_change = nullptr;
thread_local Change first_change;  // mostly there is one, for which no memory is to be asked

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
  /// Thread: inside.
  [[nodiscard]] static PyThreadState *find(const Entrance &entrance) noexcept {
    for (const Own *each = first; each != nullptr; each = each->next) {
      if (each->entrance.get() == &entrance) return each->kept->state;
    }
    return nullptr;
  }
  /// Keeps one that is its last, and attached.  False if it is to be deleted.  Thread: inside.
  [[nodiscard]] static bool keep(Entrance &entrance, PyThreadState *state) {
    const bool can_be_kept = !is_ending && entrance.keeps_states() && LastState::verified() &&
                             LastState::is_clean(state);
    const bool is_kept = find(entrance) == state;
    if (can_be_kept && !is_kept) add(entrance, state);
    if (!can_be_kept && is_kept) drop(entrance);
    return can_be_kept || is_kept;
  }

 private:
  struct Own {
    Own *next;
    Ref<Entrance> entrance;
    Ref<KeptState> kept;
  };
  static void add(Entrance &entrance, PyThreadState *state) {
    if (first == nullptr) call_at_thread_end(drop_all, nullptr);
    first = new Own{first, Ref<Entrance>(&entrance), entrance.keep(state)};
  }
  static void drop(const Entrance &entrance) {
    Own **link = &first;
    while ((*link)->entrance.get() != &entrance) link = &(*link)->next;
    const std::unique_ptr<Own> own(std::exchange(*link, (*link)->next));
    own->entrance->give_up(*own->kept);
  }
  /// The lock is not to be waited for: whoever joins the thread may hold it.
  static void drop_all(void *) noexcept {
    is_ending = true;
    while (first != nullptr) drop(*first->entrance);
  }
  static inline thread_local Own *first = nullptr;
  static inline thread_local bool is_ending = false;
};

/// The calling thread's state for coming in by `entrance`. Thread: not attached.
PyThreadState *come_in(Entrance &entrance) noexcept {
  if (!entrance.enter()) stay_frozen();
  if (PyThreadState *const kept = OwnStates::find(entrance)) return kept;
  PyThreadState *const made = PyThreadState_New(entrance.interpreter());
  if (made == nullptr) Py_FatalError("PyGILState_Ensure: no memory for a thread state");
  return made;
}

/// Goes out by `entrance`. `last`, or none, becomes the thread's last state again if `state` is
/// kept for the next time.
void go_out(Entrance &entrance, PyThreadState *state, PyThreadState *last) noexcept {
  if (OwnStates::keep(entrance, state)) {
    LastState::replace(state, last);
    PyEval_SaveThread();
  } else {
    PyThreadState_Clear(state);  // which may run Python code, in here
    PyThreadState_DeleteCurrent();
  }
  entrance.leave();
}

/// The calling thread, which is not attached, attaches. `entrance`: by which it has come in, to be
/// released; or null.
void change_to(PyThreadState *state, Entrance *entrance, PyThreadState *left,
               bool was_attached) noexcept {
  Change *const change = last_change == nullptr ? &first_change : new Change;
  *change = {.outer = last_change,
             .entered = state,
             .entrance = entrance,
             .left = left,
             .was_attached = was_attached};
  last_change = change;
  PyEval_RestoreThread(state);
  if (entrance == nullptr) return;
  entrance->delete_given_up();
  // It was for what the thread did here last.
  if (state->async_exc != nullptr)
    (void)PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), nullptr);
}

/// Into the interpreter of `entrance`, or of the state that was the thread's last.
void enter(Ref<Entrance> entrance, PyThreadState *last, bool is_attached) noexcept {
  PyThreadState *const known = entrance ? find_state(entrance->interpreter(), last) : last;
  if (is_attached) PyEval_SaveThread();
  PyThreadState *const state = known != nullptr ? known : come_in(*entrance);
  change_to(state, known != nullptr ? nullptr : entrance.leak(), last, is_attached);
}

}  // namespace

PyGILState_STATE GilState::ensure(Entrance *entrance) noexcept {
  PyThreadState *const attached = PyThreadState_GetUnchecked();
  if (attached != nullptr && is_of(attached, entrance)) return PyGILState_LOCKED;
  const StayInThread stay;
  PyThreadState *const last = attached != nullptr ? attached : last_state();
  Ref<Entrance> wanted(entrance);
  if (entrance == nullptr && last == nullptr) {
    wanted = inherited_entrance();
    if (!wanted) return original_ensure();  // of the main interpreter
  }
  enter(std::move(wanted), last, attached != nullptr);
  return PyGILState_UNLOCKED;
}

void GilState::release(PyGILState_STATE state) noexcept {
  if (state == PyGILState_LOCKED) return;
  const StayInThread stay;
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

void GilState::reset_after_fork() noexcept { LastState::reset_after_fork(); }

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
