// SPDX-License-Identifier: MIT
// The Atomic's hooks and the platform layer, by the simulator: in place of posix/.
#include <algorithm>

#include "base/atomic.hpp"
#include "platform/clock.hpp"
#include "platform/doorbell.hpp"
#include "platform/process.hpp"
#include "platform/thread.hpp"
#include "platform/wait.hpp"
#include "simulator.hpp"

namespace interlock {
namespace systematic {
namespace {
unsigned processors = 1;
}

void set_processors(unsigned count) noexcept { processors = count; }

void before_load(const void *, Place) noexcept {
  if (Run *const run = Run::current()) run->step(false);
}

void before_store(const void *, Place) noexcept {
  if (Run *const run = Run::current()) run->step(false);
}

void before_update(const void *, Place) noexcept {
  Run *const run = Run::current();
  if (run == nullptr) return;
  run->step(false);
  run->drain_all();
}

void record(const char *operation, const void *word, std::uint64_t before, std::uint64_t after,
            Place place) noexcept {
  if (Run *const run = Run::current()) run->note(operation, word, before, after, place);
}

bool fails_for_no_reason() noexcept {
  Run *const run = Run::current();
  return run != nullptr && run->chooser().spurious() && run->chooser().one_in(16);
}

void forget(const void *word) noexcept {
  if (Run *const run = Run::current()) run->forget(word);
}

}  // namespace systematic

using systematic::Run;

/// The system call is a full barrier; looking at the word and falling asleep are one step.
WaitResult wait_on_address(const Atomic<std::uint32_t> &word, std::uint32_t expected,
                           Deadline deadline) noexcept {
  systematic::before_update(&word, {});
  std::uint32_t value;
  std::memcpy(&value, static_cast<const void *>(&word), sizeof value);
  if (value != expected) {
    systematic::record("wait, changed already", &word, value, value, {});
    return WaitResult::kWoken;
  }
  systematic::expect(Run::current() != nullptr, "only threads of a run wait");
  return Run::current()->wait(&word, deadline);
}

void wake_one(const Atomic<std::uint32_t> &word) noexcept {
  systematic::before_update(&word, {});
  if (Run *const run = Run::current()) run->wake(&word, false);
}

void wake_all(const Atomic<std::uint32_t> &word) noexcept {
  systematic::before_update(&word, {});
  if (Run *const run = Run::current()) run->wake(&word, true);
}

/// The descriptor is the address of a word to wait on: 1 when it is readable.
Status Doorbell::open(bool) {
  reading_ = reinterpret_cast<std::intptr_t>(new Atomic<std::uint32_t>(0));
  return {};
}

Doorbell::~Doorbell() { delete reinterpret_cast<Atomic<std::uint32_t> *>(reading_); }

void Doorbell::ring() noexcept {
  auto &word = *reinterpret_cast<Atomic<std::uint32_t> *>(reading_);
  word = 1;
  wake_all(word);
}

void Doorbell::silence() noexcept { *reinterpret_cast<Atomic<std::uint32_t> *>(reading_) = 0; }

std::int64_t monotonic_ns() noexcept {
  Run *const run = Run::current();
  return run != nullptr ? run->clock() : 1;
}

unsigned available_parallelism() noexcept { return systematic::processors; }

int current_processor() noexcept {
  Run *const run = Run::current();
  return run != nullptr && !run->chooser().same_processor() ? Run::current_thread_id() : 0;
}

long process_id() noexcept { return 1; }

void yield_processor() noexcept { relax_processor(); }

/// In a hasty run it lets nobody else run, so that waits get to their last rung.
void relax_processor() noexcept {
  Run *const run = Run::current();
  if (run == nullptr) return;
  (void)run->clock();
  if (!run->chooser().hasty()) run->step(true);
}

}  // namespace interlock
