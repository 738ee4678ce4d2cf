# SPDX-License-Identifier: MIT
"""Functions of the Python C API that concern the interpreter of an image, not the main one."""

import os
import sys
import unittest

import fixtures
import interlock
import support


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_shared("pending.cpp", place / f"pending{fixtures.SUFFIX}", "-pthread")
    fixtures.compile_shared("taking.cpp", place / f"taking{fixtures.SUFFIX}")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


def ask(function):
    """The id of the interpreter that was called, as the module was told."""
    import time

    import pending

    if getattr(pending, function)() != 0:
        raise RuntimeError("the call cannot be added")
    limit = time.monotonic() + 60
    while (answer := pending.take_answer()) == -1 and time.monotonic() < limit:
        pass
    return answer


def early_answer():
    import time

    import pending

    limit = time.monotonic() + 60
    while (answer := pending.early_answer()) == -1 and time.monotonic() < limit:
        pass
    return answer


PROGRAM = """
import sys, interlock
sys.path.insert(0, sys.argv[1])

def use():
    import pending
    pending.ask_at_thread_end()

for _ in range(3):
    with interlock.Interpreter() as i:
        i.call(use)
for _ in range(1000):
    pass
print("end")
"""


TAKING = """
import sys, interlock
sys.path.insert(0, sys.argv[1])

def use():
    import taking
    taking.keep([])

for _ in range(3):
    with interlock.Interpreter() as i:
        i.call(use)
    print("closed", flush=True)
"""


class GilState(support.TestCase):
    def test_a_thread_comes_into_the_interpreter_of_the_image(self):
        self.assertEqual(ask("enter_from_thread"), 0)
        for i in (self.interpreter(), self.interpreter()):
            self.assertEqual(i.call(ask, "enter_from_thread"), i.id)

    def test_many_times(self):
        with interlock.Interpreter() as i:
            for _ in range(100):
                self.assertEqual(i.call(ask, "enter_from_thread"), i.id)

    def test_a_destructor_that_takes_the_gil_ends_there(self):
        """There is none any more: CPython's own PyGILState_Ensure() crashes or waits for ever then."""
        out, _ = self.run_program(TAKING, str(place), env=os.environ | {"TAKING_DESCRIPTOR": "1"})
        self.assertEqual(out, "end\nlast\nclosed\n" * 3)


class PendingCalls(support.TestCase):
    def test_they_are_made_in_the_interpreter_of_the_image(self):
        for function in ("ask", "ask_from_thread"):
            with self.subTest(function=function):
                self.assertEqual(ask(function), 0)
                for i in (self.interpreter(), self.interpreter()):
                    self.assertEqual(i.call(ask, function), i.id)

    def test_one_that_an_initialiser_asks_for(self):
        for i in (self.interpreter(), self.interpreter()):
            self.assertEqual(i.call(early_answer), i.id)

    def test_one_of_an_image_that_was_used_before(self):
        for _ in range(5):
            with interlock.Interpreter() as i:
                self.assertEqual(i.call(ask, "ask_from_thread"), i.id)

    def test_after_the_end_of_the_interpreter_there_are_none(self):
        out, err = self.run_program(PROGRAM, str(place), env=os.environ | {"PENDING_DESCRIPTOR": "1"})
        self.assertEqual((out, err), ("end\n", ""))


if __name__ == "__main__":
    support.main()
