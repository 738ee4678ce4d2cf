// SPDX-License-Identifier: MIT
// The functions of PEP 788. CPython has them since 3.15, where these come before its own ones: the
// end of an interpreter, which waits for guards, is the runtime's. interlock.h declares them
// for 3.13 and 3.14.
#include <memory>
#include <new>
#include <utility>

#include "base/python_compat.hpp"
#include "interlock.h"
#include "interpreter/gil_state.hpp"

using namespace interlock;

struct PyInterpreterGuard {
  const Ref<Entrance> entrance;
};

struct PyInterpreterView {
  const Ref<Entrance> entrance;
};

namespace {

/// What PyThreadState_Ensure() and its like have to be undone.
struct Token {
  Ref<Entrance> guarded;  // by the call; or null
  PyGILState_STATE state = PyGILState_UNLOCKED;
};

/// Null with a Python exception set.
Ref<Entrance> current_entrance() {
  const bool is_main = PyInterpreterState_Get() == PyInterpreterState_Main();
  Ref<Entrance> entrance = is_main ? Entrance::main() : Entrance::of_current();
  if (!entrance) PyErr_NoMemory();
  return entrance && entrance->wait_at_exit() ? entrance : Ref<Entrance>();
}

template <typename T>
T *make(Ref<Entrance> entrance) {
  return entrance ? new (std::nothrow) T{std::move(entrance)} : nullptr;
}

PyInterpreterGuard *make_guard(const Ref<Entrance> &entrance) {
  auto *const guard = make<PyInterpreterGuard>(entrance);
  if (guard == nullptr || entrance->guard()) return guard;
  delete guard;
  return nullptr;
}

}  // namespace

extern "C" {

PyInterpreterGuard *PyInterpreterGuard_FromCurrent() {
  const Ref<Entrance> entrance = current_entrance();
  if (!entrance) return nullptr;
  PyInterpreterGuard *const guard = make_guard(entrance);
  if (guard != nullptr) return guard;
  if (entrance->is_closed()) {
    PyErr_SetString(PyExc_PythonFinalizationError,
                    "the interpreter ends: it cannot be kept from that any more");
  } else {
    PyErr_NoMemory();
  }
  return nullptr;
}

PyInterpreterGuard *PyInterpreterGuard_FromView(PyInterpreterView *view) {
  return make_guard(view->entrance);
}

void PyInterpreterGuard_Close(PyInterpreterGuard *guard) {
  const std::unique_ptr<PyInterpreterGuard> owned(guard);
  owned->entrance->unguard();
}

PyInterpreterView *PyInterpreterView_FromCurrent() {
  Ref<Entrance> entrance = current_entrance();
  if (!entrance) return nullptr;
  auto *const view = make<PyInterpreterView>(std::move(entrance));
  if (view == nullptr) PyErr_NoMemory();
  return view;
}

PyInterpreterView *PyInterpreterView_FromMain() {
  static const bool waits = [] {
    const EnterMainInterpreter enter;
    if (Entrance::main()->wait_at_exit()) return true;
    PyErr_Clear();
    return false;
  }();
  (void)waits;
  return make<PyInterpreterView>(Entrance::main());
}

void PyInterpreterView_Close(PyInterpreterView *view) { delete view; }

PyThreadStateToken *PyThreadState_Ensure(PyInterpreterGuard *guard) {
  auto *const token = new (std::nothrow) Token{};
  if (token != nullptr) token->state = GilState::ensure(guard->entrance.get());
  return token;
}

PyThreadStateToken *PyThreadState_EnsureFromView(PyInterpreterView *view) {
  if (!view->entrance->guard()) return nullptr;
  auto *const token = new (std::nothrow) Token{.guarded = view->entrance};
  if (token != nullptr) {
    token->state = GilState::ensure(view->entrance.get());
  } else {
    view->entrance->unguard();
  }
  return token;
}

void PyThreadState_Release(PyThreadStateToken *token) {
  const std::unique_ptr<Token> owned(static_cast<Token *>(token));
  GilState::release(owned->state);
  if (owned->guarded) owned->guarded->unguard();
}

}  // extern "C"
