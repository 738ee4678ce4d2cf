# SPDX-License-Identifier: MIT
import asyncio
import os
import sys
import threading
import time
import unittest

import interlock
import support


def start_daemon(wait, channel, lock, ready):
    import threading

    threading.Thread(target=wait, args=(channel, lock, ready), daemon=True).start()


def wait_in_recv(channel, lock, ready):
    ready.send(1)
    channel.recv()


def wait_in_select(channel, lock, ready):
    ready.send(1)
    interlock.select([channel, interlock.Channel(0)])


def wait_in_lock(channel, lock, ready):
    ready.send(1)
    lock.acquire()


class Unbuildable:
    def __reduce__(self):
        return cannot_build, ()


def cannot_build():
    raise ValueError("cannot be built")


def keep_with_a_daemon_thread(sender):
    import threading

    threading.Thread(target=threading.Event().wait, args=(), name="kept", daemon=True).start()
    keep_with_a_daemon_thread.kept = sender


FORK = """
import _interlock, interlock, os, sys, threading
channel, fellow = interlock.Channel(1), interlock.Channel(0)
sender, closed = channel.sender(), channel.sender()
closed.close()
bell = _interlock.LoopBell()
waiter, idle = bell.waiter(channel), bell.waiter(fellow)
assert waiter.start() is False and idle.start() is False
threading.Thread(target=fellow.recv, daemon=True).start()
while fellow.stats()["recv_waits"] == 0:
    pass
pid = os.fork()
if pid == 0:
    uses = {channel: [], sender: []}
    for owner in uses:
        uses[owner] = [lambda use=getattr(owner, name): use(1) for name in ("send", "try_send", "asend")]
        uses[owner] += [lambda owner=owner: owner.send_many([1]), lambda owner=owner: owner.send_many(iter([1])),
                        lambda owner=owner: interlock.select([(owner, 1)]), owner.close, owner.__enter__,
                        owner.__exit__, lambda owner=owner: owner.closed]
    uses[channel] += [channel.recv, channel.try_recv, lambda: channel.recv_many(1), channel.arecv, channel.__anext__,
                      channel.sender, channel.cancel, channel.stats, lambda: len(channel), lambda: next(channel),
                      lambda: interlock.select([channel])]
    uses[sender] += [lambda: sender.channel]
    uses["LoopBell"] = [bell.take, bell.fileno, lambda: bell.waiter(interlock.Channel(1))]
    uses["LoopWaiter"] = [waiter.start, waiter.resume, waiter.result, idle.resume]
    for owner, calls in uses.items():
        name = owner if isinstance(owner, str) else type(owner).__name__
        for use in calls:
            try: print("unexpected", use, use())
            except RuntimeError as error: assert f"this {name} was made before fork()" in str(error), (use, error)
    idle.cancel()
    print(channel, sender, closed, sep="\\n")
    assert hash(channel) and hash(sender) and channel == channel and sender != closed
    new = interlock.Channel(1)
    new.sender().send("a new one works")
    print(new.recv())
    del channel, sender, closed, bell, waiter, idle, fellow, uses, calls, owner, use
    sys.stdout.flush()
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
sender.send("kept")
print(channel.recv())
"""


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
        for capacity in (-1, -1 << 70):
            with self.assertRaisesRegex(ValueError, f"capacity must be an int >= 0, or None.*, not {capacity}"):
                interlock.Channel(capacity)
        for capacity in (2.0, True, "3", [1]):
            expected = f"capacity must be an int >= 0, or None for no bound, not {type(capacity).__name__}"
            with self.assertRaisesRegex(TypeError, expected):
                interlock.Channel(capacity)
        for capacity in (sys.maxsize, 1 << 70):
            with self.assertRaisesRegex(ValueError, "no memory could hold that capacity; let it be unbounded"):
                interlock.Channel(capacity)
        with self.assertRaisesRegex(ValueError, "policy must be 'wait', 'refuse'"):
            interlock.Channel(1, policy="drop")
        with self.assertRaisesRegex(ValueError, "nothing to drop"):
            interlock.Channel(0, policy="drop_oldest")
        channel = interlock.Channel()
        for timeout in (-1, float("nan")):
            with self.assertRaisesRegex(ValueError, "timeout must be"):
                channel.recv(timeout=timeout)
        for timeout in ("1", 1j, True):
            with self.assertRaisesRegex(TypeError, "timeout must be None or a number"):
                channel.recv(timeout=timeout)

    def test_a_rendezvous_meets(self):
        channel = interlock.Channel(0)
        self.assertEqual((channel.capacity, len(channel)), (0, 0))
        with self.assertRaises(interlock.ChannelFull):
            channel.try_send(1)
        with self.assertRaises(TimeoutError):
            channel.send(1, timeout=0.01)
        sent = []
        thread = self.in_thread(lambda: sent.append(channel.send("x")))
        self.assertEqual(channel.recv(support.LIMIT), "x")
        thread.join(support.LIMIT)
        self.assertEqual(sent, [None])

    def test_an_unbounded_one_has_no_capacity(self):
        channel = interlock.Channel(None)
        channel.send_many(range(10_000))
        self.assertEqual((channel.capacity, len(channel)), (None, 10_000))
        channel.close()
        self.assertEqual(list(channel), list(range(10_000)))
        self.assertEqual(repr(channel).split(": ")[1], "0, closed>")

    def test_a_huge_capacity_costs_no_memory_until_it_is_used(self):
        channel = interlock.Channel(10_000_000)
        channel.send(1)
        self.assertEqual((channel.capacity, channel.recv()), (10_000_000, 1))

    def test_policies(self):
        refuse = interlock.Channel(1, policy="refuse")
        refuse.send(1)
        with self.assertRaises(interlock.ChannelFull):
            refuse.send(2)
        with self.assertRaises(interlock.ChannelFull):
            refuse.send_many([2, 3])
        for policy, expected in (("drop_oldest", [3, 4]), ("drop_newest", [0, 1])):
            channel = interlock.Channel(2, policy=policy)
            self.assertEqual(channel.policy, policy)
            for n in range(5):
                channel.send(n)
            channel.close()
            self.assertEqual(list(channel), expected)
            stats = channel.stats()
            self.assertEqual((stats["dropped"], stats["received"]), (3, 2))

    def test_many_at_a_time(self):
        channel = interlock.Channel(None)
        channel.send_many([1, "two", [3]])
        channel.send_many(())
        channel.send_many(n for n in range(200))
        self.assertEqual(channel.recv_many(2), [1, "two"])
        self.assertEqual(channel.recv_many(1), [[3]])
        got = []
        while len(got) < 200:
            got += channel.recv_many(sys.maxsize)
        self.assertEqual(got, list(range(200)))
        with self.assertRaises(TimeoutError):
            channel.recv_many(3, timeout=0.01)
        for bad in (0, -1):
            with self.assertRaisesRegex(ValueError, f"n must be at least 1, not {bad}"):
                channel.recv_many(bad)
        for bad in (True, 1.0, None):
            with self.assertRaisesRegex(TypeError, f"n must be an int, not {type(bad).__name__}"):
                channel.recv_many(bad)
        channel.close()
        with self.assertRaises(interlock.ChannelClosed):
            channel.recv_many(3)

    def test_many_that_fail_say_how_far_they_came(self):
        channel = interlock.Channel(3)
        with self.assertRaises(TimeoutError) as caught:
            channel.send_many(range(10), timeout=0.01)
        self.assertEqual((caught.exception.sent, len(channel)), (3, 3))
        generator = (n for n in ())
        with self.assertRaises(interlock.TransferError) as caught:
            interlock.Channel(None).send_many([1, generator])
        self.assertEqual(caught.exception.sent, 0)

        channel.close()
        with self.assertRaises(interlock.ChannelClosed) as caught:
            channel.send_many([1])
        self.assertEqual(caught.exception.sent, 0)

    def test_what_an_iterable_gives_before_it_raises_is_sent(self):
        def items(error):
            yield from range(70)
            raise error

        for error in (KeyError("source"), KeyboardInterrupt()):
            channel = interlock.Channel(None)
            with self.assertRaises(type(error)) as caught:
                channel.send_many(items(error))
            self.assertIs(caught.exception, error)
            self.assertEqual((error.sent, channel.recv_many(100)), (70, list(range(70))))
        channel = interlock.Channel(None)
        with self.assertRaises(interlock.TransferError) as caught:
            channel.send_many(iter([1, 2, items, (n for n in ()), 3]))
        self.assertEqual((caught.exception.sent, channel.recv_many(2)), (3, [1, 2]))

        full = interlock.Channel(3)
        with self.assertRaises(TimeoutError) as caught:
            full.send_many(items(KeyError("source")), timeout=0.01)
        self.assertEqual((caught.exception.sent, len(full)), (3, 3))
        ends = interlock.Channel(3)
        with self.assertRaises(TimeoutError) as caught:
            ends.send_many((n if n < 9 else {}[n] for n in range(64)), timeout=0.01)
        self.assertEqual((caught.exception.sent, len(ends)), (3, 3))
        self.assertIsInstance(caught.exception.__context__, KeyError)
        # Who is interrupted is not kept waiting for room.
        ends = interlock.Channel(3)
        with self.assertRaises(KeyboardInterrupt) as caught:
            ends.send_many(self.interrupted_after(9))
        self.assertEqual((caught.exception.sent, len(ends)), (3, 3))

    @staticmethod
    def interrupted_after(count):
        yield from range(count)
        raise KeyboardInterrupt

    def test_an_item_that_cannot_be_rebuilt_does_not_take_others_along(self):
        channel = interlock.Channel(None)
        channel.send_many([1, Unbuildable(), [3], 4])
        with self.assertRaisesRegex(ValueError, "cannot be built") as caught:
            channel.recv_many(10)
        self.assertEqual(caught.exception.received, [1, [3], 4])

    def test_counts_add_up(self):
        for policy in ("drop_oldest", "drop_newest"):
            channel = interlock.Channel(3, policy=policy)
            for n in range(10):
                channel.send(n)
            channel.recv()
            stats = channel.stats()
            self.assertEqual((stats["sent"], stats["received"], stats["dropped"]), (10, 1, 7))
            channel.cancel()
            stats = channel.stats()
            self.assertEqual((stats["sent"], stats["received"], stats["dropped"]), (10, 1, 9))

    def test_cancel_drops_what_is_there(self):
        for capacity in (0, 3, None):
            channel = interlock.Channel(capacity)
            if capacity != 0:
                channel.send_many([1, 2])
            channel.cancel()
            channel.cancel()
            self.assertEqual((len(channel), list(channel), channel.closed), (0, [], True))

    def test_the_last_sender_closes_the_channel(self):
        channel = interlock.Channel(8)

        def work(sender, items):
            with sender:
                sender.send_many(items)

        first, second = channel.sender(), channel.sender()
        self.assertEqual(first.channel, channel)
        self.assertNotEqual(first, second)
        pool = interlock.Pool(2)
        self.addCleanup(pool.shutdown)
        done = [pool.submit(work, first, [1, 2]), pool.submit(work, second, [3])]
        first.close()
        first.close()
        self.assertFalse(channel.closed)
        del second
        for each in done:
            each.result(support.LIMIT)
        del done
        self.assertEqual(sorted(channel), [1, 2, 3])
        for use in (first.send, first.try_send, first.asend):
            with self.assertRaisesRegex(interlock.ChannelClosed, "this Sender was closed"):
                use(1)
        self.assertIn("closed", repr(first))
        with self.assertRaisesRegex(interlock.TransferError, "it is closed"):
            interlock.Channel(1).send(first)
        with self.assertRaises(interlock.ChannelClosed):
            channel.sender()

    def test_threads_left_in_a_closed_interpreter_take_nothing(self):
        for wait in (wait_in_recv, wait_in_select, wait_in_lock):
            with self.subTest(wait.__name__):
                channel, lock, ready = interlock.Channel(4), interlock.Lock(), interlock.Channel(None)
                lock.acquire()
                interpreter = interlock.Interpreter()
                interpreter.call(start_daemon, wait, channel, lock, ready)
                ready.recv(support.LIMIT)
                while wait is wait_in_recv and channel.stats()["recv_waits"] == 0:
                    interpreter.call(int)
                for _ in range(50):  # for the others, whose sleep nobody counts
                    interpreter.call(int)
                interpreter.close()
                lock.release()
                channel.send("kept")
                interlock.Event().wait(0.05)  # the time that it would take to be taken
                self.assertTrue(lock.acquire(timeout=support.LIMIT))
                self.assertEqual(channel.recv(timeout=support.LIMIT), "kept")

    def test_a_sender_in_flight_counts(self):
        channel, carrier = interlock.Channel(1), interlock.Channel(1)
        carrier.send(channel.sender())
        self.assertFalse(channel.closed)
        carrier.cancel()
        self.assertTrue(channel.closed)

    def test_a_closed_sender_stays_itself(self):
        senders = [interlock.Channel(1).sender() for _ in range(2)]
        kept, hashes = set(senders), [hash(each) for each in senders]
        for sender in senders:
            sender.close()
        self.assertEqual([hash(each) for each in senders], hashes)
        self.assertTrue(all(each in kept for each in senders))
        self.assertNotEqual(*senders)

    def test_senders_end_with_their_interpreter(self):
        channel = interlock.Channel(1)
        interpreter = interlock.Interpreter()
        interpreter.call(keep_with_a_daemon_thread, channel.sender())
        self.assertFalse(channel.closed)
        waiting = self.in_thread(lambda: list(channel))
        interpreter.close()
        waiting.join(support.LIMIT)
        self.assertTrue(channel.closed)

    def test_a_sender_may_be_closed_by_what_it_sends(self):
        class Closes:
            def __reduce__(self):
                sender.close()
                return int, ()

        for send in ("send", "try_send", "asend"):
            sender = interlock.Channel(1).sender()
            with self.assertRaisesRegex(interlock.ChannelClosed, "closed"):
                result = getattr(sender, send)(Closes())
                if send == "asend":
                    asyncio.run(result)
        sender = interlock.Channel(1).sender()
        with self.assertRaisesRegex(interlock.ChannelClosed, "this Sender was closed"):
            sender.send_many(Closes() for _ in range(3))

    def test_a_sender_dropped_by_a_full_channel_ends(self):
        for channel in (interlock.Channel(0, policy="drop_newest"), interlock.Channel(1, policy="drop_oldest")):
            sender = channel.sender()
            sender.send(sender)
            del sender
            if channel.capacity:
                self.assertFalse(channel.closed)
                channel.send(1)
            self.assertTrue(channel.closed)

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

    @unittest.skipUnless(hasattr(os, "fork"), "no fork on this system")
    @unittest.skipIf(support.ADDRESS_SANITIZER, "the locks of its allocator may be held for ever in the child")
    def test_those_of_the_parent_cannot_be_used_in_a_child(self):
        out, _ = self.run_program(FORK, options=("-W", "ignore"))
        shown = [f"<interlock.{name} of the parent process>" for name in ("Channel", "Sender")]
        self.assertEqual(out.splitlines(), [*shown, "<interlock.Sender, closed>", "a new one works", "7", "kept"])

    def test_contents_of_a_dropped_channel_are_freed(self):
        inner = interlock.Channel(1)
        outer = interlock.Channel(1)
        outer.send(inner)
        del outer
        inner.send(1)
        self.assertEqual(inner.recv(), 1)


if __name__ == "__main__":
    unittest.main()
