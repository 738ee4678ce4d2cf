# SPDX-License-Identifier: MIT
import asyncio
import gc
import os
import threading
import unittest
import warnings
import weakref

import interlock
import support
from interlock import Channel


def echo(there, back):
    """For an interpreter of its own."""
    import asyncio

    async def run():
        async for item in there:
            await back.asend(item)
        back.close()

    asyncio.run(run())


def wait_in_loop(wait, channel, full, ready, new_loop):
    """For an interpreter of its own: waits for ever."""
    import asyncio

    async def run():
        asyncio.get_running_loop().call_soon(ready.send, None)
        await (channel.arecv() if wait == "arecv" else full.asend(1))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


def wait_for_signal(ready, new_loop):
    """For an interpreter of its own: the loop has used no channel, and would not wake up otherwise."""
    import asyncio
    import signal

    async def run():
        heard = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, heard.set)
        asyncio.get_running_loop().call_soon(ready.send, None)
        await heard.wait()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
        return "heard"

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def refuse_signal(new_loop):
    import asyncio
    import signal

    async def run():
        try:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
        except RuntimeError as error:
            return str(error)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(run())


def run_until_cancelled(ready, new_loop):
    """For an interpreter of its own: a loop that is always in the middle of something."""
    import asyncio

    async def run():
        ready.send(None)
        try:
            while True:
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ready.send("cleaned up")
            raise

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())


def run_again(channel, ready, interrupted, new_loop, interrupts):
    """For an interpreter of its own: runs one loop again after each interrupt, at last for an item.

    asyncio does not survive an interrupt in the middle of what it does. So it says when it is about to wait,
    with nothing left to do: not even to look at the bell, which the interrupt before has rung.
    """
    import asyncio

    async def receive():
        return await channel.arecv()

    async def settle():
        for _ in range(9):
            await asyncio.sleep(0)

    loop = new_loop()
    loop.run_until_complete(receive())
    task = loop.create_task(receive())
    for _ in range(interrupts):
        loop.run_until_complete(settle())
        loop.call_soon(ready.send, None)
        try:
            loop.run_until_complete(task)
        except KeyboardInterrupt:
            interrupted.recv()
    ready.send(None)
    item = loop.run_until_complete(task)
    loop.close()
    return item


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that can wait for sockets alone, as the proactor loop of Windows."""

    def add_reader(self, *arguments):
        raise NotImplementedError


class Asyncio(support.TestCase):
    new_loop = staticmethod(asyncio.new_event_loop)

    def loop_of_interpreters(self):
        """new_loop, for an interpreter other than main."""
        return self.new_loop

    def run_async(self, main):
        with asyncio.Runner(loop_factory=self.new_loop) as runner:
            return runner.run(asyncio.wait_for(main, support.LIMIT))

    def test_two_interpreters_talk(self):
        async def talk(there, back):
            for n in range(200):
                await there.asend([n])
                self.assertEqual(await back.arecv(), [n])
            there.close()
            self.assertEqual([item async for item in back], [])
            with self.assertRaises(interlock.ChannelClosed):
                await back.arecv()
            with self.assertRaises(interlock.ChannelClosed):
                await there.asend(1)

        for capacity in (0, 1, 8, None):
            there, back = Channel(capacity), Channel(capacity)
            future = self.interpreter().submit(echo, there, back)
            self.run_async(talk(there, back))
            future.result(support.LIMIT)

    def test_waiting_lets_the_loop_run(self):
        async def main():
            channel = Channel(1)
            waiting = asyncio.ensure_future(channel.arecv())
            await asyncio.sleep(0)
            self.assertFalse(waiting.done())
            thread = threading.Thread(target=channel.send, args=("from a thread",))
            thread.start()
            self.assertEqual(await waiting, "from a thread")
            thread.join()

        self.run_async(main())

    def test_senders_wait_for_room(self):
        async def main():
            channel = Channel(1)
            await channel.asend(1)
            sending = asyncio.ensure_future(channel.asend(2))
            await asyncio.sleep(0)
            self.assertFalse(sending.done())
            self.assertEqual(await channel.arecv(), 1)
            await sending
            self.assertEqual(channel.recv(), 2)

        self.run_async(main())

    def test_a_send_does_what_the_policy_says(self):
        async def main():
            for capacity in (0, 1):
                full = Channel(capacity, policy="refuse")
                if capacity:
                    await full.asend("first")
                with self.assertRaises(interlock.ChannelFull):
                    await full.asend("refused")
            for policy, kept in (("drop_oldest", 2), ("drop_newest", 1)):
                full = Channel(1, policy=policy)
                await full.asend(1)
                await full.asend(2)
                self.assertEqual(await full.arecv(), kept)

        self.run_async(main())

    def test_many_tasks_are_served_in_order(self):
        async def main():
            channel = Channel(None)
            results = []

            async def take(n):
                results.append((n, await channel.arecv()))

            tasks = []
            for n in range(50):
                tasks.append(asyncio.ensure_future(take(n)))
                await asyncio.sleep(0)
            for n in range(50):
                channel.send(n)
            await asyncio.gather(*tasks)
            self.assertEqual(results, [(n, n) for n in range(50)])

        self.run_async(main())

    def test_cancelling_loses_no_item(self):
        async def main(capacity):
            channel = Channel(capacity)
            got = []

            async def take():
                got.append(await channel.arecv())

            def feed():
                for n in range(500):
                    channel.send(n)
                channel.close()

            thread = threading.Thread(target=feed)
            thread.start()
            rounds = 0
            while not (channel.closed and len(channel) == 0):
                task = asyncio.ensure_future(take())
                for _ in range(rounds % 4):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                rounds += 1
                if not task.cancelled() and isinstance(task.exception(), interlock.ChannelClosed):
                    break
            await asyncio.to_thread(thread.join)
            self.assertEqual(got, list(range(500)))

        for capacity in (0, 1, 3, None):
            self.run_async(main(capacity))

    def test_a_cancelled_task_passes_its_turn_on(self):
        async def main():
            channel = Channel(4)
            first, second = (asyncio.ensure_future(channel.arecv()) for _ in range(2))
            await asyncio.sleep(0)
            channel.send("item")  # chooses the first
            first.cancel()
            self.assertEqual(await second, "item")

        self.run_async(main())

    def test_timeouts_of_asyncio_work(self):
        async def main():
            for capacity in (0, 1):
                channel = Channel(capacity)
                with self.assertRaises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await channel.arecv()
                with self.assertRaises(interlock.ChannelFull):
                    channel.try_send(1) if capacity == 0 else (channel.send(1), channel.try_send(2))

        self.run_async(main())

    def test_a_channel_of_the_other_kind_of_waiters(self):
        """A blocked thread and a task wait for the same channel; each gets one."""

        async def main():
            channel = Channel(0)
            results = []
            thread = threading.Thread(target=lambda: results.append(channel.recv()))
            thread.start()
            task = asyncio.ensure_future(channel.arecv())
            await asyncio.sleep(0)
            await channel.asend(1)
            await channel.asend(2)
            results.append(await task)
            await asyncio.to_thread(thread.join)
            self.assertEqual(sorted(results), [1, 2])

        self.run_async(main())

    def test_a_loop_that_does_not_run_keeps_nothing_from_threads(self):
        async def begin(channel):
            pending.append(asyncio.ensure_future(channel.arecv()))
            await asyncio.sleep(0)

        for capacity in (0, 1, None):
            channel, pending, results = Channel(capacity), [], []
            with asyncio.Runner(loop_factory=self.new_loop) as runner:
                runner.run(begin(channel))  # from here on the loop stands still
                thread = self.in_thread(lambda: results.append(channel.recv(support.LIMIT)))
                channel.send("item", timeout=support.LIMIT)
                thread.join(support.LIMIT)
                self.assertEqual(results, ["item"])

    def test_items_that_cannot_cross_are_refused(self):
        async def main():
            with self.assertRaisesRegex(interlock.TransferError, r"message\[0\]: a generator"):
                await Channel(1).asend([(n for n in ())])

        self.run_async(main())

    def test_a_sender_is_kept_while_it_sends(self):
        async def main():
            channel = Channel(1)
            channel.send(0)
            task = asyncio.ensure_future(channel.sender().asend(1))
            await asyncio.sleep(0)
            self.assertEqual([item async for item in channel], [0, 1])
            await task

        self.run_async(main())

    def test_a_loop_that_ends_frees_its_bell(self):
        loop = self.new_loop()
        loop.run_until_complete(asyncio.wait_for(self._use(Channel(1)), support.LIMIT))
        loop.close()
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        self.assertIsNone(gone())

    async def _use(self, channel):
        task = asyncio.ensure_future(channel.arecv())
        await asyncio.sleep(0)
        channel.send(1)
        self.assertEqual(await task, 1)

    def test_a_loop_that_ends_before_it_looks_frees_its_bell(self):
        channel = Channel(1)
        gc.collect()
        before = len(os.listdir("/proc/self/fd"))
        loop = self.new_loop()
        task = loop.create_task(channel.arecv())
        task._log_destroy_pending = False
        loop.run_until_complete(asyncio.sleep(0))
        channel.send("x")  # the task is chosen, and never looks
        loop.close()
        del loop, task
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(channel.recv(0), "x")

    def test_a_loop_that_ends_early_leaves_no_waiter(self):
        channel = Channel(1)

        async def main():
            asyncio.ensure_future(channel.arecv())
            await asyncio.sleep(0)

        self.run_async(main())  # asyncio cancels the task
        gc.collect()
        channel.send("kept")
        self.assertEqual(channel.recv(timeout=support.LIMIT), "kept")

    def test_an_interrupt_of_the_interpreter_ends_the_loop(self):
        for capacity in (0, 1, None):
            channel, ready, full = Channel(capacity), Channel(1), Channel(1)
            full.send("full")
            i = self.interpreter()
            for wait in ("arecv", "asend"):
                with self.subTest(wait, capacity=capacity):
                    future = i.submit(wait_in_loop, wait, channel, full, ready, self.loop_of_interpreters())
                    ready.recv(timeout=support.LIMIT)
                    i.interrupt()
                    with self.assertRaises(KeyboardInterrupt):
                        future.result(support.LIMIT)
            if capacity != 0:
                channel.send("kept")
                self.assertEqual(channel.recv(timeout=support.LIMIT), "kept")
            self.assertEqual((i.call(int), full.recv_many(2)), (0, ["full"]))

    def test_a_loop_may_run_again_after_an_interrupt(self):
        i, channel, ready, interrupted = self.interpreter(), Channel(1), Channel(1), Channel(1)
        future = i.submit(run_again, channel, ready, interrupted, self.loop_of_interpreters(), 10)
        channel.send("first")
        for _ in range(10):
            ready.recv(timeout=support.LIMIT)
            i.interrupt()
            interrupted.send(None)
        ready.recv(timeout=support.LIMIT)
        channel.send("item")
        self.assertEqual(future.result(support.LIMIT), "item")

    @unittest.skipUnless(hasattr(asyncio.SelectorEventLoop, "add_signal_handler"), "loops handle no signals here")
    def test_a_loop_hears_of_an_interrupt_that_sleeps(self):
        i, ready = self.interpreter(), Channel(1)
        future = i.submit(wait_for_signal, ready, self.loop_of_interpreters())
        ready.recv(timeout=support.LIMIT)
        i.interrupt()
        self.assertEqual(future.result(support.LIMIT), "heard")

    @unittest.skipUnless(hasattr(asyncio.SelectorEventLoop, "add_signal_handler"), "loops handle no signals here")
    def test_a_loop_refuses_other_signals_and_runs_on(self):
        self.assertEqual(self.interpreter().call(refuse_signal, self.loop_of_interpreters()), "sig 15 cannot be caught")

    def test_an_interrupt_cancels_what_a_loop_runs(self):
        i, ready = self.interpreter(), Channel(1)
        for _ in range(20):
            future = i.submit(run_until_cancelled, ready, self.loop_of_interpreters())
            ready.recv(timeout=support.LIMIT)
            i.interrupt()
            self.assertIs(type(future.exception(support.LIMIT)), KeyboardInterrupt)
            self.assertEqual(ready.recv(timeout=support.LIMIT), "cleaned up")

    def test_a_loop_that_waits_does_not_keep_an_interpreter_from_its_end(self):
        i, channel, ready = interlock.Interpreter(), Channel(1), Channel(1)
        future = i.submit(wait_in_loop, "arecv", channel, channel, ready, self.loop_of_interpreters())
        ready.recv(timeout=support.LIMIT)
        with warnings.catch_warnings(action="error"):
            i.close(timeout=0)
        self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)


class WithoutReaders(Asyncio):
    new_loop = NoReaders


try:
    import uvloop
except ImportError:
    uvloop = None


@unittest.skipIf(uvloop is None, "uvloop is not installed")
class Uvloop(Asyncio):
    new_loop = staticmethod(lambda: uvloop.new_event_loop())

    def loop_of_interpreters(self):
        self.skipTest("uvloop loads in the main interpreter only")


if __name__ == "__main__":
    unittest.main()
