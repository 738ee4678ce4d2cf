// SPDX-License-Identifier: MIT
#include "platform/thread.hpp"

namespace interlock {
namespace {

struct Call {
  void (*function)(void *) noexcept;
  void *argument;
  Call *next;
};

thread_local Call *calls = nullptr;

struct Caller {
  ~Caller() {
    while (calls != nullptr) {
      const std::unique_ptr<Call> call(calls);
      calls = call->next;
      call->function(call->argument);
    }
  }
};

}  // namespace

void call_at_thread_end(void (*function)(void *) noexcept, void *argument) noexcept {
  thread_local const Caller caller;
  calls = new Call{function, argument, calls};
}

}  // namespace interlock
