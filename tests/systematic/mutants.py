# SPDX-License-Identifier: MIT
"""Puts known bugs into copies of the product's sources, one at a time, and expects the systematic tests to find each.

A bug that is not found means that the tests prove less than they seem to. TAP on stdout.
usage: mutants.py RUNTIME-DIRECTORY TESTS-DIRECTORY COMPILER [FLAGS...]; MUTANTS=NAME,... chooses some.
"""

import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

SCHEDULES = os.environ.get("MUTANT_SCHEDULES", "6000")  # of each strategy, at most

PRODUCT = """../posix/memory.cpp ../posix/thread_end.cpp base/status.cpp lock/barrier.cpp lock/event.cpp
lock/global_lock.cpp lock/lock_rank.cpp lock/mutex.cpp lock/parker.cpp lock/semaphore.cpp
lock/wait_queue.cpp memory/arena.cpp memory/message.cpp memory/message_builder.cpp channel/chain.cpp
channel/channel.cpp channel/loop.cpp channel/loop_bell.cpp channel/rendezvous.cpp channel/ring.cpp
channel/select.cpp""".split()

# name, file, scenarios, then pairs of a text that stands there once and what it becomes.
MUTANTS = [
    ("mutex_release_wakes_nobody", "lock/mutex.hpp", "mutex_*", "== 2) wake_waiter()", "== 3) wake_waiter()"),
    ("mutex_waiter_leaves_no_mark", "lock/mutex.cpp", "mutex_*", "word_.exchange(2,", "word_.exchange(1,"),
    (
        "parker_falls_asleep_over_a_token",
        "lock/parker.cpp",
        "parker_*",
        "if (!word_.compare_exchange_strong(awake, kAsleep)) continue;",
        "(void)awake; word_ = kAsleep;",
    ),
    (
        "parker_unpark_never_wakes",
        "lock/parker.cpp",
        "parker_*",
        "if ((word_.fetch_or(kToken) & kAsleep) != 0) wake_one(word_);",
        "word_.fetch_or(kToken);",
    ),
    (
        "parker_token_by_two_steps",
        "lock/parker.cpp",
        "parker_*",
        "if ((word_.fetch_or(kToken) & kAsleep) != 0) wake_one(word_);",
        "const bool asleep = (word_ & kAsleep) != 0; word_.fetch_or(kToken); if (asleep) wake_one(word_);",
    ),
    ("parker_token_takes_the_interrupt", "lock/parker.cpp", "parker_*", "word_ &= ~kToken;", "word_ = 0;"),
    ("global_lock_is_handed_over_silently", "lock/global_lock.cpp", "global_*", "next->parker->unpark();", ""),
    ("global_lock_keeps_who_gave_up", "lock/global_lock.cpp", "global_*", "    remove_locked(waiter);\n", ""),
    (
        "ring_receiver_looks_at_the_cell",
        "channel/ring.cpp",
        "ring_*",
        "return tail_ != head;",
        "return load_acquire(cell_of(head).state) == (lap_of(head) | kFilled) || is_closed();",
    ),
    (
        "ring_sender_looks_at_the_cell",
        "channel/ring.cpp",
        "ring_*",
        "return head_ + lap_unit_ != tail;",
        "return load_acquire(cell_of(tail & ~kClosed).state) == lap_of(tail) || is_closed();",
    ),
    (
        "ring_publishes_before_the_message",
        "channel/ring.hpp",
        "ring_*",
        "    cell.message.fill(std::move(message));\n",
        "    store_release(cell.state, state | kFilled);\n    load_relaxed(cell.state);\n"
        "    cell.message.fill(std::move(message));\n",
    ),
    (
        "ring_receiver_takes_without_a_claim",
        "channel/ring.hpp",
        "ring_*",
        "if (!head_.compare_exchange_weak(ticket, next(ticket), std::memory_order_seq_cst,\n"
        "                                     std::memory_order_relaxed))\n      continue;\n    message.fill",
        "head_ = next(ticket);\n    message.fill",
    ),
    (
        "ring_says_empty_while_busy",
        "channel/ring.cpp",
        "a_ring_that_is_tried",
        "const std::uint64_t tail = tail_;\n    if",
        "const std::uint64_t tail = ticket;\n    if",
    ),
    (
        "ring_says_full_while_busy",
        "channel/ring.cpp",
        "a_ring_that_is_tried",
        "if (is_behind && head_ + lap_unit_ == ticket)",
        "if (is_behind)",
    ),
    (
        "chain_receiver_counts_late",
        "channel/chain.cpp",
        "*chain*",
        "const std::uint64_t tail = pushed_;",
        "const std::uint64_t tail = pushed_ + 2;",
    ),
    (
        "sleeper_does_not_look_again",
        "lock/queued_wait.hpp",
        "ring_*",
        "if (!must_queue_ && source_.may()) {",
        "if (false) {",
    ),
    (
        "sleeper_looks_before_it_joins",
        "lock/queued_wait.hpp",
        "ring_*",
        "  queue_.add(waiter_, was_chosen_);",
        "  const bool may = source_.may();\n  queue_.add(waiter_, was_chosen_);",
        "!must_queue_ && source_.may()",
        "!must_queue_ && may",
    ),
    (
        "sleeper_trusts_who_is_in_the_middle",
        "lock/queued_wait.hpp",
        "ring_*",
        "until.ns = std::min(until.ns, busy_.next_look().ns);",
        "",
    ),
    (
        "chosen_sleeper_passes_nothing_on",
        "lock/queued_wait.hpp",
        "a_*",
        "if ((was_chosen_ || is_starving_) &&",
        "if (is_starving_ &&",
    ),
    (
        "starving_never_ends",
        "lock/queued_wait.hpp",
        "starving_*",
        "if (is_starving_) queue_.end_starving();",
        "",
    ),
    ("sleeper_is_not_rearmed", "lock/queued_wait.hpp", "starving_*", "context_.rearm();", ""),
    (
        "sender_looks_for_sleepers_first",
        "channel/buffered.hpp",
        "ring_*",
        "    if (senders_.queue.is_starving() || !buffer_.push_if_free(message)) return false;\n    after_push(1);",
        "    const bool waited_for = receivers_.queue.has_waiters();\n"
        "    if (senders_.queue.is_starving() || !buffer_.push_if_free(message)) return false;\n"
        "    if (waited_for) after_push(1);",
    ),
    (
        "receiver_looks_for_sleepers_first",
        "channel/buffered.hpp",
        "ring_*",
        "    if (receivers_.queue.is_starving() || !buffer_.pop_if_filled(message)) return false;\n    after_pop(1);",
        "    const bool waited_for = senders_.queue.has_waiters();\n"
        "    if (receivers_.queue.is_starving() || !buffer_.pop_if_filled(message)) return false;\n"
        "    if (waited_for) after_pop(1);",
    ),
    (
        "loop_looks_before_it_arms",
        "channel/loop_bell.cpp",
        "a_loop_*",
        "  is_armed_ = 1;\n  std::vector<Ref<LoopWaiter>> chosen;\n",
        "  std::vector<Ref<LoopWaiter>> chosen;\n",
        "  std::ranges::reverse(chosen);\n",
        "  is_armed_ = 1;\n  std::ranges::reverse(chosen);\n",
    ),
    (
        "loop_keeps_the_wake_up_it_gives_up",
        "channel/loop_bell.cpp",
        "a_loop_*",
        "if (std::exchange(owes_, false)) channel_->pass_on(direction_);",
        "owes_ = false;",
    ),
    (
        "callbacks_do_not_ring_for_themselves",
        "channel/loop.cpp",
        "callbacks_*",
        "  make_ready(lane);\n  bell_->ring();\n}",
        "  make_ready(lane);\n}",
    ),
    (
        "callbacks_forget_a_cell_that_is_busy",
        "channel/loop.cpp",
        "callbacks_*",
        "      make_ready(lane);\n      lane->busy.sleep();",
        "      lane->busy.sleep();",
    ),
    (
        "callbacks_take_back_what_was_received",
        "channel/loop.cpp",
        "callbacks_*",
        "if (is_first && waiter.is_over()) {",
        "if (false) {",
    ),
    (
        "rendezvous_tells_no_loop",
        "channel/rendezvous.cpp",
        "*loop*",
        "if (sends) tell_receiver_locked(context, wakeup);",
        "",
    ),
    ("close_forgets_the_senders", "channel/buffered.hpp", "close_*", "    senders_.queue.notify_all();\n", ""),
    (
        "notification_ends_at_who_was_chosen_elsewhere",
        "lock/wait_queue.cpp",
        "two_selects_*",
        "if (choose_this(*waiter, wakeup)) return waiter;",
        "return choose_this(*waiter, wakeup) ? waiter : nullptr;",
    ),
    (
        "chosen_without_exchange",
        "lock/wait_queue.hpp",
        "two_selects_*",
        "return choice_.compare_exchange_strong(waiting, index);",
        "if (choice_ != waiting) return false;\n    choice_ = index;\n    return true;",
    ),
    ("select_does_not_look_again", "channel/select.cpp", "two_selects_*", "if (!watch_all()) {", "watch_all();\n  {"),
    (
        "select_forgets_that_it_was_served",
        "channel/select.cpp",
        "two_selects_*",
        "if (served) return Attempt::kDone;",
        "(void)served;",
    ),
    (
        "rendezvous_forgets_that_it_was_served",
        "channel/rendezvous.cpp",
        "*rendezvous*",
        "if (served != nullptr) served->served = true;",
        "if (served != nullptr) served->served = false;",
    ),
    (
        "rendezvous_close_wakes_no_receivers",
        "channel/rendezvous.cpp",
        "rendezvous_*",
        "for (Side *const side : {&senders_, &receivers_}) {",
        "for (Side *const side : {&senders_}) {",
    ),
    (
        "semaphore_release_wakes_nobody",
        "lock/semaphore.cpp",
        "semaphore_*",
        "if (queue_.has_waiters() && value_ != 0) queue_.notify(count);",
        "",
    ),
    (
        "semaphore_looks_for_sleepers_first",
        "lock/semaphore.cpp",
        "semaphore_*",
        "  std::uint64_t value = value_;\n",
        "  const bool waited_for = queue_.has_waiters();\n  std::uint64_t value = value_;\n",
        "if (queue_.has_waiters() && value_ != 0)",
        "if (waited_for && value_ != 0)",
    ),
    (
        "semaphore_is_released_without_a_claim",
        "lock/semaphore.cpp",
        "semaphore_*",
        "while (!value_.compare_exchange_weak(value, value + count));",
        "while (false);\n  value_ = value + count;",
    ),
    (
        "lock_is_taken_without_a_claim",
        "lock/semaphore.hpp",
        "lock_*",
        "if (value_.compare_exchange_weak(value, value - 1)) return true;",
        "value_ = value - 1;\n      return true;",
    ),
    (
        "attempt_overtakes_who_starves",
        "lock/semaphore.hpp",
        "who_starves_*",
        "if (queue_.is_starving() || !take()) return false;",
        "if (!take()) return false;",
    ),
    (
        "newcomer_overtakes_who_starves",
        "lock/queued_wait.hpp",
        "who_starves_*",
        "must_queue_(!kIsForAll && queue.is_starving())",
        "must_queue_(false)",
    ),
    (
        "starving_ends_after_the_look_for_sleepers",
        "lock/queued_wait.hpp",
        "*_for_a_lock_gives_up",
        "    if (is_starving_) queue_.end_starving();\n",
        "",
        "queue_.has_waiters() && source_.may()) queue_.notify_one();\n",
        "queue_.has_waiters() && source_.may()) queue_.notify_one();\n    if (is_starving_) queue_.end_starving();\n",
    ),
    (
        "chosen_when_its_time_ends_passes_nothing_on",
        "lock/queued_wait.hpp",
        "semaphore_waits_*",
        "  if (context_.choice() != WaitContext::kWaiting) {",
        "  was_chosen_ = was_chosen_ && result == WaitResult::kWoken;\n"
        "  if (context_.choice() != WaitContext::kWaiting && result == WaitResult::kWoken) {",
    ),
    (
        "event_set_wakes_nobody",
        "lock/event.cpp",
        "event_*",
        "if (queue_.has_waiters()) queue_.notify_all();",
        "",
    ),
    ("event_set_wakes_one", "lock/event.cpp", "event_*", "queue_.notify_all();", "queue_.notify_one();"),
    (
        "event_looks_for_sleepers_first",
        "lock/event.cpp",
        "event_*",
        "  do {\n",
        "  const bool waited_for = queue_.has_waiters();\n  do {\n",
        "if (queue_.has_waiters())",
        "if (waited_for)",
    ),
    (
        "event_that_is_cleared_is_missed",
        "lock/event.hpp",
        "event_that_*",
        "return is_set_at(start) || changes_ != start;",
        "return is_set_at(start) || is_set();",
    ),
    (
        "event_is_cleared_without_a_claim",
        "lock/event.cpp",
        "event_clears_*",
        "while (is_set_at(moment) && !changes_.compare_exchange_weak(moment, moment + 1)) {\n  }",
        "if (is_set_at(moment)) changes_ = moment + 1;",
    ),
    (
        "barrier_last_one_wakes_nobody",
        "lock/barrier.cpp",
        "barrier_*",
        "barrier.end_round_locked(Fate::kPassed, wakeups);",
        "",
    ),
    (
        "barrier_round_keeps_who_came",
        "lock/barrier.cpp",
        "barrier_*",
        "for (Wakeup wakeup; Waiter *const waiter = list_.choose(wakeup);) {",
        "if (Wakeup wakeup; Waiter *const waiter = list_.choose(wakeup)) {",
    ),
    (
        "barrier_abort_wakes_nobody",
        "lock/barrier.cpp",
        "barrier_abort_*",
        "  broken_ = true;\n  end_round_locked(Fate::kBroken, wakeups);",
        "  broken_ = true;",
    ),
    (
        "barrier_reset_wakes_nobody",
        "lock/barrier.cpp",
        "barrier_reset_*",
        "  broken_ = false;\n  end_round_locked(Fate::kBroken, wakeups);",
        "  broken_ = false;",
    ),
    (
        "barrier_who_gives_up_wakes_nobody",
        "lock/barrier.cpp",
        "barrier_of_three_breaks_*",
        "barrier_.end_round_locked(Fate::kBroken, wakeups);",
        "",
    ),
    (
        "barrier_breaks_a_step_after_the_timeout",
        "lock/barrier.cpp",
        "barrier_breaks_*",
        "if (give_up_locked(wakeups)) return Code::kETIMEDOUT;",
        "if (fate_ == Fate::kOpen) return Code::kETIMEDOUT;",
    ),
    (
        "barrier_breaks_a_step_after_the_interrupt",
        "lock/barrier.cpp",
        "barrier_breaks_by_an_interrupt",
        "if (code != Code::kEINTERRUPTED || arrival.give_up()) return code;",
        "return code;",
    ),
    (
        "sender_the_last_one_does_not_close",
        "channel/sender.hpp",
        "sender_*",
        "~Sender() override { channel_->drop_sender(); }",
        "~Sender() override {}",
    ),
    (
        "sender_is_dropped_in_two_steps",
        "channel/channel.hpp",
        "sender_*",
        "if (--senders_ == 0) close();",
        "const std::size_t left = senders_ - 1;\n    senders_ = left;\n    if (left == 0) close();",
    ),
    (
        "cancel_counts_nothing",
        "channel/channel.cpp",
        "cancel_*",
        "while (try_recv(dropped).ok()) count_dropped();",
        "while (try_recv(dropped).ok()) {}",
    ),
    (
        "cancel_drains_before_it_closes",
        "channel/channel.cpp",
        "cancel_of_a_rendezvous",
        "void Channel::cancel() {\n  close();\n",
        "void Channel::cancel() {\n",
        "  while (try_recv(dropped).ok()) count_dropped();\n",
        "  while (try_recv(dropped).ok()) count_dropped();\n  close();\n",
    ),
    (
        "cancel_leaves_who_is_in_the_middle",
        "channel/channel.cpp",
        "cancel_of_a_ring_that_*",
        "while (try_recv(dropped).ok()) count_dropped();",
        "for (std::size_t n; attempt(Direction::kReceive, {&dropped, 1}, n) == Attempt::kDone;) count_dropped();",
    ),
]


class Builder:
    def __init__(self, runtime, tests, compiler, work):
        self.runtime, self.tests, self.compiler, self.work = runtime, tests, compiler, work
        product = [runtime / name for name in PRODUCT]
        own = sorted((tests / "systematic").glob("*.cpp")) + [tests / "support/history.cpp"]
        self.sources = [(path, work / (path.parent.name + "-" + path.stem + ".o")) for path in product + own]

    def compile(self, source, target, overlay=()):
        tests = self.tests
        includes = [*overlay, tests / "systematic/include", self.runtime, tests, tests / "systematic"]
        flags = [f"-I{directory}" for directory in includes]
        command = [*self.compiler, "-O0", "-w", *flags, "-MMD", "-c", str(source), "-o", str(target)]
        subprocess.run(command, check=True)

    def build_all(self, pool):
        list(pool.map(lambda pair: self.compile(*pair), self.sources))

    def build_mutant(self, name, file, edits):
        """The program with one file changed: what includes that file is compiled again."""
        directory = self.work / name
        text = (self.runtime / file).read_text()
        for old, new in edits:
            if text.count(old) != 1:
                raise LookupError(f"{file} has this {text.count(old)} times, not once: {old!r}")
            text = text.replace(old, new)
        (directory / file).parent.mkdir(parents=True)
        (directory / file).write_text(text)
        objects = []
        for source, target in self.sources:
            changed = self.runtime / file
            if str(changed) in re.split(r"[\s\\]+", target.with_suffix(".d").read_text()):
                target = directory / target.name
                self.compile(directory / file if source == changed else source, target, [directory])
            objects.append(str(target))
        program = directory / "systematic"
        subprocess.run([*self.compiler, *objects, "-o", str(program), "-lpthread"], check=True)
        return program


def check(builder, mutant):
    """Whether the bug is found, and a line about it."""
    name, file, scenarios, *texts = mutant
    try:
        program = builder.build_mutant(name, file, list(zip(texts[::2], texts[1::2], strict=True)))
    except LookupError as error:
        return False, f"{name}: {error}"
    command = [program, f"--scenario={scenarios}", f"--schedules={SCHEDULES}", "--until=failure"]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace")
    found = re.findall(r"^repeat with: (.*)$", ran.stdout, re.MULTILINE)
    program.unlink()
    if ran.returncode != 1 or not found:
        return False, f"{name}: not found by {scenarios} in {SCHEDULES} schedules of each strategy"
    shown = found[0] if len(found[0]) < 120 else found[0][:117] + "..."
    return True, f"{name}, found by {shown}"


def main():
    runtime, tests = (Path(argument).resolve() for argument in sys.argv[1:3])
    chosen = os.environ.get("MUTANTS")
    mutants = [each for each in MUTANTS if not chosen or each[0] in chosen.split(",")]
    failed = 0
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        compiler = [word for argument in sys.argv[3:] for word in shlex.split(argument)]
        builder = Builder(runtime, tests, compiler, Path(work))
        builder.build_all(pool)
        print(f"1..{len(mutants)}", flush=True)
        for number, (found, line) in enumerate(pool.map(lambda each: check(builder, each), mutants), 1):
            print("ok" if found else "not ok", number, "-", line, flush=True)
            failed += not found
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
