// SPDX-License-Identifier: MIT
// What the simulator itself must find, and what it must not: the smallest programs that tell total
// store order from sequential consistency, and the two ways of falling asleep.
#include "platform/wait.hpp"
#include "simulator.hpp"

using namespace interlock;
using interlock::systematic::expect;
using interlock::systematic::Run;

namespace {

/// Two threads each store one word and load the other: can both read 0?
template <std::memory_order kStore>
void store_then_load(Run &run) {
  Atomic<std::uint32_t> words[2] = {0, 0};
  std::uint32_t seen[2] = {7, 7};
  for (int i = 0; i < 2; ++i) {
    run.thread([&, i] {
      words[i].store(1, kStore);
      seen[i] = words[1 - i].load();
    });
  }
  run.go();
  expect(seen[0] + seen[1] != 0, "one of two threads sees the other's store");
}

SCENARIO(finds_store_buffering, kNever, 2) { store_then_load<std::memory_order_release>(run); }
SCENARIO(sequential_stores_do_not_pass_loads, kNever, 4) {
  store_then_load<std::memory_order_seq_cst>(run);
}

SCENARIO(stores_arrive_in_order, kNever, 4) {
  Atomic<std::uint32_t> data{0};
  Atomic<std::uint32_t> flag{0};
  run.thread([&] {
    store_relaxed(data, 1);
    store_release(flag, 1);
  });
  run.thread([&] {
    if (load_acquire(flag) == 1) expect(load_relaxed(data) == 1, "data was stored before the flag");
  });
  run.go();
}

/// A channel of one item, as facts/channels.md has it: the sender claims the ticket, publishes the
/// cell, and looks for waiters; the receiver announces itself, looks again, and sleeps.
template <bool kLooksAtCell>
void sleep_protocol(Run &run) {
  Atomic<std::uint64_t> ticket{0};
  Atomic<std::uint32_t> cell{0};
  Atomic<std::uint32_t> waiters{0};
  Atomic<std::uint32_t> word{0};
  run.thread([&] {
    ticket.fetch_add(1);
    store_release(cell, 1);
    if (waiters.load() != 0) {
      word = 1;
      wake_one(word);
    }
  });
  run.thread([&] {
    waiters.fetch_add(1);
    const bool there = kLooksAtCell ? cell.load() != 0 : ticket.load() != 0;
    while (!there && word.load() == 0) {
      const WaitResult result = wait_on_address(word, 0, Deadline::never());
      expect(result == WaitResult::kWoken, "only a wake-up ends this wait");
    }
  });
  run.go();
}

SCENARIO(finds_the_sleeper_that_looks_at_the_cell, kNever, 2) { sleep_protocol<true>(run); }
SCENARIO(a_sleeper_that_looks_at_the_ticket_wakes, kNever, 6) { sleep_protocol<false>(run); }

SCENARIO(finds_lost_updates, kNever, 2) {
  Atomic<std::uint32_t> count{0};
  for (int i = 0; i < 2; ++i) run.thread([&] { count = count.load() + 1; });
  run.go();
  expect(count.load() == 2, "two increments");
}

}  // namespace
