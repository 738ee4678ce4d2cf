// SPDX-License-Identifier: MIT
#include "interpreter/interpreter.hpp"

#include <csignal>

#include "base/check.hpp"
#include "interpreter/end.hpp"
#include "interpreter/entrance.hpp"
#include "interpreter/interrupt_handler.hpp"
#include "interpreter/kept.hpp"
#include "interpreter/registry.hpp"
#include "lock/global_lock.hpp"
#include "lock/interpreter_lock.hpp"
#include "platform/descriptor.hpp"

namespace interlock {
namespace {

thread_local Interpreter *current_interpreter = nullptr;

/// Own lock, own allocator, own extension check: the isolated configuration of PEP 684. Daemon
/// threads are allowed, since libraries start them; see end.hpp for how they end.
constexpr PyInterpreterConfig isolated_config() {
  PyInterpreterConfig config{};
  config.use_main_obmalloc = 0;
  config.allow_fork = 0;
  config.allow_exec = 0;
  config.allow_threads = 1;
  config.allow_daemon_threads = 1;
  config.check_multi_interp_extensions = 1;
  config.gil = PyInterpreterConfig_OWN_GIL;
  return config;
}

bool is_over(Interpreter::State state) {
  return state == Interpreter::State::kEnded || state == Interpreter::State::kAbandoned;
}

}  // namespace

Result<Ref<Interpreter>> Interpreter::create(std::string name, Ref<HomeService> service) {
  auto interpreter = make_ref<Interpreter>(std::move(name), std::move(service));
  if (Status status = InterpreterRegistry::instance().add(interpreter); !status.ok()) return status;
  // The lock keeps the home thread from ending before thread_ is set.
  Status failed;
  {
    MutexGuard guard(interpreter->mutex_);
    auto thread =
        Thread::start(interpreter->name_, 0, [interpreter] { interpreter->run_home_thread(); });
    if (thread.ok()) {
      interpreter->thread_ = std::move(thread.value());
      return interpreter;
    }
    failed = thread.status();
    interpreter->state_ = State::kEnded;
  }
  InterpreterRegistry::instance().remove(*interpreter);
  return failed;
}

Interpreter::~Interpreter() {
  // The last reference was the home thread's own, or that thread has ended unjoined.
  if (thread_.joinable() && rest_) {
    leave_behind(std::move(thread_), std::move(rest_));
  } else if (thread_.joinable()) {
    thread_.detach();
  }
  (void)rest_.leak();  // of a thread that was abandoned: nobody knows when it has ended
}

Interpreter *Interpreter::current() noexcept { return current_interpreter; }

Interpreter::State Interpreter::state() const noexcept {
  MutexGuard guard(mutex_);
  return state_;
}

void Interpreter::set_state(State state, Status failure) {
  MutexGuard guard(mutex_);
  if (is_over(state_)) return;
  state_ = state;
  if (!failure.ok()) failure_ = std::move(failure);
  for (Parker *waiter : waiters_) waiter->unpark();
  waiters_.clear();
}

Status Interpreter::wait_until(Deadline deadline, bool (*reached)(State)) {
  Parker *const self = &Parker::current();
  for (;;) {
    {
      MutexGuard guard(mutex_);
      if (reached(state_)) return {};
      waiters_.push_back(self);
    }
    const WaitResult result = self->park_until(deadline);
    MutexGuard guard(mutex_);
    std::erase(waiters_, self);
    if (reached(state_)) return {};
    if (result == WaitResult::kTimedOut) return Code::kETIMEDOUT;
    if (result == WaitResult::kInterrupted) return Code::kEINTERRUPTED;
  }
}

Status Interpreter::wait_serving(Deadline deadline) {
  Status status = wait_until(deadline, [](State state) { return state != State::kStarting; });
  if (!status.ok()) return status;
  MutexGuard guard(mutex_);
  return failure_;
}

Status Interpreter::wait_ended(Deadline deadline) {
  Status status = wait_until(deadline, is_over);
  if (status.ok()) join_home_thread();
  return status;
}

void Interpreter::join_home_thread() {
  Thread thread;
  Ref<RefCounted> rest;  // dropped after the thread was joined
  {
    MutexGuard guard(mutex_);
    if (state_ != State::kEnded || current_interpreter == this) return;
    thread = std::move(thread_);
    if (thread.joinable()) rest = std::move(rest_);
  }
  if (thread.joinable()) thread.join();
}

void Interpreter::abandon() {
  {
    MutexGuard guard(mutex_);
    if (is_over(state_)) return;
    state_ = State::kAbandoned;
    for (Parker *waiter : waiters_) waiter->unpark();
    waiters_.clear();
    if (thread_.joinable()) thread_.detach();
  }
  service_->ended(Status(Code::kEENDED, "the interpreter was abandoned: it did not end in time"));
}

void Interpreter::run_home_thread() {
  current_interpreter = this;
  {
    MutexGuard guard(mutex_);
    home_parker_ = &Parker::current();
  }
  clear_away();  // others' images are then there for this one
  Status status = create_interpreter();
  if (status.ok()) {
    serve_and_end();
  } else {
    service_->ended(status);
    set_state(State::kEnded, status);
    InterpreterRegistry::instance().remove(*this);
  }
}

Status Interpreter::create_interpreter() {
  const PyInterpreterConfig config = isolated_config();
  PyThreadState *state = nullptr;
  {
    GlobalLockGuard global;
    const PyStatus status = Py_NewInterpreterFromConfig(&state, &config);
    if (PyStatus_Exception(status)) {
      const char *const reason = status.err_msg != nullptr ? status.err_msg : "unknown reason";
      return Status(Code::kESTATE, std::string("CPython cannot create an interpreter: ") + reason);
    }
  }
  home_state_ = state;
  home_ident_ = PyThread_get_thread_ident();
  PyInterpreterState *const python = PyThreadState_GetInterpreter(state);
  id_ = PyInterpreterState_GetID(python);
  // Without memory for it threads do not inherit the interpreter.
  if (const Ref<Entrance> entrance = Entrance::of_current()) entrance->let_runtime_end();
  MutexGuard guard(mutex_);
  python_ = python;
  return {};
}

void Interpreter::serve_and_end() {
  const bool ready = service_->set_up(*this);
  if (ready) {
    set_state(State::kServing);
    service_->serve(*this);
  }
  set_state(State::kEnding);
  begin_work();
  run_exit_functions();
  end_work();
  tear_down();
  PyInterpreterState *python = nullptr;
  {
    MutexGuard guard(mutex_);
    python = std::exchange(python_, nullptr);  // from here on nobody may interrupt or enter it
  }
  const bool frozen = python == nullptr;  // by freeze(): the process ends
  Ref<RefCounted> rest;
  const Ending ending = frozen ? Ending::kFrozen : end_interpreter(home_state_, rest);
  {
    MutexGuard guard(mutex_);
    rest_ = std::move(rest);
  }
  if (ending == Ending::kFrozen) {
    if (frozen) PyEval_SaveThread();
    take_lock_for_good(home_state_);
  }
  service_->ended(Status(Code::kEENDED));
  if (ending == Ending::kDeleted) {
    set_state(State::kEnded);
    InterpreterRegistry::instance().remove(*this);
    return;
  }
  {
    MutexGuard guard(mutex_);
    undeleted_ = python;
    if (thread_.joinable()) thread_.detach();
  }
  set_state(State::kEnded);
  stay_frozen();
}

void Interpreter::freeze() {
  MutexGuard guard(mutex_);
  if (PyInterpreterState *const python = std::exchange(undeleted_, nullptr))
    return InterpreterList::remove(python);
  if (state_ != State::kAbandoned || python_ == nullptr) return;
  freeze_from_outside(python_);
  InterpreterList::remove(std::exchange(python_, nullptr));
}

void Interpreter::begin_work() noexcept { work_ = ++work_count_; }

void Interpreter::end_work() noexcept {
  work_ = 0;
  if (interrupted_work_.exchange(0) != 0) PyThreadState_SetAsyncExc(home_ident_, nullptr);
}

bool Interpreter::take_interrupt() noexcept {
  const std::uint64_t work = work_;
  std::uint64_t expected = work;
  return work != 0 && !holds_interrupts_ && interrupted_work_.compare_exchange_strong(expected, 0);
}

void Interpreter::interrupt(bool ending) {
  MutexGuard guard(mutex_);
  if (state_ == State::kEnding && !ending) return;
  const std::uint64_t work = work_;
  if (python_ == nullptr || work == 0) return;
  interrupted_work_ = work;
  send_interrupt_locked();
}

void Interpreter::release_interrupts() {
  holds_interrupts_ = false;
  MutexGuard guard(mutex_);
  if (python_ != nullptr && interrupted_work_ == work_) send_interrupt_locked();
}

void Interpreter::send_interrupt_locked() {
  home_parker_->interrupt();
  retain();  // deliver_interrupt() releases
  if (!add_pending_call(python_, deliver_interrupt, this)) release();
  // After the call is pending: whoever looks around because of this finds it.
  for (WakeTarget *each : interrupt_targets_) each->wake();
  if (wakeup_descriptor_ >= 0) write_byte(wakeup_descriptor_, SIGINT);
}

void Interpreter::add_interrupt_target(WakeTarget &target) {
  MutexGuard guard(mutex_);
  interrupt_targets_.push_back(&target);
}

void Interpreter::remove_interrupt_target(WakeTarget &target) {
  MutexGuard guard(mutex_);
  std::erase(interrupt_targets_, &target);
}

int Interpreter::set_wakeup_descriptor(int descriptor) {
  MutexGuard guard(mutex_);
  return std::exchange(wakeup_descriptor_, descriptor);
}

int Interpreter::deliver_interrupt(void *argument) {
  const Ref<Interpreter> interpreter(static_cast<Interpreter *>(argument));
  interpreter->release();  // what interrupt() retained
  const std::uint64_t work = interpreter->work_;
  if (work == 0 || interpreter->interrupted_work_ != work || interpreter->holds_interrupts_)
    return 0;
  if (current_interpreter == interpreter.get()) {
    return !interpreter->take_interrupt() || handle_interrupt() ? 0 : -1;
  }
  // Another thread of the interpreter runs pending calls, and no handler is meant for that one. The
  // mark stays, so that end_work() takes back an exception that the home thread has not seen by
  // then.
  PyThreadState_SetAsyncExc(interpreter->home_ident_, PyExc_KeyboardInterrupt);
  return 0;
}

}  // namespace interlock
