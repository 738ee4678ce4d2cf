// SPDX-License-Identifier: MIT
#include "python/exit.hpp"

#include "extension/redirections.hpp"
#include "interpreter/detached.hpp"
#include "interpreter/entrance.hpp"
#include "interpreter/gil_state.hpp"
#include "interpreter/kept.hpp"
#include "interpreter/registry.hpp"
#include "lock/global_lock.hpp"
#include "memory/arena.hpp"
#include "platform/thread_heritage.hpp"
#include "python/blocking.hpp"
#include "python/module.hpp"
#include "transfer/known_names.hpp"
#include "transfer/registrations.hpp"

namespace interlock {

PyObject *close_all(PyObject *, PyObject *arguments) {
  PyObject *drain = nullptr;
  double give_up = 0;
  Deadline drained;
  if (!PyArg_ParseTuple(arguments, "Od:close_all", &drain, &give_up)) return nullptr;
  if (!parse_timeout(drain, drained)) return nullptr;
  unsigned abandoned = 0;
  const Status status = run_detached([&] {
    const Deadline last = drained.is_never()
                              ? drained
                              : Deadline{drained.ns + static_cast<std::int64_t>(give_up * 1e9)};
    return InterpreterRegistry::instance().close_all(drained, last, abandoned);
  });
  if (!status.ok()) return raise(status);
  return PyLong_FromUnsignedLong(abandoned);
}

void forget_parent() noexcept {
  InterpreterList::keep_only_main();
  ++process_generation;
  set_handles_signals();
  Parker::reset_after_fork();
  DetachedWait::reset_after_fork();
  ArenaMemory::forget_parent();
  GlobalLock::instance().reset_after_fork();
  InterpreterRegistry::instance().reset_after_fork();
  Registrations::instance().reset_after_fork();
  KnownNames::instance().reset_after_fork();
  reset_thread_creation_after_fork();
  Entrance::reset_after_fork();
  GilState::reset_after_fork();
  ImageOwners::reset_after_fork();
  PrivateLibraries::reset_after_fork();
  forget_rests_after_fork();
}

}  // namespace interlock
