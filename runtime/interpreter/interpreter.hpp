// SPDX-License-Identifier: MIT
// An isolated CPython interpreter with its own lock, and its home thread: the OS thread that
// creates it, runs what its HomeService gives it, and ends it. Handles, the registry and the home
// thread each hold a reference. Lock: mutex_ (kRegistry) guards state_, waiters_, thread_, rest_,
// wakeup_descriptor_ and interrupt_targets_.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/python_compat.hpp"
#include "base/ref.hpp"
#include "base/status.hpp"
#include "lock/mutex.hpp"
#include "lock/parker.hpp"
#include "lock/wait_queue.hpp"
#include "platform/thread.hpp"

namespace interlock {

class Interpreter;

/// What a home thread does between the start and the end of its interpreter.
class HomeService : public RefCounted {
 public:
  /// Runs first. False: the interpreter is ended at once. Thread: home, attached.
  [[nodiscard]] virtual bool set_up(Interpreter &interpreter) = 0;
  /// Runs until told to stop. Thread: home, attached; leaves the interpreter while it waits.
  virtual void serve(Interpreter &interpreter) = 0;
  /// Tells serve() to return once nothing is left to do. Thread: any, attached or not. Never
  /// blocks.
  virtual void stop() = 0;
  /// The interpreter could not be created, or has ended or been given up: nothing runs any more.
  /// Thread: any; not attached.
  virtual void ended(const Status &why) = 0;
};

class Interpreter final : public Shared {
 public:
  // kStarting -> kServing | kEnded;  kServing -> kEnding | kAbandoned;  kEnding -> kEnded |
  // kAbandoned
  enum class State : std::uint8_t { kStarting, kServing, kEnding, kEnded, kAbandoned };

  /// Starts the home thread and returns at once. `name` is shown by the system (15 bytes of it).
  /// Thread: any.  Blocks: never for long.  Errors: kESYSTEM, kESTATE (the process is exiting).
  [[nodiscard]] static Result<Ref<Interpreter>> create(std::string name, Ref<HomeService> service);

  /// The interpreter of the calling home thread, or null.
  [[nodiscard]] static Interpreter *current() noexcept;

  [[nodiscard]] Kind kind() const noexcept override { return Kind::kInterpreter; }
  /// CPython's id of the interpreter; -1 until it exists.
  [[nodiscard]] std::int64_t id() const noexcept { return id_; }
  [[nodiscard]] const std::string &name() const noexcept { return name_; }
  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] HomeService &service() noexcept { return *service_; }

  /// Waits until the interpreter serves or has ended.
  /// Thread: any.  Locks: none, no interpreter lock.  Errors: kETIMEDOUT, kEINTERRUPTED; what
  /// failed.
  [[nodiscard]] Status wait_serving(Deadline deadline);
  /// Waits until the interpreter has ended and its home thread is joined, or it was abandoned.
  [[nodiscard]] Status wait_ended(Deadline deadline);

  /// Raises KeyboardInterrupt in what the home thread is running; nothing if it is idle. Python
  /// code sees it at its next bytecode, waits of this runtime at once, other blocking calls when
  /// they return. With `ending` also in what it runs to end the interpreter. Thread: any, attached
  /// or not.  Blocks: never.
  void interrupt(bool ending = false);
  /// `target` is woken by interrupts as well, until it is removed: where the home thread waits may
  /// be an event loop. Thread: any, attached or not.  Blocks: never for long.
  void add_interrupt_target(WakeTarget &target);
  void remove_interrupt_target(WakeTarget &target);
  /// Where interrupts write the number of SIGINT, -1 for nowhere; what it was before. The caller
  /// keeps the descriptor open, and it must not block.  Thread: any.
  int set_wakeup_descriptor(int descriptor);

  /// Gives up waiting: the home thread may run on, but nothing more is expected of it. What the
  /// service holds is failed. Thread: any; not attached.
  void abandon();

  /// Of an interpreter that was abandoned or could not be deleted: nothing in it runs from soon
  /// after now, and CPython forgets it. For the end of the process. Thread: main.
  void freeze();

  /// Marks the beginning and the end of interruptible work. Thread: home, attached.
  void begin_work() noexcept;
  void end_work() noexcept;
  /// True if an interrupt is due; it is then taken. Thread: home.
  [[nodiscard]] bool take_interrupt() noexcept;
  /// Interrupts that arrive in the life of one wait for its end. Thread: home, attached; within
  /// work.
  class InterruptHold {
   public:
    explicit InterruptHold(Interpreter &interpreter) noexcept : interpreter_(interpreter) {
      interpreter_.holds_interrupts_ = true;
    }
    InterruptHold(const InterruptHold &) = delete;
    InterruptHold &operator=(const InterruptHold &) = delete;
    ~InterruptHold() { interpreter_.release_interrupts(); }

   private:
    Interpreter &interpreter_;
  };

 private:
  friend class InterpreterRegistry;
  Interpreter(std::string name, Ref<HomeService> service)
      : name_(std::move(name)), service_(std::move(service)) {}
  ~Interpreter() override;
  template <typename T, typename... Args>
  friend Ref<T> make_ref(Args &&...args);

  void run_home_thread();
  [[nodiscard]] Status create_interpreter();
  void serve_and_end();
  void set_state(State state, Status failure = {});
  [[nodiscard]] Status wait_until(Deadline deadline, bool (*reached)(State));
  void join_home_thread();
  void release_interrupts();
  void send_interrupt_locked();
  static int deliver_interrupt(void *interpreter);

  const std::string name_;
  const Ref<HomeService> service_;
  std::atomic<std::int64_t> id_{-1};

  mutable Mutex mutex_{LockRank::kRegistry};
  State state_ = State::kStarting;
  Status failure_;  // why the interpreter never served
  std::vector<Parker *> waiters_;
  std::vector<WakeTarget *> interrupt_targets_;
  int wakeup_descriptor_ = -1;
  Thread thread_;
  Ref<RefCounted> rest_;                  // what is dropped when the home thread has ended
  PyInterpreterState *python_ = nullptr;  // null before creation and from the beginning of the end
  PyInterpreterState *undeleted_ = nullptr;  // ended, but with threads left in it
  Parker *home_parker_ = nullptr;

  PyThreadState *home_state_ = nullptr;  // home thread only
  unsigned long home_ident_ = 0;         // Python's ident of the home thread
  // 0: no work; else the number of the work that runs. Home thread writes.
  std::atomic<std::uint64_t> work_{0};
  std::uint64_t work_count_ = 0;
  std::atomic<std::uint64_t> interrupted_work_{0};  // the work to be interrupted, or 0
  bool holds_interrupts_ = false;                   // guarded by the interpreter lock
};

}  // namespace interlock
