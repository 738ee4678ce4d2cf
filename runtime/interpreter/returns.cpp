// SPDX-License-Identifier: MIT
#include "interpreter/returns.hpp"

#include "interpreter/detached.hpp"
#include "lock/wait_ladder.hpp"

namespace interlock {
namespace {

// In the dict that CPython keeps for each interpreter. It is cleared when nothing can import a
// module any more, before the last garbage collection (PyInterpreterState_Clear(), 3.13-3.15).
constexpr const char *kName = "interlock.returns";

Returns *find() noexcept {
  PyObject *const dict = PyInterpreterState_GetDict(PyInterpreterState_Get());
  PyObject *const capsule = dict != nullptr ? PyDict_GetItemString(dict, kName) : nullptr;
  if (capsule == nullptr) return nullptr;
  return static_cast<Returns *>(PyCapsule_GetPointer(capsule, kName));
}

bool is_attached_to(PyInterpreterState *interpreter) noexcept {
  PyThreadState *const state = PyThreadState_GetUnchecked();
  return state != nullptr && PyThreadState_GetInterpreter(state) == interpreter;
}

}  // namespace

Returns *Returns::current() noexcept { return find(); }

Returns *Returns::create_current() noexcept {
  if (Returns *const known = find()) return known;
  PyInterpreterState *const interpreter = PyInterpreterState_Get();
  Ref<Returns> made = make_ref<Returns>(interpreter);
  const PyRef capsule = PyRef::steal(PyCapsule_New(made.get(), kName, close_capsule));
  if (!capsule) return nullptr;
  Returns *const returns = made.leak();  // close_capsule() releases
  PyObject *const dict = PyInterpreterState_GetDict(interpreter);
  if (dict == nullptr) PyErr_NoMemory();
  if (dict == nullptr || PyDict_SetItemString(dict, kName, capsule.get()) != 0) return nullptr;
  return returns;
}

void Returns::close_capsule(PyObject *capsule) {
  auto *const returns = static_cast<Returns *>(PyCapsule_GetPointer(capsule, kName));
  returns->close();
  returns->release();
}

bool Returns::lend(Returned &item) noexcept {
  if (first_ == closed()) return false;
  item.next_ = lent_;
  if (lent_ != nullptr) lent_->previous_ = &item;
  lent_ = &item;
  return true;
}

void Returns::forget(Returned &item) noexcept {
  if (item.previous_ != nullptr) item.previous_->next_ = item.next_;
  if (item.next_ != nullptr) item.next_->previous_ = item.previous_;
  if (lent_ == &item) lent_ = item.next_;
  item.previous_ = item.next_ = nullptr;
}

void Returns::give_back(Returned *item) noexcept {
  ++giving_back_;  // before first_ is read: close() looks in the other order
  Returned *first = first_;
  do {
    if (first == closed()) break;
    item->next_returned_ = first;
  } while (!first_.compare_exchange_weak(first, item));
  if (first != closed()) ask(first == nullptr);
  --giving_back_;
  if (first == closed()) item->release_after_end();
}

/// Lets the owner release what is in the list. `is_first`: it was empty; otherwise whoever put
/// something into it before has woken the owner.
void Returns::ask(bool is_first) noexcept {
  if (!is_asked_ && !is_asked_.exchange(true) && !add_pending_call(owner_, deliver, nullptr))
    is_asked_ = false;  // the queue is full: the next one tries again
  if (is_first && !is_attached_to(owner_)) DetachedWait::interrupt_one(owner_);
}

/// A pending call has no reference to a Returns: it may come when that is gone, or never.
int Returns::deliver(void *) {
  if (Returns *const returns = find()) {
    returns->is_asked_ = false;
    returns->drain();
  }
  return 0;
}

void Returns::drain() noexcept {
  Returned *items = first_;
  while (items != nullptr && items != closed()) {
    if (first_.compare_exchange_weak(items, nullptr)) return release_all(items);
  }
}

void Returns::drain_if_home() noexcept {
  // Another interpreter may stand where the owner stood; the list is closed then.
  if (is_attached_to(owner_)) drain();
}

void Returns::drain_current() noexcept {
  if (Returns *const returns = find()) returns->drain();
}

/// The oldest first, which `items` has last.
void Returns::release_all(Returned *items) noexcept {
  Returned *oldest = nullptr;
  while (items != nullptr) {
    Returned *const next = std::exchange(items->next_returned_, oldest);
    oldest = std::exchange(items, next);
  }
  PyObject *const raised = PyErr_GetRaisedException();
  while (oldest != nullptr) {
    Returned *const item = std::exchange(oldest, oldest->next_returned_);
    forget(*item);
    item->release_at_home();
  }
  PyErr_SetRaisedException(raised);
}

void Returns::close() noexcept {
  drain();
  while (lent_ != nullptr) {
    lent_->owner_ends();
    forget(*lent_);
  }
  release_all(first_.exchange(closed()));
  // A thread that saw the list open is about to be done with owner_. In the child of a fork it may
  // not exist; and CPython stops threads for good when the process ends.
  const Deadline give_up = Deadline::after_ns(1'000'000'000);
  BusyLadder ladder;
  while (giving_back_ != 0 && !is_from_parent() && !give_up.passed()) ladder.climb_or_sleep();
}

}  // namespace interlock
