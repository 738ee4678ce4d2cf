// SPDX-License-Identifier: MIT
// OS threads that the runtime starts. They block every signal that a process handles, so that the
// kernel delivers it to a thread that Python knows.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/status.hpp"

namespace interlock {

class Thread {
 public:
  /// Starts a thread that runs `body`.  `name`: at most 15 bytes are shown by the system.
  /// `stack_bytes`: 0 for the process's default.  Errors: kESYSTEM.
  [[nodiscard]] static Result<Thread> start(const std::string &name, std::size_t stack_bytes,
                                            std::function<void()> body);
  Thread() noexcept;
  Thread(Thread &&) noexcept;
  Thread &operator=(Thread &&) noexcept;
  /// A thread must have been joined or detached.
  ~Thread();

  [[nodiscard]] bool joinable() const noexcept;
  /// Blocks: until the thread has ended. Locks: none held.
  void join();
  void detach();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Has `function(argument)` called when the calling thread ends, the latest such call first. Where
/// a thread_local object needs a destructor, this is its place: MinGW frees such objects before it
/// destroys them.  Errors: ends the process if there is no memory.
void call_at_thread_end(void (*function)(void *) noexcept, void *argument) noexcept;

/// For the life of the guard a pthread_exit() of the calling thread stops it for good: the frames
/// below cannot be unwound. Only where CPython is built with; nobody else ends threads that way.
class StayInThread {
 public:
  [[nodiscard]] StayInThread() noexcept { ++depth(); }
  ~StayInThread() { --depth(); }
  StayInThread(const StayInThread &) = delete;
  StayInThread &operator=(const StayInThread &) = delete;

  [[nodiscard]] static int &depth() noexcept {
    static thread_local int guards = 0;
    return guards;
  }
};

/// Names the calling thread for debuggers and `top`.
void set_thread_name(const std::string &name) noexcept;

/// Processors this process may run on: at least 1.
[[nodiscard]] unsigned available_parallelism() noexcept;

/// The processor that the calling thread runs on, soon perhaps another one; -1 if unknown. Costs a
/// few nanoseconds.
[[nodiscard]] int current_processor() noexcept;

/// Lets another thread run on this processor, if one waits for it. Blocks: while that one runs.
void yield_processor() noexcept;

/// Tells the processor that the thread spins. Costs a few dozen cycles at most.
void relax_processor() noexcept;

}  // namespace interlock
