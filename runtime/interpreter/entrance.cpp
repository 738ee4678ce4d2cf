// SPDX-License-Identifier: MIT
#include "interpreter/entrance.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "lock/interpreter_lock.hpp"
#include "platform/wait.hpp"

namespace interlock {
namespace {

// Leaked on purpose: threads may ask when static destructors have run. The mutex guards the map.
Mutex &entrances_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::map<PyInterpreterState *, Ref<Entrance>> &entrances_locked() {
  static auto *const all = new std::map<PyInterpreterState *, Ref<Entrance>>;
  return *all;
}

void add(PyInterpreterState *interpreter, const Ref<Entrance> &entrance) {
  MutexGuard guard(entrances_mutex());
  entrances_locked().insert_or_assign(interpreter, entrance);
}
void remove(PyInterpreterState *interpreter) {
  Ref<Entrance> removed;
  MutexGuard guard(entrances_mutex());
  const auto found = entrances_locked().find(interpreter);
  if (found == entrances_locked().end()) return;
  removed = std::move(found->second);
  entrances_locked().erase(found);
}

/// How long a callback that runs may take to return. Whoever stays longer waits for something, and
/// is stopped as daemon threads are.
constexpr std::int64_t kPatienceNs = 1'000'000'000;

constexpr const char *kName = "interlock.entrance";  // in the interpreter's dict

}  // namespace

Ref<Entrance> Entrance::of_current() noexcept {
  PyInterpreterState *const interpreter = PyInterpreterState_Get();
  if (interpreter == PyInterpreterState_Main()) return {};
  if (Ref<Entrance> known = find(interpreter)) return known;
  Ref<Entrance> made = make_ref<Entrance>(interpreter);
  add(interpreter, made);
  // CPython clears the dict when the interpreter ends: nobody has closed the entrance of one that
  // others have created.
  const auto forget = [](PyObject *capsule) {
    auto &entrance = *static_cast<Entrance *>(PyCapsule_GetPointer(capsule, kName));
    entrance.close();
    remove(PyInterpreterState_Get());
  };
  PyObject *const raised = PyErr_GetRaisedException();
  const PyRef capsule = PyRef::steal(PyCapsule_New(made.get(), kName, forget));
  PyObject *const dict = PyInterpreterState_GetDict(interpreter);
  const bool is_kept =
      capsule && dict != nullptr && PyDict_SetItemString(dict, kName, capsule.get()) == 0;
  PyErr_SetRaisedException(raised);
  if (is_kept) return made;
  remove(interpreter);
  return {};
}

Ref<Entrance> Entrance::find(PyInterpreterState *interpreter) {
  if (interpreter == PyInterpreterState_Main()) return main();
  MutexGuard guard(entrances_mutex());
  const auto found = entrances_locked().find(interpreter);
  return found != entrances_locked().end() ? found->second : Ref<Entrance>();
}

bool Entrance::wait_at_exit() noexcept {
  static PyMethodDef function = {"close_entrance",
                                 [](PyObject *, PyObject *) {
                                   (void)close_current();
                                   return Py_NewRef(Py_None);
                                 },
                                 METH_NOARGS, nullptr};
  if (waits_at_exit_) return true;
  const PyRef module = PyRef::steal(PyImport_ImportModule("atexit"));
  const PyRef close = PyRef::steal(PyCFunction_New(&function, nullptr));
  if (!module || !close) return false;
  waits_at_exit_ = static_cast<bool>(
      PyRef::steal(PyObject_CallMethod(module.get(), "register", "O", close.get())));
  return waits_at_exit_;
}

const Ref<Entrance> &Entrance::main() noexcept {
  static auto *const entrance = new Ref<Entrance>(make_ref<Entrance>(PyInterpreterState_Main()));
  return *entrance;
}

bool Entrance::close_current() noexcept {
  const Ref<Entrance> known = find(PyInterpreterState_Get());
  if (!known) return true;
  if (known->is_closed()) return known->inside_ == kClosed;
  {
    const LeaveInterpreter leave;
    known->close_to_guards();
    known->close();
    if (!known->wait_until_empty(Deadline::after_ns(kPatienceNs))) return false;
  }
  known->delete_states(true);
  return true;
}

bool Entrance::enter() noexcept {
  // SYNC(entrance): either we see kClosed, or who waits until it is empty counts us.
  if ((inside_.fetch_add(1) & kClosed) == 0) return true;
  leave();
  return false;
}

void Entrance::leave() noexcept {
  // SYNC(entrance): what we did inside happens before what is done once it is empty.
  if (inside_.fetch_sub(1) == (kClosed | 1)) wake_all(inside_);
}

bool Entrance::guard() noexcept {
  // SYNC(entrance): either we see kClosed, or who closes sees us.
  if ((guards_.fetch_add(1) & kClosed) == 0) return true;
  guards_.fetch_sub(1);
  return false;
}

void Entrance::unguard() noexcept {
  if (guards_.fetch_sub(1) == 1) wake_all(guards_);
}

/// Until there is none.
void Entrance::close_to_guards() noexcept {
  for (std::uint32_t seen = 0; !guards_.compare_exchange_strong(seen, kClosed); seen = 0)
    (void)wait_on_address(guards_, seen, Deadline::never());
}

void Entrance::close() noexcept {
  guards_.fetch_or(kClosed);
  inside_.fetch_or(kClosed);
}

bool Entrance::wait_until_empty(Deadline deadline) noexcept {
  for (std::uint32_t seen = inside_; seen != kClosed; seen = inside_) {
    if (wait_on_address(inside_, seen, deadline) == WaitResult::kTimedOut) return false;
  }
  return true;
}

Ref<KeptState> Entrance::keep(PyThreadState *state) {
  Ref<KeptState> made = make_ref<KeptState>(state);
  MutexGuard guard(mutex_);
  kept_.push_back(made);
  return made;
}

void Entrance::give_up(KeptState &kept) noexcept {
  kept.is_without_thread = true;
  has_given_up_ = true;
}

/// Their threads do not come in by them any more.
void Entrance::delete_states(bool all) noexcept {
  std::vector<Ref<KeptState>> taken;
  {
    MutexGuard guard(mutex_);
    const auto first = std::partition(kept_.begin(), kept_.end(), [all](const auto &each) {
      return !all && !each->is_without_thread;
    });
    taken.assign(std::make_move_iterator(first), std::make_move_iterator(kept_.end()));
    kept_.erase(first, kept_.end());
  }
  for (const Ref<KeptState> &each : taken) {
    PyThreadState *const state = std::exchange(each->state, nullptr);
    PyThreadState_Clear(state);
    PyThreadState_Delete(state);
  }
}

void Entrance::reset_after_fork() noexcept {
  entrances_mutex().reset_after_fork();
  // Their threads and locks are the parent's.
  for (auto &[interpreter, each] : entrances_locked()) {
    each->inside_ = kClosed;
    (void)each.leak();
  }
  entrances_locked().clear();
}

}  // namespace interlock
