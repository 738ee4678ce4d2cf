# SPDX-License-Identifier: MIT
"""What is left of interpreters that were closed, and of messages that were received."""

import gc
import sys
import unittest
from itertools import pairwise

import interlock
import support

CYCLES = """
import gc
{setup}
def private_kb():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
for _ in range(20): cycle()
before = private_kb()
for _ in range({count}): cycle()
print((private_kb() - before) / {count})
"""

OURS = """
import interlock
def task(n): return [n]
def cycle():
    with interlock.Interpreter() as i: i.call(task, 1)
"""

NAMING = """
import interlock
def task(n):
    exec("".join(f"class name_{i}_{n}_{'x' * 20_000}: pass\\n" for i in range(50)))
def cycle():
    with interlock.Interpreter() as i: i.call(task, 1)
"""

STOCK = """
import _interpreters
def cycle():
    i = _interpreters.create()
    _interpreters.exec(i, "import threading, warnings, types, weakref, functools, re, collections, copyreg")
    _interpreters.destroy(i)
"""


TRACING = """
import sys
{before}
import interlock, tracemalloc
{after}
kept = [bytes(1000) for _ in range(1000)]

def work(n):
    import json
    return sum(len(json.loads('[1, 2, {{"a": %d}}]' % i)) for i in range(n))

for _ in range(2):
    with interlock.Pool(2) as pool:
        assert sum(pool.map(work, [100] * 20)) == 6000
    with interlock.Interpreter() as i:
        for function in (tracemalloc.stop, lambda: (tracemalloc.start(), "it is on")):
            try:
                print(function()[1])
            except RuntimeError as error:
                print(str(error).partition(":")[0])
own = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "<string>")])
print(own.statistics("lineno")[0].count // 10, tracemalloc.is_tracing())
tracemalloc.stop()
with interlock.Interpreter() as i:
    try:
        tracemalloc.start()
    except RuntimeError as error:
        print(str(error).partition(":")[0])
tracemalloc.start()
print(tracemalloc.get_traced_memory()[0] < 10_000, tracemalloc.get_traceback_limit())
"""


FORKING = """
import os, threading, warnings, interlock
warnings.simplefilter("ignore")

def work(stop):
    while not stop.is_set():
        [{"a": [n]} for n in range(100)]

stop = interlock.Event()
with interlock.Interpreter() as a, interlock.Interpreter() as b:
    working = [each.submit(work, stop) for each in (a, b)]
    ended = 0
    for _ in range(100):
        if (child := os.fork()) == 0:
            os._exit(0)
        ended += os.waitpid(child, 0)[1] == 0
    stop.set()
    for each in working:
        each.result()
print(ended)
"""


class Tracing(support.TestCase):
    """tracemalloc, in the main interpreter, while others work."""

    def check(self, before, after, *options):
        out, err = self.run_program(TRACING.format(before=before, after=after), options=options)
        refused = "tracemalloc cannot be {} while there are other interpreters\n"
        each = refused.format("stopped") + "it is on\n"
        self.assertEqual(out, each * 2 + "100 True\n" + refused.format("started") + "True 1\n")
        self.assertEqual(err, "")

    def test_from_the_beginning(self):
        self.check("", "", "-X", "tracemalloc=3")

    def test_started_before_the_import(self):
        self.check("import tracemalloc; tracemalloc.start()", "")

    def test_started_by_another_name(self):
        self.check("from tracemalloc import start", "start()")

    def test_the_module_is_executed_again(self):
        self.check("", "tracemalloc.start(); del sys.modules['_interlock']; import _interlock")

    @unittest.skipIf(support.ADDRESS_SANITIZER, "that of GCC 12 does not keep its locks over a fork")
    def test_a_fork_meanwhile(self):
        out, _ = self.run_program(FORKING, options=("-X", "tracemalloc"))
        self.assertEqual(out, "100\n")

    def test_started_after_the_import(self):
        self.check("", "tracemalloc.start(5)")
        self.check("import tracemalloc", "tracemalloc.start()")


@unittest.skipUnless(sys.platform == "linux", "needs /proc/self/smaps_rollup")
class Memory(support.TestCase):
    def kb_for_each_cycle(self, setup):
        out, _ = self.run_program(CYCLES.format(setup=setup, count=40))
        return float(out)

    def test_a_closed_interpreter_leaves_no_more_than_stock_cpython_does(self):
        """3.13 keeps the whole heap of an interpreter if one block of it is left; later ones keep little."""
        stock, ours = self.kb_for_each_cycle(STOCK), self.kb_for_each_cycle(OURS)
        self.assertLess(ours, 1.5 * stock + 100)

    @unittest.skipIf(support.ADDRESS_SANITIZER, "it keeps freed memory for a while")
    def test_names_go_with_their_interpreter(self):
        self.assertLess(self.kb_for_each_cycle(NAMING), 500)

    def test_messages_leave_nothing(self):
        channel = interlock.Channel(1)
        loop = []
        loop.append(loop)
        objects = (1 << 90, "x" * 99, [1, {"a": (2,)}], loop, ValueError(1), channel, lambda: 1, support.TestCase)

        def send_all(times):
            for _ in range(times):
                for obj in objects:
                    channel.send(obj)
                    channel.recv()
            gc.collect()
            return sys.getallocatedblocks()

        counts = [send_all(500) for _ in range(5)]
        growth = [after - before for before, after in pairwise(counts)]
        # One block for each message of one kind would be 500 each time; caches of the interpreter fill once.
        self.assertLess(min(growth), 50, growth)


if __name__ == "__main__":
    unittest.main()
