# SPDX-License-Identifier: MIT
import concurrent.futures
import gc
import itertools
import textwrap
import threading
import unittest
import weakref

import interlock
import support


def increment(x):
    return x + 1


def fail_on(bad, x):
    if x == bad:
        raise ValueError(x)
    return x


def set_state(value):
    import sys

    sys.state = value


def get_state():
    import sys

    return sys.state


class Map(support.TestCase):
    def setUp(self):
        self.pool = interlock.Pool(2)
        self.addCleanup(self.pool.shutdown)

    def test_results_come_in_order(self):
        for kwargs in ({}, {"chunksize": 1}, {"chunksize": 7}, {"buffersize": 1}, {"buffersize": 30}):
            with self.subTest(**kwargs):
                self.assertEqual(list(self.pool.map(increment, range(1000), **kwargs)), list(range(1, 1001)))

    def test_several_iterables_stop_at_the_shortest(self):
        self.assertEqual(list(self.pool.map(pow, [2, 3], itertools.count(2))), [4, 27])

    def test_nothing_to_do(self):
        self.assertEqual(list(self.pool.map(increment, [])), [])
        self.assertEqual(list(self.pool.map(increment)), [])

    def test_a_million_items(self):
        self.assertEqual(sum(self.pool.map(increment, range(1_000_000))), 500_000_500_000)

    def test_buffersize_bounds_what_is_taken(self):
        taken = itertools.count()
        source = (next(taken) for _ in range(1000))
        results = self.pool.map(increment, source, buffersize=10)
        self.assertEqual([next(results) for _ in range(5)], [1, 2, 3, 4, 5])
        self.assertEqual(next(taken), 15)

    def test_an_infinite_source(self):
        results = self.pool.map(increment, itertools.count(), buffersize=8)
        self.assertEqual([next(results) for _ in range(100)], list(range(1, 101)))
        results.close()

    def test_an_exception_ends_the_iteration_at_its_place(self):
        results = self.pool.map(fail_on, itertools.repeat(3), range(10))
        self.assertEqual([next(results) for _ in range(3)], [0, 1, 2])
        with self.assertRaises(ValueError) as caught:
            next(results)
        self.assertEqual(caught.exception.args, (3,))
        with self.assertRaises(StopIteration):
            next(results)
        self.assertEqual(list(self.pool.map(increment, [1])), [2])

    def test_a_source_that_raises(self):
        def source():
            yield 1
            raise LookupError("source")

        with self.assertRaisesRegex(LookupError, "source"):
            self.pool.map(increment, source())

    def test_a_refused_argument(self):
        with self.assertRaisesRegex(interlock.TransferError, r"args\[0\]: a generator"):
            self.pool.map(increment, [(x for x in "a")])

    def test_timeout(self):
        gate = interlock.Channel(1)
        results = self.pool.map(lambda gate: gate.recv(), [gate], timeout=0.01)
        with self.assertRaises(TimeoutError):
            next(results)
        gate.close()

    def test_no_item_waits_behind_a_long_one(self):
        """What a worker has claimed while it does a long item is done by the other one."""
        gate, last = interlock.Channel(1), interlock.Channel(1)

        def work(n, gate, last):
            if n == 5:
                return gate.recv()
            if n == 499:
                last.send(None)
            return n

        results = self.pool.map(work, range(500), itertools.repeat(gate), itertools.repeat(last))
        last.recv(support.LIMIT)  # the last item is done while the sixth is not
        gate.send("opened")
        self.assertEqual(list(results), [*range(5), "opened", *range(6, 500)])

    def test_it_submits_without_iteration(self):
        channel = interlock.Channel(10)
        self.pool.map(channel.send, range(3))
        self.pool.shutdown()
        self.assertEqual(sorted(channel.try_recv() for _ in range(3)), [0, 1, 2])

    def test_bad_arguments(self):
        for kwargs, error, text in (
            ({"chunksize": 0}, ValueError, "chunksize must be >= 1"),
            ({"chunksize": "a"}, TypeError, "chunksize must be an integer, not str"),
            ({"buffersize": 0}, ValueError, "buffersize must be None or > 0"),
            ({"timeout": -1}, ValueError, "timeout"),
        ):
            with self.assertRaisesRegex(error, text):
                self.pool.map(increment, [1], **kwargs)
        with self.assertRaises(TypeError):
            self.pool.map(increment, 1)


class Submit(support.TestCase):
    def test_one_broken_task_breaks_only_itself(self):
        with interlock.Pool(2) as pool:
            futures = [pool.submit(fail_on, 3, n) for n in range(6)]
            self.assertIsInstance(futures[3].exception(support.LIMIT), ValueError)
            self.assertEqual([f.result() for f in futures if f is not futures[3]], [0, 1, 2, 4, 5])

    def test_workers_start_when_they_are_needed(self):
        with interlock.Pool(4) as pool:
            self.assertEqual(pool.stats(), [])
            pool.submit(abs, 1).result()
            self.assertEqual(len(pool.stats()), 1)

    def test_a_short_map_starts_few_workers(self):
        with interlock.Pool(4) as pool:
            self.assertEqual(list(pool.map(abs, [-1, -2])), [1, 2])
            self.assertEqual(len(pool.stats()), 2)

    def test_spare_workers_are_kept_warm(self):
        gate = interlock.Channel(1)
        with interlock.Pool(4, spare=2) as pool:
            self.assertEqual(len(pool.stats()), 2)
            pool.submit(gate.recv)
            self.assertEqual(len(pool.stats()), 3)
            gate.close()

    def test_initializer(self):
        with interlock.Pool(1, initializer=set_state, initargs=("set",)) as pool:
            self.assertEqual(pool.submit(get_state).result(), "set")

    def test_bad_arguments(self):
        for args, kwargs, error, text in (
            ((0,), {}, ValueError, "workers must be greater than 0"),
            (("2",), {}, TypeError, "workers must be an integer, not str"),
            ((1,), {"spare": -1}, ValueError, "spare must not be negative"),
            ((1,), {"initializer": 3}, TypeError, "initializer must be a callable"),
        ):
            with self.assertRaisesRegex(error, text):
                interlock.Pool(*args, **kwargs)

    def test_a_pool_does_not_cross(self):
        with interlock.Pool(1) as pool:
            with self.assertRaisesRegex(interlock.TransferError, r"args\[0\]: a Pool cannot leave"):
                pool.submit(print, pool)


class Shutdown(support.TestCase):
    def test_it_drains(self):
        pool = interlock.Pool(2)
        futures = [pool.submit(increment, n) for n in range(100)]
        pool.shutdown()
        self.assertEqual([f.result(0) for f in futures], list(range(1, 101)))
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            pool.submit(abs, 1)
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            pool.map(abs, [1])
        pool.shutdown()

    def test_cancel_futures(self):
        gate, started = interlock.Channel(1), interlock.Channel(1)

        def hold(started, gate):
            started.send(None)
            return gate.recv()

        pool = interlock.Pool(1)
        first = pool.submit(hold, started, gate)
        rest = [pool.submit(abs, n) for n in range(10)]
        started.recv(support.LIMIT)
        pool.shutdown(wait=False, cancel_futures=True)
        concurrent.futures.wait(rest, support.LIMIT)
        self.assertTrue(all(f.cancelled() for f in rest))
        gate.send("through")
        pool.shutdown()
        self.assertEqual(first.result(0), "through")

    def test_a_dropped_pool_finishes_what_it_has(self):
        pool = interlock.Pool(1)
        reference = weakref.ref(pool)
        future = pool.submit(increment, 1)
        del pool
        gc.collect()
        self.assertIsNone(reference())
        self.assertEqual(future.result(support.LIMIT), 2)

    def test_no_thread_is_left(self):
        before = threading.active_count()
        for _ in range(3):
            with interlock.Pool(2) as pool:
                list(pool.map(abs, range(10)))
        self.assertEqual(threading.active_count(), before)

    def test_the_end_of_a_program_does_what_was_submitted(self):
        out, err = self.run_program(
            textwrap.dedent("""
            import interlock
            def late(n):
                import time
                time.sleep(0.05)
                print(f"task {n}\\n", end="")  # one write, also where PYTHONUNBUFFERED is set
            pool = interlock.Pool(2)
            i = interlock.Interpreter()
            for n in range(4): pool.submit(late, n)
            i.submit(late, 4)
            print("main ends", flush=True)
            """)
        )
        self.assertEqual(sorted(out.splitlines()), ["main ends", *(f"task {n}" for n in range(5))])
        self.assertEqual(out.splitlines()[0], "main ends")
        self.assertEqual(err, "")

    def test_submitting_while_the_program_ends_is_refused(self):
        out, _ = self.run_program(
            "import atexit, interlock\n"
            "pool = interlock.Pool(1)\n"
            "@atexit.register\n"
            "def late():\n"
            "  try: pool.submit(abs, 1)\n"
            "  except RuntimeError as error: print(error)\n"
        )
        self.assertEqual(out, "cannot schedule new futures after shutdown\n")


if __name__ == "__main__":
    unittest.main()
