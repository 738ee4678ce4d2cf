// SPDX-License-Identifier: MIT
#include "posix/library_threads.hpp"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include <array>
#include <memory>
#include <new>
#include <utility>

#include "base/atomic.hpp"
#include "base/check.hpp"
#include "posix/library_memory.hpp"
#include "posix/thread_creation.hpp"
#include "posix/thread_records.hpp"

namespace interlock {

/// As std::thread::_State, which GCC 15 made private, is laid out by the Itanium C++ ABI. Not in
/// the namespace below: compilers would take it that nothing else derives from it.
class StandardThreadState {
 public:
  virtual ~StandardThreadState() = default;
  virtual void _M_run() = 0;
};

namespace {

// std::thread calls pthread_create() from the C++ library, which is no copy: what copies call is
// GNU's std::thread::_M_start_thread(), since GCC 5 under this name. The C++ library may be one
// that they have brought along, and another than that of this program. Parameters: std::thread
// *this, a std::unique_ptr<_State>, which is passed as a reference, and what keeps programs linked
// to threads.
constexpr const char *kStartThread =
    "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE";
using StartThread = void(void *, StandardThreadState *&, void (*)());

/// Of one copy. It outlives the copy, whose threads may outlive it.
using Count = std::shared_ptr<Atomic<unsigned>>;

struct Copy {
  Count running;
  StartThread *start_thread;  // that it was bound to, or null
};

using Copies = CopiesOf<Copy>;

/// Null if the code is of no copy.
Copy copy_of(const void *code) {
  MutexGuard guard(Copies::mutex());
  const Copy *const found = Copies::locked().find(code);
  return found != nullptr ? *found : Copy();
}

Count count_of(const void *code) { return copy_of(code).running; }

/// What a thread of a copy begins with, and what it ends.
struct Record {
  void *(*function)(void *) = nullptr;
  void *argument = nullptr;
  std::array<Count, 2> running;  // two, if the C++ library is a copy, too
  int rounds_left = 0;
  Record *next = nullptr;  // of those that nobody has
};

/// Null for want of memory.
Record *take_record(const Count &running) {
  Record *const record = ThreadRecords<Record>::take();
  if (record == nullptr) return nullptr;
  record->running = {running, nullptr};
  record->rounds_left = kDestructorRounds;
  return record;
}

pthread_key_t ending_key() {
  static const pthread_key_t key = [] {
    pthread_key_t made;
    const auto wait_for_others = [](void *given) {
      auto *const record = static_cast<Record *>(given);
      if (--record->rounds_left > 0 && ::pthread_setspecific(ending_key(), given) == 0) return;
      for (Count &each : record->running) {
        if (const Count running = std::exchange(each, nullptr)) --*running;
      }
      ThreadRecords<Record>::give_back(record);
    };
    CHECK(::pthread_key_create(&made, wait_for_others) == 0);
    return made;
  }();
  return key;
}

/// Counts the calling thread until it ends: in the last round, when what the copy has in it is
/// gone.
void count_until_end(Record *record) {
  if (auto *const known = static_cast<Record *>(::pthread_getspecific(ending_key()))) {
    known->running.back() = std::move(record->running.front());
    ThreadRecords<Record>::give_back(record);
  } else {
    CHECK(::pthread_setspecific(ending_key(), record) == 0);
  }
}

void *run(void *given) {
  auto *const record = static_cast<Record *>(given);
  count_until_end(record);
  return record->function(record->argument);
}

int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                  void *argument) {
  const Count running = count_of(__builtin_return_address(0));
  if (running == nullptr) return create_heir(thread, attributes, function, argument);
  Record *const record = take_record(running);
  if (record == nullptr) return EAGAIN;
  record->function = function;
  record->argument = argument;
  ++*running;
  const int failed = create_heir(thread, attributes, run, record);
  if (failed != 0) {
    --*running;
    ThreadRecords<Record>::give_back(record);
  }
  return failed;
}

// Checks of what is called know the type by another name.
#define NO_VPTR_CHECK __attribute__((no_sanitize("vptr")))

class CountedState final : public StandardThreadState {
 public:
  /// `record`: owned.
  CountedState(StandardThreadState *state, Record *record) : state_(state), record_(record) {}
  CountedState(const CountedState &) = delete;
  CountedState &operator=(const CountedState &) = delete;
  NO_VPTR_CHECK ~CountedState() override {
    delete state_;
    if (record_ == nullptr) return;
    --*record_->running.front();  // it could not be started
    ThreadRecords<Record>::give_back(record_);
  }
  NO_VPTR_CHECK void _M_run() override {
    count_until_end(std::exchange(record_, nullptr));
    state_->_M_run();
  }

 private:
  StandardThreadState *const state_;  // owned
  Record *record_;
};

void start_thread(void *self, StandardThreadState *&state, void (*depend)()) {
  static auto *const of_program =
      reinterpret_cast<StartThread *>(::dlsym(RTLD_DEFAULT, kStartThread));
  // Whose code is called last in a function shows another caller; its state has a table of its own.
  Copy copy = copy_of(__builtin_return_address(0));
  if (copy.running == nullptr) copy = copy_of(*reinterpret_cast<void **>(state));
  if (copy.running != nullptr) {
    Record *const record = take_record(copy.running);
    if (record == nullptr) throw std::bad_alloc();
    ++*copy.running;
    state = new CountedState(state, record);
  }
  StartThread *const original = copy.start_thread != nullptr ? copy.start_thread : of_program;
  CHECK(original != nullptr);
  original(self, state, depend);
}

const Redirection kRedirections[] = {{kStartThread, reinterpret_cast<void *>(start_thread)},
                                     {"pthread_create", reinterpret_cast<void *>(create_thread)}};

}  // namespace

void LibraryThreads::add(std::span<std::byte> memory, void *handle) {
  auto *const start = reinterpret_cast<StartThread *>(::dlsym(handle, kStartThread));
  MutexGuard guard(Copies::mutex());
  Copies::locked().add(memory, {std::make_shared<Atomic<unsigned>>(0), start});
}

void LibraryThreads::reset_after_fork() noexcept {
  Copies::mutex().reset_after_fork();
  ThreadRecords<Record>::reset_after_fork();
}

bool LibraryThreads::are_running(std::span<std::byte> memory) noexcept {
  const Count running = count_of(memory.data());
  return running != nullptr && *running != 0;
}

std::span<const Redirection> LibraryThreads::redirections() noexcept { return kRedirections; }

}  // namespace interlock
