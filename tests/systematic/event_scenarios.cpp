// SPDX-License-Identifier: MIT
// Event: each set() ends the waits that began before it, however soon it is cleared.
#include "lock/event.hpp"
#include "simulator.hpp"

using namespace interlock;
using interlock::systematic::expect;

namespace {

SCENARIO(event_set_wakes_all, kNever, 3) {
  Event event;
  bool is_ready = false;
  for (int i = 0; i < 3; ++i) {
    run.thread([&] {
      expect(event.wait_until(Deadline::never()).ok(), "nothing else ends this wait");
      expect(is_ready && event.is_set(), "who set it had done its work");
    });
  }
  run.thread([&] {
    is_ready = true;
    event.set();
  });
  run.go();
}

/// The waits began before; whoever finds it set leaves the waking to the one that has set it.
SCENARIO(event_that_is_cleared_at_once_wakes_all, kNever, 2) {
  Event event;
  const Event::Moment start = event.now();
  for (int i = 0; i < 2; ++i) {
    run.thread([&] {
      expect(event.wait_until(Deadline::never(), start).ok(), "nothing else ends this wait");
    });
  }
  run.thread([&] {
    event.set();
    event.clear();
  });
  run.thread([&] { event.set(); });
  run.go();
}

/// Two that clear count one change, so that neither undoes a later set().
SCENARIO(event_clears_do_not_undo_a_set, kNever, 3) {
  Event event;
  event.set();
  for (int i = 0; i < 2; ++i) run.thread([&] { event.clear(); });
  run.thread([&] {
    const Event::Moment start = event.now();
    event.set();
    expect(event.was_set_since(start), "a set is seen by who began before it");
  });
  run.go();
}

SCENARIO(event_waits_time_out, kAnyTime, 3) {
  Event event;
  bool is_ready = false;
  run.thread([&] {
    const Code code = event.wait_until(Deadline::after_ns(30'000)).code();
    expect(code == Code::kOk || code == Code::kETIMEDOUT, "nobody interrupts");
    expect(code != Code::kOk || is_ready, "only a set event makes a wait succeed");
  });
  run.thread([&] { expect(event.wait_until(Deadline::never()).ok(), "it is told"); });
  run.thread([&] {
    is_ready = true;
    event.set();
  });
  run.go();
}

}  // namespace
