# SPDX-License-Identifier: MIT
"""The standard library's own tests of executors, with Pool as the executor.

Left out: what reads a program text that imports its executor from concurrent.futures (test_shutdown,
rewritten in test_pool), and what looks at threads or processes of the executor itself.
"""

import logging
import sys
import unittest

import interlock

try:
    from test.test_concurrent_futures import test_as_completed, test_wait
    from test.test_concurrent_futures.executor import ExecutorTest
    from test.test_concurrent_futures.util import BaseTestCase, ExecutorMixin
except ImportError as error:
    print(f"skipped: this Python has no test package: {error}")
    sys.exit(77)


class AdaptedPool(interlock.Pool):
    def __init__(self, max_workers=None, **kwargs):
        super().__init__(max_workers, **kwargs)


class Event:
    """Stands for threading.Event where the tests pass one to a worker."""

    def __init__(self):
        self.channel = interlock.Channel(1)

    def set(self):
        self.channel.close()

    def wait(self, timeout=None):
        try:
            self.channel.recv(timeout)
        except interlock.ChannelClosed:
            return True
        except TimeoutError:
            return False


class PoolMixin(ExecutorMixin):
    executor_type = AdaptedPool

    def create_event(self):
        return Event()


class PoolExecutorTest(PoolMixin, ExecutorTest, BaseTestCase):
    def test_max_workers_negative(self):  # the message has our name for it
        for number in (0, -1):
            with self.assertRaisesRegex(ValueError, "workers must be greater than 0"):
                self.executor_type(max_workers=number)


class PoolWaitTest(PoolMixin, test_wait.WaitTests, BaseTestCase):
    pass


class PoolAsCompletedTest(PoolMixin, test_as_completed.AsCompletedTests, BaseTestCase):
    pass


def fail():
    raise ValueError("error in initializer")


class PoolInitializerTest(BaseTestCase):
    def test_a_failing_one_breaks_the_pool(self):
        with self.assertLogs("concurrent.futures", logging.CRITICAL) as logs:
            pool = interlock.Pool(1, initializer=fail)
            future = None
            with self.assertRaises(interlock.BrokenPool):
                future = pool.submit(abs, 1)
                future.result()
            with self.assertRaises(interlock.BrokenPool):
                for _ in range(1000):
                    pool.submit(abs, 1).result()
            pool.shutdown()
        self.assertIn("error in initializer", "\n".join(logs.output))


if __name__ == "__main__":
    unittest.main()
