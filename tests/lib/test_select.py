# SPDX-License-Identifier: MIT
import signal
import threading
import time
import unittest

import interlock
import support
from interlock import Channel, after, every, select


class Select(support.TestCase):
    def test_receives_sends_and_says_which(self):
        a, b = Channel(1), Channel(1)
        b.send("item")
        self.assertEqual(select([a, b]), (1, "item"))
        self.assertEqual(select([b, (a, "sent")]), (1, None))
        self.assertEqual(a.recv(), "sent")

    def test_takes_turns_or_is_biased(self):
        a, b = Channel(None), Channel(None)
        a.send_many(range(100))
        b.send_many(range(100))
        self.assertEqual({select([a, b], biased=True)[0] for _ in range(10)}, {0})
        self.assertEqual({select([a, b])[0] for _ in range(2)}, {0, 1})

    def test_timers(self):
        a = Channel(1)
        start = time.monotonic()
        deadline = after(0.02)
        self.assertEqual(select([a, deadline]), (1, None))
        self.assertGreaterEqual(time.monotonic() - start, 0.02)
        self.assertEqual(select([a, deadline]), (1, None))  # ready ever after
        start = time.monotonic()
        tick = every(0.01)
        for _ in range(3):
            self.assertEqual(select([a, tick]), (1, None))
        self.assertGreaterEqual(time.monotonic() - start, 0.03)
        self.assertIn("repeating", repr(tick))
        self.assertEqual(select([after(0), tick], biased=True), (0, None))

    def test_timeout_is_none_of_the_cases(self):
        with self.assertRaises(TimeoutError):
            select([Channel(1)], timeout=0.01)
        with self.assertRaises(TimeoutError):
            select([], timeout=0)
        with self.assertRaisesRegex(ValueError, "would never end"):
            select([])

    def test_names_the_closed_channel(self):
        a, b = Channel(1), Channel(1)
        b.send(1)
        b.close()
        self.assertEqual(select([a, b]), (1, 1))
        with self.assertRaises(interlock.ChannelClosed) as caught:
            select([a, b])
        self.assertEqual(caught.exception.index, 1)
        with self.assertRaises(interlock.ChannelClosed) as caught:
            select([(b, 2), a])
        self.assertEqual(caught.exception.index, 0)

    def test_bad_cases_change_nothing_and_are_named(self):
        a = Channel(2)
        for bad in (1, (a,), (a, 1, 2), ("a", 1), None):
            expected = r"cases\[1\] must be a Channel .*\(Channel or Sender, item.*, after\(\) or every\(\), not "
            with self.assertRaisesRegex(TypeError, expected + type(bad).__name__):
                select([(a, 1), bad])
        with self.assertRaisesRegex(TypeError, r"cases\[1\] is a Sender.*: to send.*\(sender, item\)"):
            select([(a, 1), a.sender()])
        with self.assertRaisesRegex(interlock.TransferError, r"cases\[1\]\[1\]\['x'\]: a generator"):
            select([(a, 1), (a, {"x": (n for n in ())})])
        for bad in (a, Channel(1).sender(), after(1), 1, None):
            with self.assertRaisesRegex(TypeError, "cases must be a list of cases, not .*" + type(bad).__name__):
                select(bad)
        self.assertEqual(len(a), 0)

    def test_bad_seconds_are_named(self):
        for seconds in (0, -1, 1e-9, 1e18, float("inf"), float("nan")):
            with self.assertRaisesRegex(ValueError, "seconds must be a number from a microsecond to 100 years.*, not "):
                every(seconds)
        for seconds in (-1, float("nan")):
            with self.assertRaisesRegex(ValueError, "seconds must be a number >= 0, or None for never, not "):
                after(seconds)
        for create in (after, every):
            for seconds in ("x", True, [1], 1j):
                with self.assertRaisesRegex(TypeError, "seconds must be a number.*, not " + type(seconds).__name__):
                    create(seconds)
        with self.assertRaisesRegex(TypeError, "seconds must be a number.*, not NoneType"):
            every(None)
        for never in (after(None), after(float("inf"))):
            self.assertEqual(repr(never), "<interlock timer, never due>")
            with self.assertRaises(TimeoutError):
                select([never], timeout=0)

    def test_a_sender_sends(self):
        channel = Channel(1)
        sender = channel.sender()
        self.assertEqual(select([(sender, "item")]), (0, None))
        self.assertEqual(channel.recv(), "item")
        channel.send("full")
        errors = []

        def wait():
            try:
                select([(sender, "late")])
            except interlock.ChannelClosed as error:
                errors.append(error.index)

        thread = self.in_thread(wait)
        time.sleep(0.01)  # only makes it likely that it waits by then
        sender.close()  # closes the channel, as send() would find it
        thread.join(support.LIMIT)
        self.assertEqual((errors, list(channel)), ([0], ["full"]))
        with self.assertRaisesRegex(interlock.ChannelClosed, "this Sender was closed") as caught:
            select([after(60), (sender, 1)])
        self.assertEqual(caught.exception.index, 1)

    def test_a_sender_may_be_closed_by_what_it_sends(self):
        class Closes:
            def __reduce__(self):
                sender.close()
                return int, ()

        for cases in (lambda: [(sender, Closes())], lambda: [(sender, 1), (Channel(1), Closes())]):
            channel = Channel(1)
            sender = channel.sender()
            with self.assertRaisesRegex(interlock.ChannelClosed, "closed") as caught:
                select(cases(), biased=True)
            self.assertEqual((caught.exception.index, channel.closed), (0, True))

    def test_a_send_does_what_the_policy_says(self):
        for capacity in (0, 1):
            other, full = Channel(1), Channel(capacity, policy="refuse")
            if capacity:
                full.send("first")
            for _ in range(3):  # wherever it begins
                with self.assertRaisesRegex(interlock.ChannelFull, r"cases\[1\] is full") as caught:
                    select([other, (full, "refused"), after(60)])
                self.assertEqual(caught.exception.index, 1)
            other.send_many(["item"])
            self.assertEqual(select([(full, "refused"), other]), (1, "item"), "what is possible comes first")
            stats = full.stats()
            self.assertEqual((stats["sent"], stats["dropped"]), (capacity, 0))
        for policy, kept in (("drop_oldest", 2), ("drop_newest", 1)):
            full = Channel(1, policy=policy)
            full.send(1)
            self.assertEqual(select([(full, 2), Channel(1)]), (0, None))
            self.assertEqual(full.recv(), kept)

    def test_waits_without_the_lock_and_wakes_for_any_kind(self):
        for capacity in (0, 1, None):
            quiet, busy = Channel(1), Channel(capacity)
            thread = self.in_thread(lambda: [busy.send(n) for n in range(100)])
            self.assertEqual([select([quiet, busy]) for _ in range(100)], [(1, n) for n in range(100)])
            thread.join(support.LIMIT)

    def test_between_interpreters_nothing_is_lost(self):
        def produce(channels, count):
            for n in range(count):
                interlock.select([(channel, n) for channel in channels])

        channels = [Channel(0), Channel(1), Channel(None)]
        with interlock.Pool(2) as pool:
            done = [pool.submit(produce, channels, 1000) for _ in range(2)]
            items = [select(channels)[1] for _ in range(2000)]
            for each in done:
                each.result(support.LIMIT)
        self.assertEqual(sorted(items), sorted([*range(1000)] * 2))

    def test_registrations_end_with_the_call(self):
        a, b = Channel(0), Channel(0)
        for _ in range(2000):
            with self.assertRaises(TimeoutError):
                select([a, (b, 1)], timeout=0)
        with self.assertRaises(interlock.ChannelFull):
            a.try_send(1)
        with self.assertRaises(interlock.ChannelEmpty):
            b.try_recv()

    def test_ctrl_c_ends_it(self):
        program = """
import interlock, os, signal, threading, time
a, b = interlock.Channel(1), interlock.Channel(0)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
started = time.monotonic()
try:
    interlock.select([a, b, (b, 1), interlock.after(60)])
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - started < 10)
"""
        out, _ = self.run_program(program)
        self.assertEqual(out, "interrupted True\n")

    @unittest.skipUnless(hasattr(signal, "setitimer"), "needs signals")
    def test_a_signal_that_raises_nothing_does_not_end_it(self):
        calls = []
        before = signal.signal(signal.SIGUSR1, lambda *_: calls.append(1))
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        channel = Channel(1)
        main = threading.main_thread().ident

        def disturb():
            for _ in range(20):
                signal.pthread_kill(main, signal.SIGUSR1)
            channel.send("end")

        thread = self.in_thread(disturb)
        self.assertEqual(select([channel, after(support.LIMIT)]), (0, "end"))
        thread.join(support.LIMIT)
        self.assertTrue(calls)


if __name__ == "__main__":
    unittest.main()
