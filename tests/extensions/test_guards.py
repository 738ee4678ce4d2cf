# SPDX-License-Identifier: MIT
"""The functions of PEP 788: guards and views of interpreters."""

import os
import pathlib
import sys
import unittest

import fixtures
import interlock
import support

HEADERS = pathlib.Path(__file__).parents[2] / "runtime"


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_shared("guarding.c", place / f"guarding{fixtures.SUFFIX}", "-pthread", f"-I{HEADERS}")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


def start(has_guard, source, target):
    import guarding

    guarding.start(has_guard, source, target)


def reach():
    import guarding

    return guarding.reach()


MAIN = """
import os, sys
sys.path.insert(0, sys.argv[1])
import guarding
source, target = os.pipe()
guarding.start(int(sys.argv[2]), source, 1)
import atexit
atexit.register(os.write, target, b"g")
atexit.register(print, "exit", end=" ", flush=True)
"""


class Guards(support.TestCase):
    def pipes(self):
        """What the thread is told by, and what it says."""
        (source, go), (answers, target) = os.pipe(), os.pipe()
        for each in (source, go, answers, target):
            self.addCleanup(os.close, each)
        return source, go, answers, target

    def read(self, answers, count):
        text = b""
        while text.count(b" ") < count:
            text += os.read(answers, 100)
        return text.decode().split()

    def test_a_thread_comes_in(self):
        for has_guard in (0, 1):
            source, go, answers, target = self.pipes()
            i = self.interpreter()
            i.call(start, has_guard, source, target)
            os.write(go, b"g")
            self.assertEqual(self.read(answers, 2), [f"i{i.id}", "i1000"])
            start(has_guard, source, target)
            os.write(go, b"g")
            self.assertEqual(self.read(answers, 2), ["i0", "i1000"])

    def test_one_interpreter_in_the_other(self):
        self.assertEqual(reach(), (0, 0, 0, 0, 0))
        i = self.interpreter()
        self.assertEqual(i.call(reach), (i.id, 0, i.id, 0, i.id))

    def test_a_guarded_interpreter_does_not_end(self):
        source, go, answers, target = self.pipes()
        i = interlock.Interpreter()
        i.call(start, 1, source, target)
        closing = self.in_thread(i.close)
        closing.join(1.5)  # longer than it waits for threads that are inside
        self.assertTrue(closing.is_alive())
        os.write(go, b"g")
        closing.join(support.LIMIT)
        self.assertFalse(closing.is_alive())
        self.assertEqual(self.read(answers, 2), [f"i{i.id}", "i1000"])

    def test_a_guarded_interpreter_can_be_given_up(self):
        source, go, answers, target = self.pipes()
        i = interlock.Interpreter()
        i.call(start, 1, source, target)
        with self.assertWarnsRegex(RuntimeWarning, "was abandoned"):
            i.close(timeout=0.1)
        os.write(go, b"g")
        self.assertEqual(self.read(answers, 2), [f"i{i.id}", "i1000"])

    def test_nobody_comes_into_an_interpreter_that_has_ended(self):
        source, go, answers, target = self.pipes()
        with interlock.Interpreter() as i:
            i.call(start, 0, source, target)
        os.write(go, b"g")
        self.assertEqual(self.read(answers, 2), ["n", "n"])

    def test_the_main_interpreter_does_not_end(self):
        out, err = self.run_program(MAIN, str(place), "1")
        self.assertEqual((out, err), ("exit i0 i1000 ", ""))


if __name__ == "__main__":
    support.main()
