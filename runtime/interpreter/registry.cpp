// SPDX-License-Identifier: MIT
#include "interpreter/registry.hpp"

#include <algorithm>

#include "lock/global_lock.hpp"

namespace interlock {
namespace {

/// Waits for all of `interpreters` until `deadline`; drops those that have ended.
Status wait_for(std::vector<Ref<Interpreter>> &interpreters, Deadline deadline) {
  while (!interpreters.empty()) {
    Status status = interpreters.back()->wait_ended(deadline);
    if (!status.ok()) return status;
    interpreters.pop_back();
  }
  return {};
}

}  // namespace

InterpreterRegistry &InterpreterRegistry::instance() noexcept {
  // Leaked on purpose: home threads may outlive static destructors.
  static InterpreterRegistry *const registry = new InterpreterRegistry;
  return *registry;
}

Status InterpreterRegistry::add(Ref<Interpreter> interpreter) {
  MutexGuard guard(mutex_);
  if (closing_)
    return Status(Code::kESTATE, "cannot create an interpreter: the process is exiting");
  interpreters_.push_back(std::move(interpreter));
  return {};
}

void InterpreterRegistry::remove(Interpreter &interpreter) {
  Ref<Interpreter> dropped;  // its end, if it is the last reference, comes after the lock's
  MutexGuard guard(mutex_);
  const auto place = std::find_if(interpreters_.begin(), interpreters_.end(),
                                  [&](const auto &each) { return each.get() == &interpreter; });
  if (place == interpreters_.end()) return;
  dropped = std::move(*place);
  interpreters_.erase(place);
}

std::vector<Ref<Interpreter>> InterpreterRegistry::all() const {
  MutexGuard guard(mutex_);
  return interpreters_;
}

Status InterpreterRegistry::close_all(Deadline drain, Deadline give_up, unsigned &abandoned) {
  abandoned = 0;
  {
    MutexGuard guard(mutex_);
    closing_ = true;
  }
  std::vector<Ref<Interpreter>> left = all();
  for (const auto &interpreter : left) interpreter->service().stop();
  Status status = wait_for(left, drain);
  if (status.code() == Code::kEINTERRUPTED) return status;
  if (!status.ok()) abandoned = interrupt_and_abandon(left, give_up);
  for (const auto &interpreter : all()) interpreter->freeze();  // also those abandoned before
  return {};
}

unsigned InterpreterRegistry::interrupt_and_abandon(std::vector<Ref<Interpreter>> &left,
                                                    Deadline give_up) {
  for (const auto &interpreter : left) interpreter->interrupt(true);
  Status status;
  do {
    status = wait_for(left, give_up);
  } while (status.code() == Code::kEINTERRUPTED && !give_up.passed());
  for (const auto &interpreter : left) interpreter->abandon();
  return static_cast<unsigned>(left.size());
}

void InterpreterRegistry::reset_after_fork() noexcept {
  mutex_.reset_after_fork();
  // Their home threads do not exist here: leaked, never touched.
  for (auto &interpreter : interpreters_) (void)interpreter.leak();
  interpreters_.clear();
  closing_ = false;
}

}  // namespace interlock
