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


@unittest.skipUnless(sys.platform == "linux", "needs /proc/self/smaps_rollup")
class Memory(support.TestCase):
    def kb_for_each_cycle(self, setup):
        out, _ = self.run_program(CYCLES.format(setup=setup, count=40))
        return float(out)

    def test_a_closed_interpreter_leaves_no_more_than_stock_cpython_does(self):
        """3.13 keeps the whole heap of an interpreter if one block of it is left; later ones keep little."""
        stock, ours = self.kb_for_each_cycle(STOCK), self.kb_for_each_cycle(OURS)
        self.assertLess(ours, 1.5 * stock + 100)

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
