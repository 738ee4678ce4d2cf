# SPDX-License-Identifier: MIT
"""Calls by proxy that wait or come back, how long objects live, and event loops."""

import asyncio
import atexit
import concurrent.futures
import gc
import importlib
import os
import sys
import threading
import time
import unittest
import weakref

import interlock
import support
from proxied import Account, call_method, make, make_account


class Waits(support.TestCase):
    """Calls that take long, and calls that come back."""

    def test_a_timeout_ends_the_wait_and_not_the_call(self):
        account = self.interpreter().call(make_account)
        channel = interlock.Channel(1)
        with self.assertRaises(TimeoutError):
            account.wait.call(channel, timeout=0.01)
        channel.send("late")
        self.assertEqual(account.balance, 5)
        self.assertEqual(len(channel), 0)

    def test_a_call_that_timed_out_before_it_began_is_never_run(self):
        owner = self.interpreter()
        account, items = owner.call(make_account), owner.call(make, [])
        channel = interlock.Channel(1)
        account.wait.submit(channel)
        with self.assertRaises(TimeoutError):
            items.append.call(1, timeout=0.01)
        channel.send(None)
        self.assertEqual(list(items), [])

    def test_an_interrupt_ends_a_wait(self):
        owner, waiting = self.interpreter(), self.interpreter()
        account = owner.call(make_account)
        channel, begun = interlock.Channel(1), interlock.Channel(1)
        account.call_back.submit(send_and_receive, begun, channel)
        begun.recv(support.LIMIT)
        future = waiting.submit(tell_and_ask, begun, account)
        begun.recv(support.LIMIT)
        waiting.interrupt()
        with self.assertRaises(KeyboardInterrupt):
            future.result(support.LIMIT)
        channel.send(None)
        self.assertEqual(account.balance, 5)

    def test_a_future_is_cancelled_before_it_begins(self):
        owner = self.interpreter()
        account, items = owner.call(make_account), owner.call(make, [])
        channel = interlock.Channel(1)
        account.wait.submit(channel)
        future = items.append.submit(1)
        self.assertTrue(future.cancel())
        channel.send(None)
        self.assertEqual(list(items), [])

    def test_two_interpreters_call_each_other(self):
        first, second = self.interpreter("first"), self.interpreter("second")
        there, back = first.call(make_account), second.call(make_account)
        result = first.submit(call_method, back, "call_back", there.where).result(support.LIMIT)
        self.assertEqual(result, first.id)

    def test_they_do_so_deeply(self):
        first, second = self.interpreter("first"), self.interpreter("second")
        one, two = first.call(make_ping_pong), second.call(make_ping_pong)
        self.assertEqual(first.submit(play, one, two, 40).result(support.LIMIT), 40)

    def test_endless_calls_back_and_forth_are_an_error(self):
        first, second = self.interpreter("first"), self.interpreter("second")
        one, two = first.call(make_ping_pong), second.call(make_ping_pong)
        # Where the stack ends, there may be no room left to describe the error with more than its text.
        with self.assertRaises((RecursionError, interlock.RemoteError)) as raised:
            first.submit(play, one, two, 10**9).result(support.LIMIT)
        self.assertIn("maximum recursion depth exceeded", str(raised.exception))
        self.assertEqual(first.submit(play, one, two, 3).result(support.LIMIT), 3)

    def test_an_interpreter_serves_while_it_waits_for_a_call(self):
        first, second = self.interpreter("first"), self.interpreter("second")
        account = first.call(make_account)
        self.assertEqual(first.submit(second.call, call_method, account, "where").result(support.LIMIT), first.id)

    def test_the_main_interpreter_serves_while_it_waits(self):
        account = interlock.proxy(Account(3))
        self.assertEqual(self.interpreter().call(get_attribute, account, "balance"), 3)
        there = self.interpreter().call(make_account)
        self.assertEqual(there.call_back(account.where), 0)

    def test_two_that_call_each_other_at_once_both_get_answers(self):
        first, second = self.interpreter("first"), self.interpreter("second")
        one, two = first.call(make_account), second.call(make_account)
        barrier = interlock.Barrier(2)
        results = [first.submit(meet_and_ask, barrier, two), second.submit(meet_and_ask, barrier, one)]
        self.assertEqual([each.result(support.LIMIT) for each in results], [[second.id] * 50, [first.id] * 50])

    def test_many_threads_of_many_interpreters_use_one_object(self):
        items = self.interpreter().call(make, [])
        others = [self.interpreter() for _ in range(3)]
        for each in [other.submit(append_from_threads, items, 4, 50) for other in others]:
            each.result(support.LIMIT)
        self.assertEqual(len(items), 3 * 4 * 50)

    def test_a_worker_of_a_pool_owns_objects(self):
        with interlock.Pool(2) as pool:
            accounts = [pool.submit(make_account).result(support.LIMIT) for _ in range(4)]
            self.assertEqual([each.thread() for each in accounts], [each.thread() for each in accounts])
            self.assertEqual({each.add(1).balance for each in accounts}, {6})


def send_and_receive(begun, channel):
    begun.send(None)
    channel.recv(support.LIMIT)


def tell_and_ask(begun, account):
    begun.send(None)
    return account.balance


def get_attribute(proxy, name):
    return getattr(proxy, name)


def meet_and_ask(barrier, account):
    barrier.wait(support.LIMIT)
    return [account.where() for _ in range(50)]


def append_from_threads(items, threads, each):
    def append():
        for i in range(each):
            items.append(i)

    started = [threading.Thread(target=append) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


class PingPong:
    def play(self, other, me, times):
        return 0 if times == 0 else 1 + other.play(me, other, times - 1)


def make_ping_pong():
    return interlock.proxy(PingPong())


def play(one, two, times):
    return one.unwrap().play(two, one, times)


class Ends(support.TestCase):
    """How long an object lives, and what comes after."""

    def test_the_object_lives_as_long_as_a_proxy_does(self):
        account = Account()
        gone = weakref.ref(account)
        channel = interlock.Channel(1)
        channel.send(interlock.proxy(account))
        del account
        gc.collect()
        self.assertIsNotNone(gone())
        self.interpreter().call(drop_next, channel)
        self.assertTrue(wait_until(lambda: gone() is None))

    def test_the_last_proxy_elsewhere_drops_the_object_in_its_owner(self):
        owner = self.interpreter()
        account = owner.call(make_and_watch)
        self.assertEqual(owner.call(is_gone), False)
        del account
        self.assertTrue(wait_until(lambda: owner.call(is_gone)))

    def test_a_dropped_message_drops_the_object(self):
        owner = self.interpreter()
        channel = interlock.Channel(1)
        channel.send(owner.call(make_and_watch))
        channel.cancel()
        self.assertTrue(wait_until(lambda: owner.call(is_gone)))

    def test_after_the_owners_end_every_use_names_it(self):
        with interlock.Interpreter("bank") as owner:
            account = owner.call(make_account)
            method = account.add
        for use in (
            lambda: account.balance, lambda: method(1), lambda: len(account), lambda: list(account),
            lambda: method.submit(1), lambda: asyncio.run(method.acall(1)), lambda: account.call(timeout=1),
        ):  # fmt: skip
            with self.assertRaisesRegex(interlock.InterpreterEnded, "'bank'"):
                use()
        account.release()
        self.assertIn("has ended", repr(account))

    def test_calls_that_run_are_interrupted_when_the_owner_is_closed(self):
        owner = interlock.Interpreter("bank")
        account = owner.call(make_account)
        channel, begun = interlock.Channel(1), interlock.Channel(1)
        running = account.call_back.submit(send_and_receive, begun, channel)
        begun.recv(support.LIMIT)
        waiting = account.add.submit(1)
        self.assertTrue(owner._close(0))
        self.assertIsInstance(running.exception(support.LIMIT), KeyboardInterrupt)
        self.assertIsInstance(waiting.exception(support.LIMIT), (interlock.InterpreterEnded, type(None)))

    def test_calls_fail_when_the_owner_is_abandoned(self):
        source = """
import interlock, time, sys

class Sleeper:
    def sleep(self, channel):
        channel.send(None)
        while True:
            try:
                time.sleep(100)
            except KeyboardInterrupt:
                pass

def make():
    return interlock.proxy(Sleeper())

if __name__ == "__main__":
    interpreter = interlock.Interpreter("stubborn")
    sleeper = interpreter.call(make)
    channel = interlock.Channel(1)
    running, waiting = sleeper.sleep.submit(channel), sleeper.sleep.submit(channel)
    channel.recv()
    interpreter.close(0)
    for future in running, waiting:
        print(type(future.exception(30)).__name__)
    try:
        sleeper.sleep(channel)
    except interlock.InterpreterEnded as error:
        print("stubborn" in str(error))
"""
        out, _ = self.run_program(source, options=("-W", "ignore"))
        self.assertEqual(out.split(), ["InterpreterEnded", "InterpreterEnded", "True"])

    def test_release_gives_the_object_up_for_all(self):
        account = self.interpreter().call(make_account)
        account.release()
        account.release()
        with self.assertRaisesRegex(ReferenceError, "released"):
            _ = account.balance

    def test_a_lease_that_nobody_uses_ends(self):
        owner = self.interpreter()
        account = owner.call(make_and_watch, lease=0.02)
        self.assertTrue(wait_until(lambda: owner.call(is_gone)))
        with self.assertRaisesRegex(ReferenceError, "lease has ended"):
            _ = account.balance

    def test_use_renews_a_lease(self):
        lease = 0.5 * support.SLOWER
        account = self.interpreter().call(make_account_with, lease)
        end = time.monotonic() + 2 * lease
        while time.monotonic() < end:
            self.assertEqual(account.balance, 5)

    def test_a_call_that_takes_longer_than_the_lease_is_use(self):
        lease = 0.2 * support.SLOWER
        account = self.interpreter().call(make_account_with, lease)
        channel = interlock.Channel(1)
        future = account.wait.submit(channel)
        with self.assertRaises(TimeoutError):
            future.result(2 * lease)
        channel.send(None)
        self.assertIsNone(future.result(support.LIMIT))

    def test_a_lease_is_a_number_of_seconds(self):
        for wrong in ("1", True, [1]):
            with self.assertRaises(TypeError):
                interlock.proxy(1, lease=wrong)
        for wrong in (0, -1, float("nan"), float("inf")):
            with self.assertRaises(ValueError):
                interlock.proxy(1, lease=wrong)

    def test_a_program_ends_with_proxies_and_leases_left(self):
        source = """
import interlock

def make():
    return interlock.proxy([], lease=1000)

if __name__ == "__main__":
    interpreter = interlock.Interpreter()
    there = interpreter.call(make)
    here = interlock.proxy([], lease=1000)
    interpreter.call(list, here)
    there.append(1)
    interpreter.close()
    print("end")
"""
        self.assertEqual(self.run_program(source)[0], "end\n")

    @unittest.skipUnless(hasattr(os, "fork"), "no fork() on this system")
    @unittest.skipIf(support.THREAD_SANITIZER, "takes the threads of the child for those that only the parent has")
    def test_the_child_of_a_fork_has_proxies_of_its_own(self):
        source = """
import os, interlock

def size(proxy):
    return len(proxy)

if __name__ == "__main__":
    old = interlock.proxy([1])
    with interlock.Interpreter() as other:
        other.call(size, old)
        child = os.fork()
        if child == 0:
            try:
                len(old)
            except RuntimeError as error:
                print(error, flush=True)
            new = interlock.proxy([1, 2])
            with interlock.Interpreter() as mine:
                print(mine.call(size, new), flush=True)
            del old
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), other.call(size, old))
"""
        out, _ = self.run_program(source, options=("-W", "ignore"))
        self.assertIn("this Proxy was made before fork()", out)
        self.assertEqual(out.splitlines()[1:], ["2", "0 1"])

    def test_an_interrupt_at_the_end_leaves_no_server_behind(self):
        channel = interlock.Channel(1)
        with interlock.Interpreter("bank") as owner:
            owner.call(serve_to_the_end, channel)
            sleeper = channel.recv(support.LIMIT)
            begun = interlock.Channel(1)
            waiting = sleeper.sleep.submit(begun)
            begun.recv(support.LIMIT)
        with self.assertRaisesRegex(interlock.InterpreterEnded, "'bank'"):
            waiting.result(support.LIMIT)
        with self.assertRaisesRegex(interlock.InterpreterEnded, "'bank'"):
            sleeper.sleep.call(None, timeout=support.LIMIT)


def serve_to_the_end(channel):
    """In a loop of a daemon thread. It is as if an interrupt came when the proxies' exit function begins."""

    def interrupt(frame, event, argument):
        if frame.f_globals["__name__"] == "interlock._proxy_server":
            raise KeyboardInterrupt

    threading.Thread(target=run_loop, args=(channel, interlock.Channel(1)), daemon=True).start()
    sys.unraisablehook = lambda unraisable: None
    importlib.import_module("interlock._proxy_server")  # what is registered last runs first
    atexit.register(sys.settrace, interrupt)


def wait_until(condition):
    end = time.monotonic() + support.LIMIT
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True


def drop_next(channel):
    channel.recv(support.LIMIT)


def make_and_watch(lease=None):
    account = Account(5)
    sys.gone = weakref.ref(account)
    return interlock.proxy(account, lease=lease)


def make_account_with(lease):
    return interlock.proxy(Account(5), lease=lease)


def is_gone():
    return sys.gone() is None


class Loops(support.TestCase):
    """asyncio on either side."""

    def test_acall_waits_without_blocking_the_loop(self):
        account = self.interpreter().call(make_account)
        channel = interlock.Channel(1)

        async def main():
            call = asyncio.create_task(account.wait.acall(channel))
            await channel.asend("answer")
            return await asyncio.wait_for(call, support.LIMIT)

        self.assertEqual(asyncio.run(main()), "answer")

    def test_async_for_goes_over_the_items(self):
        items = self.interpreter().call(make, range(200))

        async def main():
            return [item async for item in items]

        self.assertEqual(asyncio.run(main()), list(range(200)))

    def test_a_loop_serves_the_proxies_that_were_made_in_it(self):
        other = self.interpreter()

        async def main():
            account = interlock.proxy(Account(2))
            loop = asyncio.get_running_loop()
            thread = await loop.run_in_executor(None, other.call, call_method, account, "thread")
            doubled = await loop.run_in_executor(None, other.call, call_method, account, "double", 21)
            return thread, doubled, await account.double.acall(4)

        self.assertEqual(asyncio.run(main()), (threading.get_ident(), 42, 8))

    def test_a_loop_of_another_interpreter_serves(self):
        owner = self.interpreter("owner")
        channel, stop = interlock.Channel(1), interlock.Channel(1)
        done = owner.submit(run_loop, channel, stop)
        account = channel.recv(support.LIMIT)
        self.assertEqual(account.double(4), 8)
        self.assertEqual(
            [each.result(support.LIMIT) for each in [account.double.submit(i) for i in range(5)]], [0, 2, 4, 6, 8]
        )
        stop.send(None)
        done.result(support.LIMIT)
        with self.assertRaisesRegex(interlock.InterpreterEnded, "the event loop of interpreter 'owner'"):
            account.double(1)

    def test_a_coroutine_needs_a_loop(self):
        account = self.interpreter().call(make_account)
        with self.assertRaisesRegex(TypeError, "needs an event loop"):
            account.double(2)

    def test_a_call_that_its_loop_cancels_is_cancelled(self):
        channel, stop = interlock.Channel(1), interlock.Channel(1)
        done = self.interpreter().submit(run_loop, channel, stop)
        account = channel.recv(support.LIMIT)
        begun = interlock.Channel(1)
        future = account.sleep.submit(begun)
        begun.recv(support.LIMIT)
        stop.send(None)
        done.result(support.LIMIT)
        self.assertIsInstance(
            future.exception(support.LIMIT), (concurrent.futures.CancelledError, interlock.InterpreterEnded)
        )

    def test_a_task_that_is_cancelled_gives_its_call_up(self):
        owner = self.interpreter()
        account, items = owner.call(make_account), owner.call(make, [])
        channel = interlock.Channel(1)
        account.wait.submit(channel)

        async def main():
            with self.assertRaises(TimeoutError):
                await asyncio.wait_for(items.append.acall(1), 0.01)

        asyncio.run(main())
        channel.send(None)
        self.assertEqual(list(items), [])


class Sleeper(Account):
    async def sleep(self, begun):
        begun.send(None)
        await asyncio.sleep(1000)


def run_loop(channel, stop):
    async def main():
        await channel.asend(interlock.proxy(Sleeper()))
        await stop.arecv()

    asyncio.run(main())


if __name__ == "__main__":
    support.main()
