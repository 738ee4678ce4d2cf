# SPDX-License-Identifier: MIT
"""In builds with --enable-owner-tags: what breaks the ownership law ends the process, and what keeps it does not."""

import signal
import textwrap
import unittest

import _interlock
import support

BREAK = """
    import ctypes
    import _interlock
    import interlock

    def make():
        global kept
        kept = [["of another"]]
        return id(kept)

    interpreter = interlock.Interpreter()
    foreign = ctypes.cast(interpreter.call(make), ctypes.py_object).value
"""


@unittest.skipUnless(hasattr(_interlock, "check_owners"), "needs a build with --enable-owner-tags")
@unittest.skipUnless(_interlock.can_move(), "blocks have owners only where objects move")
class OwnerTags(support.TestCase):
    def assert_breaks(self, source, message):
        program = textwrap.dedent(BREAK) + source
        _, errors = self.run_program(program, status=-signal.SIGABRT)
        self.assertRegex(errors, r"interlock: the ownership law is broken: " + message)

    def test_reaching_an_object_of_another_interpreter(self):
        self.assert_breaks(
            "holder = [foreign]; _interlock.check_owners()",
            r"list of interpreter 1 at \w+: was reached from list of interpreter 0",
        )

    def test_freeing_an_object_of_another_interpreter(self):
        self.assert_breaks("foreign.clear()", r"memory of interpreter 1 at \w+: was freed by interpreter 0")

    def test_resizing_an_object_of_another_interpreter(self):
        self.assert_breaks(
            "foreign.extend(range(100))", r"memory of interpreter 1 at \w+: was resized by interpreter 0"
        )

    def test_moving_an_object_of_another_interpreter(self):
        self.assert_breaks(
            "interlock.Channel(1).send([foreign], move=True)",
            r"the items of a list of interpreter 1 at \w+: was given away by interpreter 0",
        )

    def test_two_interpreters_that_keep_the_law(self):
        worker = self.interpreter()
        sent = [
            [n, {"name": f"name {n}", "members": {n, 2.5}}, bytearray(b"bytes")] for n in range(1 << 40, (1 << 40) + 9)
        ]
        got = worker.call(list, sent)
        self.assertEqual(got, sent)
        for _ in range(3):
            self.assertGreater(_interlock.check_owners(), 1000)
            self.assertGreater(worker.call(_interlock.check_owners), 1000)


if __name__ == "__main__":
    support.main()
