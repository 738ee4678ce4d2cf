# SPDX-License-Identifier: MIT
"""Lock, Semaphore, Event and Barrier, over threads and interpreters."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest

import interlock
import support

EVERY = (interlock.Lock, interlock.Semaphore, interlock.Event, lambda: interlock.Barrier(2))


class Handles(support.TestCase):
    def test_they_cross_and_stay_the_same(self):
        i = self.interpreter()
        channel = interlock.Channel(1)
        for create in EVERY:
            made = create()
            with self.subTest(type(made).__name__):
                channel.send([made])
                (received,) = channel.recv()
                self.assertEqual(received, made)
                self.assertIsNot(received, made)
                self.assertEqual(hash(received), hash(made))
                self.assertEqual(i.call(lambda given: given, made), made)
                self.assertEqual(i.call(lambda: made), made)  # in a closure
                self.assertNotEqual(made, create())
                self.assertIs(type(received), type(made))

    def test_they_outlive_the_interpreter_that_made_them(self):
        def make():
            import interlock

            lock = interlock.Lock()
            lock.acquire()
            return lock, interlock.Semaphore(3), interlock.Event(), interlock.Barrier(1)

        with interlock.Interpreter() as i:
            lock, semaphore, event, barrier = i.call(make)
        self.assertTrue(lock.locked(), "it stays held")
        lock.release()
        self.assertEqual(semaphore.value, 3)
        self.assertFalse(event.is_set())
        self.assertEqual(barrier.wait(), 0)

    def test_repr(self):
        lock, semaphore, event, barrier = (create() for create in EVERY)
        self.assertRegex(repr(lock), r"^<interlock\.Lock at 0x[0-9a-f]+: free>$")
        self.assertRegex(repr(semaphore), r"^<interlock\.Semaphore at 0x[0-9a-f]+: 1>$")
        self.assertRegex(repr(interlock.Semaphore(2, limit=5)), ": 2 of 5>$")
        self.assertRegex(repr(event), r"^<interlock\.Event at 0x[0-9a-f]+: clear>$")
        self.assertRegex(repr(barrier), r"^<interlock\.Barrier at 0x[0-9a-f]+: 0 of 2 waiting>$")
        lock.acquire()
        event.set()
        barrier.abort()
        self.assertRegex(repr(lock), ": held>$")
        self.assertRegex(repr(event), ": set>$")
        self.assertRegex(repr(barrier), ": broken>$")

    @unittest.skipUnless(sys.platform == "linux", "needs /proc/self/statm")
    @unittest.skipIf(support.ADDRESS_SANITIZER, "AddressSanitizer keeps what is freed")
    def test_they_are_freed_with_their_last_reference(self):
        source = """
            import interlock
            channel = interlock.Channel(1)
            def pages():
                with open("/proc/self/statm") as file: return int(file.read().split()[1])
            def use(times):
                for _ in range(times):
                    for made in (interlock.Lock(), interlock.Semaphore(), interlock.Event(), interlock.Barrier(2)):
                        channel.send(made)
                        assert channel.recv() == made
            use(5000)
            before = pages()
            use(20000)
            print(pages() - before)
        """
        out, _ = self.run_program(textwrap.dedent(source))
        # Each is a hundred bytes or more: 80 000 that are kept would be 2000 pages.
        self.assertLess(int(out), 1000)

    def test_bad_arguments(self):
        lock, semaphore, event, barrier = (create() for create in EVERY)
        for wait in (lock.acquire, semaphore.acquire, event.wait, barrier.wait):
            with self.subTest(wait):
                for timeout in (-1, float("nan")):
                    with self.assertRaisesRegex(ValueError, "timeout must be"):
                        wait(timeout=timeout)
                for timeout in ("1", False, [1]):
                    with self.assertRaisesRegex(TypeError, "timeout must be.*not " + type(timeout).__name__):
                        wait(timeout)
                with self.assertRaisesRegex(TypeError, r"(acquire|wait)\(\) got an unexpected keyword argument"):
                    wait(blocking=False)
        self.assertFalse(barrier.broken, "a call that is refused changes nothing")
        for call, error, message in (
            (lambda: interlock.Lock(1), TypeError, r"Lock\(\) takes"),
            (lambda: interlock.Event(1), TypeError, r"Event\(\) takes"),
            (lambda: interlock.Semaphore(-1), ValueError, "value must be at least 0, not -1"),
            (lambda: interlock.Semaphore(1 << 70), ValueError, "value must be at most"),
            (lambda: interlock.Semaphore(-1 << 70), ValueError, "value must be at least 0"),
            (lambda: interlock.Semaphore(True), TypeError, "value must be an int, not bool"),
            (lambda: interlock.Semaphore(1.0), TypeError, "value must be an int, not float"),
            (lambda: interlock.Semaphore(1, 2), TypeError, "positional"),
            (lambda: interlock.Semaphore(limit=0), ValueError, "limit must be at least 1, not 0"),
            (lambda: interlock.Semaphore(3, limit=2), ValueError, "3 is above 2"),
            (lambda: semaphore.release(0), ValueError, "n must be at least 1, not 0"),
            (lambda: semaphore.release("1"), TypeError, "n must be an int, not str"),
            (lambda: semaphore.release(1 << 63), ValueError, "n must be at most"),
            (lambda: interlock.Barrier(), TypeError, "parties"),
            (lambda: interlock.Barrier(0), ValueError, "parties must be at least 1, not 0"),
            (lambda: interlock.Barrier(1 << 32), ValueError, "parties must be at most"),
            (lambda: interlock.Barrier(None), TypeError, "parties must be an int, not NoneType"),
        ):
            with self.assertRaisesRegex(error, message):
                call()
        self.assertEqual(semaphore.value, 1)


class Locks(support.TestCase):
    def test_acquire_and_release(self):
        lock = interlock.Lock()
        self.assertIs(lock.acquire(), True)
        self.assertTrue(lock.locked())
        self.assertIs(lock.acquire(timeout=0), False)
        start = time.monotonic()
        self.assertIs(lock.acquire(0.02), False)
        self.assertGreaterEqual(time.monotonic() - start, 0.02)
        lock.release()
        self.assertFalse(lock.locked())
        with self.assertRaisesRegex(RuntimeError, "cannot release the Lock: nobody holds it"):
            lock.release()
        with lock as entered:
            self.assertIs(entered, True)
            self.assertTrue(lock.locked())
        with self.assertRaises(LookupError), lock:
            raise LookupError
        self.assertFalse(lock.locked())

    def test_another_interpreter_waits_for_it(self):
        i = self.interpreter()
        lock, ready = interlock.Lock(), interlock.Event()

        def acquire(lock, ready):
            ready.set()
            return lock.acquire()

        with lock:
            self.assertFalse(i.call(lambda lock: lock.acquire(timeout=0), lock))
            future = i.submit(acquire, lock, ready)
            self.assertTrue(ready.wait(support.LIMIT))
        self.assertTrue(future.result(support.LIMIT))
        lock.release()  # that another one holds

    def test_it_excludes_threads_of_many_interpreters(self):
        lock, channel = interlock.Lock(), interlock.Channel(1)
        channel.send(0)

        def count(times):
            import threading

            def increment():
                for _ in range(times):
                    with lock:
                        channel.send(channel.recv(timeout=0) + 1, timeout=0)

            threads = [threading.Thread(target=increment) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        with interlock.Pool(3) as pool:
            for future in [pool.submit(count, 300) for _ in range(3)]:
                future.result(support.LIMIT * support.SLOWER)
        self.assertEqual(channel.recv(), 3 * 3 * 300)

    def test_a_loop_that_takes_it_again_at_once_does_not_keep_it(self):
        i = self.interpreter()
        lock, done, ready = interlock.Lock(), interlock.Event(), interlock.Event()

        def hog(lock, done, ready):
            n = 0
            while not done.is_set():
                with lock:
                    for _ in range(1000):
                        pass
                    n += 1
                    if n % 10 == 0:
                        ready.set()
            return n

        future = i.submit(hog, lock, done, ready)
        for _ in range(30):
            ready.clear()
            self.assertTrue(ready.wait(support.LIMIT), "it has it again")
            self.assertTrue(lock.acquire(support.LIMIT))
            lock.release()
        done.set()
        self.assertGreaterEqual(future.result(support.LIMIT), 10)

    def test_waiting_does_not_stop_other_threads(self):
        lock = interlock.Lock()
        lock.acquire()
        thread = self.in_thread(lock.acquire)
        done = threading.Event()
        self.in_thread(done.set)
        self.assertTrue(done.wait(support.LIMIT))
        lock.release()
        thread.join(support.LIMIT)
        self.assertTrue(lock.locked())


class Semaphores(support.TestCase):
    def test_permits(self):
        semaphore = interlock.Semaphore(2, limit=3)
        self.assertEqual((semaphore.value, semaphore.limit), (2, 3))
        with semaphore as entered:
            self.assertIs(entered, True)
            self.assertEqual(semaphore.value, 1)
        self.assertTrue(semaphore.acquire() and semaphore.acquire(timeout=0))
        self.assertIs(semaphore.acquire(timeout=0), False)
        self.assertIs(semaphore.acquire(timeout=0.01), False)
        semaphore.release(n=3)
        with self.assertRaisesRegex(ValueError, r"release\(1\) would exceed the Semaphore's limit of 3"):
            semaphore.release()
        self.assertEqual(semaphore.value, 3)
        self.assertIsNone(interlock.Semaphore().limit)

    def test_permits_given_in_one_interpreter_wake_another(self):
        i = self.interpreter()
        semaphore, ready = interlock.Semaphore(0), interlock.Semaphore(0)

        def take(semaphore, ready, count):
            for _ in range(count):
                ready.release()
                semaphore.acquire()

        future = i.submit(take, semaphore, ready, 500)
        for _ in range(500):
            ready.acquire()
            semaphore.release()
        future.result(support.LIMIT)
        self.assertEqual((semaphore.value, ready.value), (0, 0))

    def test_no_more_than_its_permits_are_inside(self):
        semaphore, inside = interlock.Semaphore(2), interlock.Semaphore(0, limit=2)

        def use(times):
            for _ in range(times):
                with semaphore:
                    inside.release()  # a third one would be refused
                    assert inside.acquire(timeout=0)

        with interlock.Pool(4) as pool:
            for future in [pool.submit(use, 500) for _ in range(4)]:
                future.result(support.LIMIT * support.SLOWER)
        self.assertEqual(semaphore.value, 2)


class Events(support.TestCase):
    def test_set_clear_and_wait(self):
        event = interlock.Event()
        self.assertIs(event.is_set(), False)
        self.assertIs(event.wait(timeout=0), False)
        start = time.monotonic()
        self.assertIs(event.wait(0.02), False)
        self.assertGreaterEqual(time.monotonic() - start, 0.02)
        event.set()
        event.set()
        self.assertIs(event.is_set(), True)
        self.assertIs(event.wait(), True)
        self.assertIs(event.wait(timeout=0), True)
        event.clear()
        self.assertIs(event.is_set(), False)

    def test_all_who_wait_anywhere_are_woken(self):
        event, ready = interlock.Event(), interlock.Semaphore(0)

        def wait():
            ready.release()
            return event.wait()

        with interlock.Pool(3) as pool:
            futures = [pool.submit(wait) for _ in range(3)]
            threads = [self.in_thread(wait) for _ in range(5)]
            for _ in range(8):
                self.assertTrue(ready.acquire(support.LIMIT))
            event.set()
            self.assertEqual([future.result(support.LIMIT) for future in futures], [True] * 3)
        for thread in threads:
            thread.join(support.LIMIT)
            self.assertFalse(thread.is_alive())


class Barriers(support.TestCase):
    def test_rounds_over_interpreters(self):
        barrier = interlock.Barrier(3)
        self.assertEqual((barrier.parties, barrier.n_waiting, barrier.broken), (3, 0, False))

        def work(rounds):
            return [barrier.wait() for _ in range(rounds)]

        with interlock.Pool(2) as pool:
            futures = [pool.submit(work, 300) for _ in range(2)]
            indices = [work(300), *(future.result(support.LIMIT) for future in futures)]
        for each in zip(*indices):
            self.assertEqual(sorted(each), [0, 1, 2])

    def waiting(self, barrier):
        """A thread that waits at the barrier, and the list of what it gets."""
        got = []

        def wait():
            try:
                got.append(barrier.wait())
            except threading.BrokenBarrierError as error:
                got.append(str(error))

        before = barrier.n_waiting
        thread = self.in_thread(wait)
        while barrier.n_waiting == before:
            time.sleep(0.001)
        return thread, got

    def test_a_timeout_breaks_it_for_all(self):
        barrier = interlock.Barrier(3)
        thread, got = self.waiting(barrier)
        with self.assertRaisesRegex(threading.BrokenBarrierError, "the other parties did not come in time"):
            barrier.wait(timeout=0.01)
        thread.join(support.LIMIT)
        self.assertEqual(got, ["the barrier is broken"])
        self.assertTrue(barrier.broken)
        self.assertEqual(barrier.n_waiting, 0)
        with self.assertRaises(threading.BrokenBarrierError):
            barrier.wait()
        barrier.reset()
        self.assertFalse(barrier.broken)

    def test_abort_and_reset_wake_all(self):
        for end in ("abort", "reset"):
            barrier = interlock.Barrier(3)
            waits = [self.waiting(barrier) for _ in range(2)]
            getattr(barrier, end)()
            for thread, got in waits:
                thread.join(support.LIMIT)
                self.assertEqual(got, ["the barrier is broken"])
            self.assertEqual(barrier.broken, end == "abort")

    def test_the_error_is_that_of_the_calling_interpreter(self):
        def wait(barrier):
            import threading

            try:
                barrier.wait(timeout=0)
            except threading.BrokenBarrierError:
                return True

        barrier = interlock.Barrier(2)
        self.assertTrue(self.interpreter().call(wait, barrier))
        self.assertTrue(barrier.broken)


# Each waits for ever in a thread that has said so.
WAITS = {
    "Lock": "lock.acquire()",
    "Lock in a with statement": "with lock: pass",
    "Semaphore": "semaphore.acquire()",
    "Event": "event.wait()",
    "Barrier": "barrier.wait()",
}
MAKE = """
import interlock, signal, sys, threading, time
lock, semaphore, event, barrier = interlock.Lock(), interlock.Semaphore(0), interlock.Event(), interlock.Barrier(2)
lock.acquire()
def say_ready(breaks):
    while breaks and barrier.n_waiting == 0: time.sleep(0.001)  # only a wait that has begun breaks it
    print('ready', flush=True)
"""


class Interrupts(support.TestCase):
    def test_an_interrupted_interpreter_leaves_its_wait(self):
        i = self.interpreter()
        for name, wait in WAITS.items():
            with self.subTest(name):
                i.exec(MAKE + f"def wait(ready):\n    ready.send(None)\n    {wait}\n")
                barrier = i.call(lambda: __import__("__main__").barrier)
                ready = interlock.Channel(1)
                future = i.submit(run_main, "wait", ready)
                ready.recv(support.LIMIT)
                while name == "Barrier" and barrier.n_waiting == 0:  # only a wait that has begun breaks it
                    time.sleep(0.001)
                i.interrupt()
                self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)
                self.assertEqual(barrier.broken, name == "Barrier")

    def test_ctrl_c_ends_a_wait_within_50_ms(self):
        for name, wait in WAITS.items():
            with self.subTest(name):
                breaks = name == "Barrier"
                program = MAKE + f"try:\n    threading.Thread(target=say_ready, args=({breaks},)).start()\n"
                program += f"    {wait}\nexcept KeyboardInterrupt:\n    print(time.monotonic(), barrier.broken)\n"
                took = min(self.time_of_interrupt(program, breaks) for _ in range(3))
                self.assertLess(took, 0.05 * support.SLOWER)

    def time_of_interrupt(self, program, breaks):
        """Seconds from the signal to the handler of the KeyboardInterrupt."""
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.kill)
        self.assertEqual(child.stdout.readline(), "ready\n")
        time.sleep(0.05)  # only makes it likely that it waits by then
        start = time.monotonic()
        child.send_signal(signal.SIGINT)
        moment, broken = child.stdout.readline().split()
        self.assertEqual(child.wait(support.LIMIT), 0)
        self.assertEqual(broken, str(breaks))
        return float(moment) - start

    @unittest.skipUnless(hasattr(signal, "setitimer"), "no interval timers on this system")
    def test_a_signal_handler_that_returns_lets_the_wait_go_on(self):
        source = MAKE + textwrap.dedent("""
            handled = []
            def handle(*_):
                handled.append(1)
                if len(handled) < 3: return
                event.set(); event.clear()
                if barrier.n_waiting == 1: threading.Thread(target=barrier.wait, daemon=True).start()  # or two
                if len(handled) % 3 == 0: semaphore.release()
            signal.signal(signal.SIGALRM, handle)
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            print(event.wait(60), barrier.wait(60), semaphore.acquire(60), barrier.broken)
            signal.setitimer(signal.ITIMER_REAL, 0)
        """)
        self.assertEqual(self.run_program(source)[0], "True 0 True False\n")


def run_main(name, *args):
    import __main__

    return getattr(__main__, name)(*args)


@unittest.skipUnless(hasattr(os, "fork"), "no fork on this system")
@unittest.skipIf(support.ADDRESS_SANITIZER, "the locks of its allocator may be held for ever in the child of a fork")
class Fork(support.TestCase):
    def test_those_of_the_parent_cannot_be_used_in_a_child(self):
        source = """
            import interlock, os, sys
            lock, semaphore, event, barrier = made = (
                interlock.Lock(), interlock.Semaphore(), interlock.Event(), interlock.Barrier(2))
            pid = os.fork()
            if pid == 0:
                for use in (lock.acquire, lock.release, lock.locked, lock.__enter__, semaphore.acquire,
                            semaphore.release, lambda: semaphore.value, event.set, event.clear, event.is_set,
                            event.wait, barrier.wait, barrier.abort, barrier.reset, lambda: barrier.n_waiting,
                            lambda: barrier.broken):
                    try: print("unexpected", use())
                    except RuntimeError as error: assert "was made before fork()" in str(error), error
                print(*made)
                with interlock.Lock(): print("a new one works")
                del lock, semaphore, event, barrier, made
                sys.stdout.flush()
                sys.exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
            with lock, semaphore: event.set()
        """
        out, _ = self.run_program(textwrap.dedent(source), options=("-W", "ignore"))
        names = ("Lock", "Semaphore", "Event", "Barrier")
        shown = " ".join(f"<interlock.{name} of the parent process>" for name in names)
        self.assertEqual(out.splitlines(), [shown, "a new one works", "7"])

    def test_an_exception_that_leaves_a_block_in_a_child_is_not_hidden(self):
        source = """
            import interlock, os, sys
            channel = interlock.Channel(1)
            for block in (interlock.Lock(), interlock.Semaphore(), channel.sender(), channel):
                with block:
                    pid = os.fork()
                    if pid == 0: sys.exit(7)
                    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        """
        out, err = self.run_program(textwrap.dedent(source), options=("-W", "ignore"))
        self.assertEqual((out.split(), err), (["7"] * 4, ""))


if __name__ == "__main__":
    unittest.main()
