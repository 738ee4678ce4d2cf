// SPDX-License-Identifier: MIT
#include "pool/call_task.hpp"

#include "interpreter/end.hpp"
#include "interpreter/interpreter.hpp"
#include "transfer/move.hpp"
#include "transfer/transfer.hpp"

namespace interlock {

void Completions::add(Ref<CallTask> task) {
  MutexGuard guard(mutex_);
  tasks_.push_back(std::move(task));
  if (waiter_ != nullptr) waiter_->unpark();
}

void Completions::wake() {
  MutexGuard guard(mutex_);
  woken_ = true;
  if (waiter_ != nullptr) waiter_->unpark();
}

bool Completions::take_locked(std::vector<Ref<CallTask>> &tasks) {
  if (tasks_.empty() && !woken_) return false;
  tasks.swap(tasks_);
  woken_ = false;
  return true;
}

Status Completions::wait_until(Deadline deadline, std::vector<Ref<CallTask>> &tasks) {
  Parker *const self = &Parker::current();
  for (;;) {
    {
      MutexGuard guard(mutex_);
      if (take_locked(tasks)) return {};
      waiter_ = self;
    }
    const WaitResult result = self->park_until(deadline);
    MutexGuard guard(mutex_);
    waiter_ = nullptr;
    if (take_locked(tasks)) return {};
    if (result == WaitResult::kTimedOut) return Code::kETIMEDOUT;
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
  }
}

namespace {

/// Runs the call that `message` carries. What that carries, a Sender for one, ends with the call,
/// not with whoever keeps the task.
bool run_call(Message message, Message &outcome) {
  const PyRef call = PyRef::steal(decode(message));
  message = Message();
  if (!call) {
    outcome = encode_raised();
    return false;
  }
  PyObject *const *const parts = PySequence_Fast_ITEMS(call.get());
  return run_call(parts[0], parts[1], parts[2], outcome);
}

}  // namespace

Message CallTask::begin() {
  State expected = State::kQueued;
  if (!state_.compare_exchange_strong(expected, State::kRunning)) return {};
  if (announces_begin_) {
    MutexGuard guard(mutex_);
    if (waiter_ != nullptr) waiter_->unpark();
  }
  return std::move(call_);
}

void CallTask::run() {
  Message call = begin();
  if (call.empty()) return;
  Message outcome;
  const bool succeeded = run_call(std::move(call), outcome);
  flush_standard_streams();
  finish(succeeded, std::move(outcome));
}

void CallTask::report() {
  if (completions_) completions_->add(Ref<CallTask>(this));
  if (!bell_) return;
  Message none = Message::from_none();
  (void)bell_->try_send(none);  // nobody waits there any more
}

void CallTask::fail(const Status &why) {
  finish(State::kQueued, State::kFailed, {}, why);
  finish(State::kRunning, State::kFailed, {}, why);
}

bool CallTask::cancel() {
  State expected = State::kQueued;
  if (!state_.compare_exchange_strong(expected, State::kCancelled))
    return expected == State::kCancelled;
  {
    MutexGuard guard(mutex_);
    if (waiter_ != nullptr) waiter_->unpark();
  }
  report();
  return true;
}

void CallTask::finish(State from, State to, Message outcome, Status failure) {
  {
    MutexGuard guard(mutex_);
    if (state_ != from) return;
    outcome_ = std::move(outcome);
    failure_ = std::move(failure);
    if (from == State::kRunning) failed_running_ = true;
    // Cancelled meanwhile, from the queue: then nobody looks at the outcome.
    if (!state_.compare_exchange_strong(from, to)) return;
    if (waiter_ != nullptr) waiter_->unpark();
  }
  report();
}

Status CallTask::wait_until(Deadline deadline) {
  return wait_for([this] { return ended(); }, deadline);
}

Status CallTask::wait_begun() {
  return wait_for([this] { return was_begun() || ended(); }, Deadline::never());
}

template <typename Condition>
Status CallTask::wait_for(Condition is_over, Deadline deadline) {
  Parker *const self = &Parker::current();
  for (;;) {
    {
      MutexGuard guard(mutex_);
      if (is_over()) return {};
      waiter_ = self;
    }
    const WaitResult result = self->park_until(deadline);
    MutexGuard guard(mutex_);
    waiter_ = nullptr;
    if (is_over()) return {};
    if (result == WaitResult::kTimedOut) return Code::kETIMEDOUT;
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
  }
}

namespace {

PyRef call(PyObject *function, PyObject *arguments, PyObject *keywords) {
  if (!PyCFunction_Check(function))
    return PyRef::steal(
        PyObject_Call(function, arguments, Py_IsNone(keywords) ? nullptr : keywords));
  // Builtin functions such as eval() look at the frame of their caller: they get one of __main__.
  const PyRef module = PyRef::steal(PyImport_ImportModule("interlock._set_up"));
  const PyRef in_main =
      module ? PyRef::steal(PyObject_GetAttrString(module.get(), "in_main")) : PyRef();
  if (!in_main) return {};
  return PyRef::steal(
      PyObject_CallFunctionObjArgs(in_main.get(), function, arguments, keywords, nullptr));
}

}  // namespace

bool run_call(PyObject *function, PyObject *arguments, PyObject *keywords, Message &outcome) {
  PyRef result = call(function, arguments, keywords);
  if (result && give_away(result, "result", outcome).ok()) return true;
  outcome = encode_raised();
  return false;
}

Message encode_raised() {
  PyRef exception = PyRef::steal(PyErr_GetRaisedException());
  if (!Py_IS_TYPE(exception.get(), reinterpret_cast<PyTypeObject *>(PyExc_KeyboardInterrupt)))
    return encode_exception(std::move(exception));
  // Whoever interrupts often repeats it: the second is not to disturb the report of the first.
  Interpreter *const home = Interpreter::current();
  if (home == nullptr) return encode_exception(std::move(exception));
  const Interpreter::InterruptHold hold(*home);
  return encode_exception(std::move(exception));
}

}  // namespace interlock
