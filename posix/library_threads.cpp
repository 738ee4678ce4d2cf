// SPDX-License-Identifier: MIT
#include "posix/library_threads.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <map>
#include <memory>
#include <thread>

#include "base/atomic.hpp"
#include "lock/mutex.hpp"
#include "platform/thread.hpp"

namespace interlock {

/// As std::thread::_State, which GCC 15 made private, is laid out by the Itanium C++ ABI. Not in
/// the namespace below: compilers would take it that nothing else derives from it.
class StandardThreadState {
 public:
  virtual ~StandardThreadState() = default;
  virtual void _M_run() = 0;
};

namespace {

/// Of one copy. It outlives the copy, whose threads may outlive it.
using Count = std::shared_ptr<Atomic<unsigned>>;

struct Copy {
  const std::byte *start;
  Count running;
};

// Leaked on purpose: threads may start and end when static destructors have run. The mutex guards
// the map.
Mutex &copies_mutex() {
  static Mutex *const mutex = new Mutex(LockRank::kLeaf);
  return *mutex;
}
std::map<const std::byte *, Copy> &copies_locked() {
  static auto *const all = new std::map<const std::byte *, Copy>;  // by the end of their memory
  return *all;
}

/// Null if the code is of no copy.
Count count_of(const void *code) {
  const auto *const address = static_cast<const std::byte *>(code);
  MutexGuard guard(copies_mutex());
  const auto found = copies_locked().upper_bound(address);
  const bool is_known = found != copies_locked().end() && address >= found->second.start;
  return is_known ? found->second.running : Count();
}

/// Counts the calling thread until it ends: later than what the copy has in it, which comes later.
void count_until_end(const Count &running) {
  call_at_thread_end(
      [](void *count) noexcept {
        const std::unique_ptr<Count> owned(static_cast<Count *>(count));
        --**owned;
      },
      new Count(running));
}

struct Start {
  void *(*function)(void *);
  void *argument;
  Count running;
};

void *run(void *given) {
  Start start = *std::unique_ptr<Start>(static_cast<Start *>(given));
  count_until_end(start.running);
  return start.function(start.argument);
}

int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                  void *argument) {
  const Count running = count_of(__builtin_return_address(0));
  if (running == nullptr) return ::pthread_create(thread, attributes, function, argument);
  ++*running;
  auto start = std::make_unique<Start>(Start{function, argument, running});
  const int failed = ::pthread_create(thread, attributes, run, start.get());
  if (failed != 0) {
    --*running;
  } else {
    (void)start.release();
  }
  return failed;
}

#ifdef __GLIBCXX__
// std::thread calls pthread_create() from the C++ library, which is no copy: what copies call is
// std::thread::_M_start_thread(), since GCC 5 under this name.
constexpr const char *kStartThread =
    "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE";
using StartThread = void(std::thread *, std::unique_ptr<StandardThreadState>, void (*)());

// Checks of what is called know the type by another name.
#define NO_VPTR_CHECK __attribute__((no_sanitize("vptr")))

class CountedState final : public StandardThreadState {
 public:
  CountedState(std::unique_ptr<StandardThreadState> state, Count running)
      : state_(state.release()), running_(std::move(running)) {}
  CountedState(const CountedState &) = delete;
  CountedState &operator=(const CountedState &) = delete;
  NO_VPTR_CHECK ~CountedState() override {
    delete state_;
    if (running_ != nullptr) --*running_;  // it could not be started
  }
  NO_VPTR_CHECK void _M_run() override {
    count_until_end(std::exchange(running_, nullptr));
    state_->_M_run();
  }

 private:
  StandardThreadState *const state_;  // owned
  Count running_;
};

void start_thread(std::thread *self, std::unique_ptr<StandardThreadState> state, void (*depend)()) {
  static auto *const original =
      reinterpret_cast<StartThread *>(::dlsym(RTLD_DEFAULT, kStartThread));
  if (const Count running = count_of(__builtin_return_address(0))) {
    ++*running;
    state = std::make_unique<CountedState>(std::move(state), running);
  }
  original(self, std::move(state), depend);
}
#endif

const Redirection kRedirections[] = {
#ifdef __GLIBCXX__
    {kStartThread, reinterpret_cast<void *>(start_thread)},
#endif
    {"pthread_create", reinterpret_cast<void *>(create_thread)}};

}  // namespace

void LibraryThreads::add(std::span<std::byte> memory) {
  MutexGuard guard(copies_mutex());
  copies_locked().insert_or_assign(memory.data() + memory.size(),
                                   Copy{memory.data(), std::make_shared<Atomic<unsigned>>(0)});
}

void LibraryThreads::reset_after_fork() noexcept { copies_mutex().reset_after_fork(); }

bool LibraryThreads::is_copy(const void *code) noexcept { return count_of(code) != nullptr; }

bool LibraryThreads::are_running(std::span<std::byte> memory) noexcept {
  const Count running = count_of(memory.data());
  return running != nullptr && *running != 0;
}

std::span<const Redirection> LibraryThreads::redirections() noexcept { return kRedirections; }

}  // namespace interlock
