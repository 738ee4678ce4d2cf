# SPDX-License-Identifier: MIT
import sys
import threading
import time
import unittest

import interlock
import support


class Channels(support.TestCase):
    def test_items_come_in_order(self):
        channel = interlock.Channel(3)
        for n in range(3):
            channel.send(n)
        self.assertEqual((len(channel), channel.capacity), (3, 3))
        self.assertEqual([channel.recv() for _ in range(3)], [0, 1, 2])

    def test_try(self):
        channel = interlock.Channel(1)
        with self.assertRaises(interlock.ChannelEmpty):
            channel.try_recv()
        channel.try_send(1)
        with self.assertRaises(interlock.ChannelFull):
            channel.try_send(2)
        self.assertEqual(channel.try_recv(), 1)

    def test_timeouts_are_kept(self):
        channel = interlock.Channel(1)
        start = time.monotonic()
        with self.assertRaises(TimeoutError):
            channel.recv(timeout=0.02)
        self.assertGreaterEqual(time.monotonic() - start, 0.02)
        channel.send(1)
        with self.assertRaises(TimeoutError):
            channel.send(2, timeout=0.02)
        with self.assertRaises(TimeoutError):
            channel.send(2, timeout=0)
        self.assertEqual(channel.recv(timeout=0), 1)

    def test_close_drains_and_wakes(self):
        channel = interlock.Channel(2)
        channel.send(1)
        channel.close()
        channel.close()
        self.assertTrue(channel.closed)
        with self.assertRaises(interlock.ChannelClosed):
            channel.send(2)
        self.assertEqual(channel.recv(), 1)
        with self.assertRaises(interlock.ChannelClosed):
            channel.recv()
        waiting = interlock.Channel(1)
        errors = []

        def receive():
            try:
                waiting.recv()
            except interlock.ChannelClosed as error:
                errors.append(error)

        threads = [self.in_thread(receive) for _ in range(3)]
        waiting.close()
        for thread in threads:
            thread.join(support.LIMIT)
        self.assertEqual(len(errors), 3)

    def test_iteration_and_context_manager(self):
        with interlock.Channel(10) as channel:
            for n in range(5):
                channel.send(n)
        self.assertEqual(list(channel), [0, 1, 2, 3, 4])

    def test_bad_arguments(self):
        with self.assertRaisesRegex(ValueError, "capacity must be a number of items >= 0, or None"):
            interlock.Channel(-1)
        with self.assertRaisesRegex(ValueError, "let it be unbounded"):
            interlock.Channel(sys.maxsize)
        with self.assertRaisesRegex(ValueError, "policy must be 'wait', 'refuse'"):
            interlock.Channel(1, policy="drop")
        with self.assertRaisesRegex(ValueError, "nothing to drop"):
            interlock.Channel(0, policy="drop_oldest")
        with self.assertRaises(TypeError):
            interlock.Channel("1")
        channel = interlock.Channel()
        for timeout in (-1, float("nan")):
            with self.assertRaisesRegex(ValueError, "timeout must be"):
                channel.recv(timeout=timeout)
        with self.assertRaises(TypeError):
            channel.recv(timeout="1")

    def test_a_channel_is_itself_sendable(self):
        channel, carrier = interlock.Channel(2), interlock.Channel(1)
        carrier.send({"c": channel})
        again = carrier.recv()["c"]
        self.assertEqual(again, channel)
        self.assertEqual(hash(again), hash(channel))
        again.send("through")
        self.assertEqual(channel.recv(), "through")

    def test_two_interpreters_hold_both_ends(self):
        there, back = interlock.Channel(1), interlock.Channel(1)

        def echo(there, back):
            for item in there:
                back.send(item)
            back.close()

        i = self.interpreter()
        future = i.submit(echo, there, back)
        for n in range(500):
            there.send([n])
            self.assertEqual(back.recv(), [n])
        there.close()
        self.assertEqual(list(back), [])
        future.result(support.LIMIT)

    def test_nothing_is_lost_or_doubled_between_many(self):
        channel, results = interlock.Channel(3), interlock.Channel(4)

        def send(channel, base, count):
            for n in range(count):
                channel.send(base + n)

        def receive(channel):
            return list(channel)

        pool = interlock.Pool(4)
        self.addCleanup(pool.shutdown)
        receivers = [pool.submit(receive, channel) for _ in range(2)]
        senders = [pool.submit(send, channel, base, 2000) for base in (0, 10_000)]
        for sender in senders:
            sender.result(support.LIMIT)
        channel.close()
        lists = [receiver.result(support.LIMIT) for receiver in receivers]
        self.assertEqual(sorted(sum(lists, [])), [*range(2000), *range(10_000, 12_000)])
        for items in lists:  # first in, first out for each sender
            self.assertEqual([n for n in items if n < 10_000], sorted(n for n in items if n < 10_000))
        results.close()

    def test_waiting_does_not_stop_other_threads(self):
        channel = interlock.Channel(1)
        received = []
        thread = self.in_thread(lambda: received.append(channel.recv()))
        done = threading.Event()
        self.in_thread(done.set)
        self.assertTrue(done.wait(support.LIMIT))
        channel.send("x")
        thread.join(support.LIMIT)
        self.assertEqual(received, ["x"])

    def test_contents_of_a_dropped_channel_are_freed(self):
        inner = interlock.Channel(1)
        outer = interlock.Channel(1)
        outer.send(inner)
        del outer
        inner.send(1)
        self.assertEqual(inner.recv(), 1)


if __name__ == "__main__":
    unittest.main()
