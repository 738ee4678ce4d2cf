// SPDX-License-Identifier: MIT
#include "platform/thread.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <uv.h>

#ifdef HAVE_PTHREAD_NP_H
#include <pthread_np.h>
#endif

#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.hpp"
#include "platform/wait.hpp"
#include "posix/thread_creation.hpp"

namespace interlock {
namespace {

// Python recurses on the C stack; musl's default of 128 KiB would not carry it.
constexpr std::size_t kDefaultStackBytes = 8u << 20;

thread_local bool is_own_thread = false;  // one that this file started

struct Start {
  std::string name;
  std::function<void()> body;
};

void *run(void *argument) {
  const std::unique_ptr<Start> start(static_cast<Start *>(argument));
  set_thread_name(start->name);
  is_own_thread = true;
  start->body();
  is_own_thread = false;
  return nullptr;
}

/// Every signal but those that a thread raises itself by a fault, and the profiler's.
sigset_t handled_elsewhere() {
  sigset_t set;
  sigfillset(&set);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF}) {
    sigdelset(&set, own);
  }
  return set;
}

}  // namespace

struct Thread::Impl {
  pthread_t handle;
};

Thread::Thread() noexcept = default;
Thread::Thread(Thread &&) noexcept = default;

Thread &Thread::operator=(Thread &&other) noexcept {
  CHECK(!joinable());
  impl_ = std::move(other.impl_);
  return *this;
}

Thread::~Thread() { CHECK(!joinable()); }

Result<Thread> Thread::start(const std::string &name, std::size_t stack_bytes,
                             std::function<void()> body) {
  auto start = std::make_unique<Start>(Start{name, std::move(body)});
  Thread thread;
  thread.impl_ = std::make_unique<Impl>();

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes != 0 ? stack_bytes : kDefaultStackBytes);
  const sigset_t blocked = handled_elsewhere();
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, &blocked, &before);  // inherited by the new thread
  const int error = create_plain_thread(&thread.impl_->handle, &attributes, run, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) {
    thread.impl_.reset();
    return Status(Code::kESYSTEM, std::string("cannot start a thread: ") + std::strerror(error));
  }
  (void)start.release();  // run() owns it
  return thread;
}

bool Thread::joinable() const noexcept { return impl_ != nullptr; }

void Thread::join() {
  CHECK(joinable());
  CHECK(pthread_join(impl_->handle, nullptr) == 0);
  impl_.reset();
}

void Thread::detach() {
  CHECK(joinable());
  CHECK(pthread_detach(impl_->handle) == 0);
  impl_.reset();
}

void set_thread_name(const std::string &name) noexcept {
#ifdef HAVE_PTHREAD_SETNAME_NP
  // The kernel keeps 15 bytes and refuses more.
  char shown[16] = {};
  name.copy(shown, sizeof shown - 1);
  pthread_setname_np(pthread_self(), shown);
#elif defined(HAVE_PTHREAD_SET_NAME_NP)
  pthread_set_name_np(pthread_self(), name.c_str());
#else
  (void)name;
#endif
}

unsigned available_parallelism() noexcept { return uv_available_parallelism(); }

int current_processor() noexcept {
#ifdef HAVE_SCHED_GETCPU
  return sched_getcpu();
#else
  return -1;
#endif
}

void yield_processor() noexcept { sched_yield(); }

void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
  asm volatile("yield");
#endif
}

}  // namespace interlock

#ifdef INTERLOCK_WITH_PYTHON
/// CPython 3.13 ends a thread that wants an interpreter lock after finalisation has begun with
/// pthread_exit(), which unwinds the C++ frames below: their destructors would release objects
/// without that lock, and one that must not throw ends the process. The runtime's own threads, and
/// others that come back into their interpreter from a wait of the runtime, or come into one by
/// PyGILState_Ensure(), stop for good instead,
/// as every thread does since 3.14 (python/cpython#87135). Seen by CPython because the program, or
/// libinterlock, comes before the C library in the order of symbol lookup.
extern "C" __attribute__((visibility("default"), noreturn)) void pthread_exit(void *value) {
  if (interlock::is_own_thread || interlock::StayInThread::depth() != 0) {
    const interlock::Atomic<std::uint32_t> never{0};
    for (;;) (void)interlock::wait_on_address(never, 0, interlock::Deadline::never());
  }
  using Exit = void (*)(void *);
  const auto real = reinterpret_cast<Exit>(dlsym(RTLD_NEXT, "pthread_exit"));
  CHECK(real != nullptr);
  real(value);
  __builtin_unreachable();
}
#endif
