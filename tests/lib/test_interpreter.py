# SPDX-License-Identifier: MIT
import concurrent.futures
import os
import sys
import textwrap
import unittest
import warnings

import interlock
import support


def fail(error):
    raise error


class Calls(support.TestCase):
    def setUp(self):
        self.i = self.interpreter("worker")

    def test_call_returns_the_result(self):
        self.assertEqual(self.i.call(pow, 2, 10), 1024)
        self.assertEqual(self.i.call(sorted, [3, 1], reverse=True), [3, 1])
        self.assertIsNone(self.i.call(lambda: None))

    def test_state_stays_in_the_interpreter(self):
        self.i.exec("x = [1]")
        self.i.exec("x.append(2)")
        self.assertEqual(self.i.call(eval, "x"), [1, 2])
        self.assertNotIn("x", sys.modules["__main__"].__dict__)

    def test_exec_takes_indented_text_and_refuses_other_things(self):
        self.i.exec("""
            y = 1
            """)
        self.assertEqual(self.i.call(eval, "y"), 1)
        with self.assertRaisesRegex(TypeError, "source text"):
            self.i.exec(print)
        with self.assertRaises(SyntaxError):
            self.i.exec("1 +")

    def test_an_exception_keeps_class_and_arguments_and_tells_where(self):
        with self.assertRaises(KeyError) as caught:
            self.i.call(fail, KeyError("k", [1]))
        self.assertEqual(caught.exception.args, ("k", [1]))
        self.assertIsInstance(caught.exception.__cause__, interlock.RemoteTraceback)
        self.assertIn("in fail", str(caught.exception.__cause__))

    def test_an_exception_that_cannot_cross_is_described(self):
        def raise_one():
            error = ValueError("text")
            error.handle = (x for x in "a")
            raise error

        with self.assertRaises(interlock.RemoteError) as caught:
            self.i.call(raise_one)
        self.assertEqual(str(caught.exception), "ValueError: text")
        self.assertIn("raise_one", str(caught.exception.__cause__))

    def test_an_exception_that_cannot_be_rebuilt_is_described(self):
        def raise_one():
            class Odd(Exception):
                def __init__(self, a, b):
                    super().__init__("only one")

            raise Odd(1, 2)

        with self.assertRaisesRegex(interlock.RemoteError, "Odd: only one"):
            self.i.call(raise_one)

    def test_system_exit_is_an_exception(self):
        with self.assertRaises(SystemExit) as caught:
            self.i.call(sys.exit, 3)
        self.assertEqual(caught.exception.code, 3)
        self.assertEqual(self.i.call(abs, -1), 1)

    def test_submit_gives_a_future(self):
        future = self.i.submit(pow, 2, 3)
        self.assertIsInstance(future, concurrent.futures.Future)
        self.assertEqual(future.result(support.LIMIT), 8)
        self.assertIsInstance(self.i.submit(fail, OSError(2, "x")).exception(support.LIMIT), FileNotFoundError)

    def test_a_queued_call_can_be_cancelled_and_a_running_one_not(self):
        gate, started = interlock.Channel(1), interlock.Channel(1)

        def hold(started, gate):
            started.send(None)
            gate.recv()

        running = self.i.submit(hold, started, gate)
        queued = self.i.submit(abs, -1)
        started.recv(support.LIMIT)
        self.assertTrue(running.running())
        self.assertFalse(running.cancel())
        self.assertTrue(queued.cancel())
        self.assertTrue(queued.cancelled())
        gate.send(None)
        self.assertIsNone(running.result(support.LIMIT))
        with self.assertRaises(concurrent.futures.CancelledError):
            queued.result(support.LIMIT)

    def test_calls_from_many_threads_come_in_order_of_each(self):
        seen = interlock.Channel(1000)

        def call_all(n):
            for k in range(50):
                self.i.call(seen.send, (n, k))

        threads = [self.in_thread(call_all, n) for n in range(4)]
        for thread in threads:
            thread.join(support.LIMIT)
        seen.close()
        order = {n: [k for m, k in items if m == n] for items in [list(seen)] for n in range(4)}
        self.assertEqual(order, {n: list(range(50)) for n in range(4)})

    def test_an_interpreter_does_not_wait_for_itself(self):
        def call_itself(me):
            me.call(abs, -1)

        with self.assertRaisesRegex(RuntimeError, "cannot wait for itself"):
            self.i.call(call_itself, self.i)

    def test_an_interpreter_is_sendable(self):
        other = self.interpreter()
        self.assertEqual(other.call(lambda i: (i.name, i.call(abs, -2)), self.i), ("worker", 2))
        self.assertEqual(other.call(lambda i: i, self.i), self.i)

    def test_an_interpreter_can_start_others(self):
        def nested():
            from interlock import Interpreter, Pool

            with Interpreter() as inner, Pool(1) as pool:
                return inner.call(abs, -3), list(pool.map(abs, [-1])), pool.submit(abs, -4).result()

        self.assertEqual(self.i.call(nested), (3, [1], 4))

    def test_stats(self):
        self.i.call(abs, 1)
        stats = self.i.stats()
        self.assertEqual((stats["state"], stats["queued"]), ("running", 0))
        self.assertGreaterEqual(stats["tasks"], 1)
        self.assertIn("worker", repr(self.i))


class Parallel(support.TestCase):
    def test_two_interpreters_evaluate_while_the_lock_of_main_is_free(self):
        """Both count in pure Python until each has seen the other count, and main runs meanwhile."""

        def busy(own, others):
            own.send(None)
            while True:
                try:
                    return others.try_recv()
                except Exception:
                    pass

        a, b = self.interpreter(), self.interpreter()
        to_a, to_b = interlock.Channel(1), interlock.Channel(1)
        futures = [a.submit(busy, to_b, to_a), b.submit(busy, to_a, to_b)]
        # Neither ends its loop before the other runs; both never give their lock up by waiting.
        concurrent.futures.wait(futures, support.LIMIT)
        self.assertEqual([future.exception(0) for future in futures], [None, None])

    def test_main_runs_while_an_interpreter_is_busy(self):
        i = self.interpreter()
        stop = interlock.Channel(1)

        def busy(stop):
            while not len(stop):
                pass
            return "stopped"

        future = i.submit(busy, stop)
        self.assertEqual(sum(range(100_000)), 4999950000)
        self.assertFalse(future.done())
        stop.send(None)
        self.assertEqual(future.result(support.LIMIT), "stopped")


class Inside(support.TestCase):
    """What programs do inside an interpreter."""

    def test_print_is_seen_before_the_result(self):
        out, _ = self.run_program(
            "import interlock\nwith interlock.Interpreter() as i:\n"
            " for n in range(3):\n  i.call(print, 'inner', n)\n  print('outer', n, flush=True)"
        )
        self.assertEqual(out.split("\n"), [f"{who} {n}" for n in range(3) for who in ("inner", "outer")] + [""])

    def test_input_logging_threads_atexit_and_unraisable_hooks(self):
        source = """
            import interlock
            def inside():
                import atexit, logging, sys, threading
                logging.basicConfig(format="%(message)s")
                logging.warning("logged")
                atexit.register(print, "atexit")
                sys.unraisablehook = lambda args: print("unraisable", args.exc_value)
                class Bad:
                    def __del__(self): raise ValueError("in del")
                Bad()
                thread = threading.Thread(target=lambda: print("thread", threading.current_thread().name), name="T")
                thread.start(); thread.join()
                print(input())
                def late():
                    import time
                    time.sleep(0.1)
                    print("late thread")
                threading.Thread(target=late).start()
            with interlock.Interpreter() as i:
                i.call(inside)
                print("called", flush=True)
            print("closed")
        """
        out, err = self.run_program(textwrap.dedent(source), input="typed\n")
        self.assertEqual(
            out.splitlines(), ["unraisable in del", "thread T", "typed", "called", "late thread", "atexit", "closed"]
        )
        self.assertEqual(err, "logged\n")


class SlowSource:
    """The loader of a module whose source, which a traceback shows, takes until told to go on."""

    def __init__(self, reporting, go_on):
        self.reporting, self.go_on = reporting, go_on
        self.interrupted = []

    def get_source(self, name):
        self.reporting.send(None)
        try:
            self.go_on.recv()
            self.interrupted.append(False)
        except KeyboardInterrupt:
            self.interrupted.append(True)
            raise
        return None


def add_slow_module(running, reporting, go_on):
    """sys.slow_module: the names of a module with spin(item), which never ends."""
    source = """
def spin(item):
    running.send(item)
    while True:
        pass
"""
    sys.slow_module = {"__name__": "slow", "__loader__": SlowSource(reporting, go_on), "running": running}
    exec(compile(source, "/no/such/directory/slow.py", "exec"), sys.slow_module)


def spin_slowly(item):
    sys.slow_module["spin"](item)


class Interrupts(support.TestCase):
    def test_pure_python_is_interrupted(self):
        i = self.interpreter()
        ready = interlock.Channel(1)

        def spin(ready):
            ready.send(None)
            while True:
                pass

        future = i.submit(spin, ready)
        ready.recv(support.LIMIT)
        i.interrupt()
        self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)
        self.assertEqual(i.call(abs, -1), 1)

    def test_a_wait_on_a_channel_is_interrupted(self):
        i = self.interpreter()
        ready, never = interlock.Channel(1), interlock.Channel(1)

        def wait(ready, never):
            ready.send(None)
            never.recv()

        for _ in range(20):
            future = i.submit(wait, ready, never)
            ready.recv(support.LIMIT)
            i.interrupt()
            self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)

    def test_an_interrupt_at_any_moment_gives_an_interrupt_or_what_was_raised(self):
        def raise_after(n):
            for _ in range(n):
                pass
            raise LookupError(n)

        i = self.interpreter()
        for n in range(300):
            future = i.submit(raise_after, 20 * n)
            for _ in range(n % 7):
                i.interrupt()
            self.assertIn(type(future.exception(support.LIMIT)), (KeyboardInterrupt, LookupError))
            self.assertEqual(i.call(abs, -n), n)

    def test_an_interrupt_while_an_interrupt_is_described_stays_one(self):
        class AsIfInterrupted(KeyboardInterrupt):
            def __str__(self):
                raise type(self)

        def fail():
            raise AsIfInterrupted

        i = self.interpreter()
        future = i.submit(fail)
        self.assertIs(type(future.exception(support.LIMIT)), KeyboardInterrupt)

    def test_a_second_interrupt_leaves_the_report_of_the_first_alone(self):
        i = self.interpreter()
        running, reporting, go_on = (interlock.Channel(1) for _ in range(3))
        i.call(add_slow_module, running, reporting, go_on)
        future = i.submit(spin_slowly, 0)
        self.assertEqual(running.recv(support.LIMIT), 0)
        i.interrupt()
        reporting.recv(support.LIMIT)
        i.interrupt()
        go_on.send(None)
        self.assertIs(type(future.exception(support.LIMIT)), KeyboardInterrupt)
        self.assertEqual(i.call(lambda: sys.slow_module["__loader__"].interrupted), [False])

    def test_a_second_interrupt_during_the_report_of_the_first_reaches_the_next_item(self):
        running, reporting, go_on = (interlock.Channel(2) for _ in range(3))
        pool = interlock.Pool(1, initializer=add_slow_module, initargs=(running, reporting, go_on))
        self.addCleanup(pool._stop_now)
        results = pool.map(spin_slowly, range(2), chunksize=2)
        self.assertEqual(running.recv(support.LIMIT), 0)
        pool._workers[0].interrupt()
        reporting.recv(support.LIMIT)
        pool._workers[0].interrupt()
        go_on.send(None)
        go_on.send(None)
        self.assertRaises(KeyboardInterrupt, next, results)
        self.assertEqual(pool.submit(abs, -1).result(support.LIMIT), 1)

    def test_an_idle_interpreter_is_not_interrupted_later(self):
        i = self.interpreter()
        for _ in range(50):
            i.interrupt()
            self.assertEqual(i.call(sum, range(100)), 4950)


class Closing(support.TestCase):
    def test_close_drains(self):
        i = interlock.Interpreter()
        futures = [i.submit(pow, 2, n) for n in range(50)]
        i.close()
        self.assertEqual([future.result(0) for future in futures], [2**n for n in range(50)])

    def test_a_closed_interpreter_refuses_calls(self):
        i = interlock.Interpreter()
        i.close()
        i.close()
        for use in (lambda: i.call(abs, 1), lambda: i.submit(abs, 1), lambda: i.exec("")):
            with self.assertRaises(interlock.InterpreterEnded):
                use()
        i.interrupt()
        self.assertEqual(i.stats()["state"], "ended")

    def test_close_interrupts_after_its_timeout(self):
        i = interlock.Interpreter()
        ready = interlock.Channel(1)

        def spin(ready):
            ready.send(None)
            while True:
                pass

        future = i.submit(spin, ready)
        ready.recv(support.LIMIT)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            i.close(timeout=0.01)
        self.assertIsInstance(future.exception(0), KeyboardInterrupt)

    def test_close_abandons_what_cannot_be_interrupted(self):
        source = """
            import interlock, warnings, sys
            def stubborn(ready):
                while True:
                    try:
                        if ready is not None:
                            ready.send(None)
                        while True: pass
                    except KeyboardInterrupt:
                        ready = None
            i = interlock.Interpreter("stubborn")
            ready = interlock.Channel(1)
            future = i.submit(stubborn, ready)
            ready.recv()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                i.close(timeout=0)
            print(caught[0].category.__name__, "abandoned" in str(caught[0].message))
            print(type(future.exception()).__name__)
            try: i.call(abs, 1)
            except interlock.InterpreterEnded as error: print("ended")
        """
        out, err = self.run_program(textwrap.dedent(source))
        self.assertEqual(out.splitlines(), ["RuntimeWarning True", "InterpreterEnded", "ended"])
        self.assertEqual(err, "")

    def test_daemon_threads_do_not_keep_an_interpreter(self):
        def start():
            import threading
            import time

            threading.Thread(target=time.sleep, args=(600,), daemon=True).start()

        i = interlock.Interpreter()
        i.call(start)
        i.close()
        self.assertEqual(i.stats()["state"], "ended")

    def test_threads_are_joined(self):
        tasks = lambda: len(os.listdir("/proc/self/task"))  # noqa: E731
        before = tasks()
        for _ in range(5):
            with interlock.Interpreter() as i:
                i.submit(abs, 1).result()
        self.assertEqual(tasks(), before)

    def test_a_forgotten_interpreter_is_ended(self):
        out, err = self.run_program(
            "import interlock, gc\ni = interlock.Interpreter('lost'); i.call(print, 'in')\ndel i; gc.collect()",
            options=("-W", "always"),
        )
        self.assertEqual(out, "in\n")
        self.assertRegex(err, "ResourceWarning: unclosed <interlock.Interpreter 'lost'")

    def test_a_failing_start_is_told(self):
        with self.assertRaisesRegex(TypeError, "name must be a str"):
            interlock.Interpreter(3)


@unittest.skipUnless(hasattr(os, "fork"), "no fork on this system")
@unittest.skipIf(support.ADDRESS_SANITIZER, "the locks of its allocator may be held for ever in the child of a fork")
@unittest.skipIf(support.THREAD_SANITIZER, "takes the threads of the child for those that only the parent has")
class Fork(support.TestCase):
    def test_a_child_has_a_usable_runtime_and_only_its_own_interpreters(self):
        source = """
            import interlock, os, sys
            i, pool, channel = interlock.Interpreter(), interlock.Pool(2), interlock.Channel(1)
            gate = interlock.Channel(1)
            pending = i.submit(gate.recv)
            results = pool.map(abs, range(100))
            next(results)
            pid = os.fork()
            if pid == 0:
                for use in (lambda: i.call(abs, 1), lambda: channel.send(1), lambda: pool.submit(abs, 1),
                            lambda: next(results), pending.result):
                    try: print("unexpected", use())
                    except Exception as error: print(type(error).__name__, "fork()" in str(error))
                with interlock.Interpreter() as mine, interlock.Pool(2) as workers:
                    print(mine.call(abs, -5), list(workers.map(abs, [-6])))
                sys.stdout.flush()
                sys.exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
            gate.send(1)
            print(pending.result(), i.call(abs, -1))
            i.close()
        """
        out, _ = self.run_program(textwrap.dedent(source), options=("-W", "ignore"))
        self.assertEqual(
            out.splitlines(),
            ["RuntimeError True"] * 4 + ["InterpreterEnded True", "5 [6]", "7", "1 1"],
        )


class GlobalLock(support.TestCase):
    def test_it_excludes_other_threads_and_is_re_entrant(self):
        lock = interlock.global_lock
        i = self.interpreter()

        def try_it():
            from interlock import global_lock

            return global_lock.acquire(timeout=0)

        with lock:
            with lock:
                self.assertTrue(lock.locked())
                self.assertFalse(i.call(try_it))
            self.assertFalse(i.call(try_it))
        self.assertFalse(lock.locked())

        def take_and_give():
            from interlock import global_lock

            with global_lock:
                return global_lock.locked()

        self.assertTrue(i.call(take_and_give))
        self.assertFalse(lock.locked())

    def test_waiting_frees_the_interpreter_lock(self):
        i = self.interpreter()
        ready = interlock.Channel(1)

        def take(ready):
            from interlock import global_lock

            ready.send(None)
            with global_lock:
                return "had it"

        with interlock.global_lock:
            future = i.submit(take, ready)
            ready.recv(support.LIMIT)
            self.assertFalse(future.done())
        self.assertEqual(future.result(support.LIMIT), "had it")

    def test_errors(self):
        with self.assertRaisesRegex(RuntimeError, "does not hold it"):
            interlock.global_lock.release()
        with self.assertRaises(ValueError):
            interlock.global_lock.acquire(timeout=-1)


if __name__ == "__main__":
    unittest.main()
