# SPDX-License-Identifier: MIT
"""interlock -m interlock.doctor: a table of what works, whatever happens to the processes that try it."""

import json
import os
import subprocess
import sys
import sysconfig
import unittest

import fixtures
import support

STEPS = ("first", "second", "parallel", "again", "main")


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_counting(place, "good.multi", 3)
    fixtures.compile_counting(place, "good.own", 4)
    for name, number in (("aborts", 1), ("waits", 2), ("raises", 3), ("exits", 4)):
        options = (f"-DSELFISH={number}", f"-DSELFISH_NAME={name}")
        fixtures.compile_shared("selfish.c", place / f"{name}{fixtures.SUFFIX}", *options)
    options = ("-DSELFISH=5", "-DSELFISH_NAME=chatty")
    fixtures.compile_shared("selfish.c", place / f"chatty{fixtures.SUFFIX}", *options)
    fixtures.compile_shared("failing.c", place / f"failing{fixtures.SUFFIX}", "-DFAILURE=2")
    fixtures.compile_shared("counting_library.c", place / "good" / "library.so")
    (place / f"empty{fixtures.SUFFIX}").touch()
    (place / "pure.py").touch()


class Doctor(support.TestCase):
    def run_doctor(self, *arguments, **environment):
        command = [sys.executable, "-m", "interlock.doctor", *arguments]
        environment = os.environ | {"PYTHONPATH": str(place)} | environment
        return subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, cwd=place)

    def report(self, *packages, options=()):
        done = self.run_doctor("--json", *options, *packages)
        return {each["module"]: each for each in json.loads(done.stdout)}, done.returncode

    def test_what_works(self):
        reports, status = self.report("good")
        self.assertEqual(status, 0)
        self.assertEqual(
            {name: each["loads"] for name, each in reports.items()}, {"good.multi": "private", "good.own": "shared"}
        )
        for each in reports.values():
            self.assertEqual([each[step] for step in STEPS], ["ok"] * 5)
            self.assertEqual((each["verdict"], os.path.dirname(each["file"])), ("ok", str(place / "good")))

    def test_a_crash_is_a_row(self):
        reports, status = self.report("aborts", "exits", "raises", "good.multi")
        self.assertEqual(status, 1)
        self.assertEqual(reports["aborts"]["first"], "crash: SIGABRT")
        self.assertEqual(reports["exits"]["first"], "exit status 7: last words")
        self.assertEqual(reports["raises"]["first"], "ImportError: only in the main interpreter")
        self.assertEqual([reports[each]["verdict"] for each in reports], ["fails", "fails", "fails", "ok"])
        self.assertEqual([reports[each]["main"] for each in reports], ["ok"] * 4)

    def test_what_a_module_does_beside_is_no_matter(self):
        """It writes no newline, and starts a program that lives on with its descriptors."""
        reports, status = self.report("chatty", options=("--timeout", str(60 * support.SLOWER)))
        self.assertEqual((status, reports["chatty"]["verdict"]), (0, "ok"))

    def test_what_hangs_is_ended(self):
        reports, status = self.report("waits", options=("--timeout", str(10 * support.SLOWER)))
        self.assertEqual((status, reports["waits"]["first"][:14]), (1, "hangs: not don"))

    def test_what_is_broken_anyway_is_no_failure(self):
        reports, status = self.report("failing")
        self.assertEqual((status, reports["failing"]["verdict"]), (0, "broken"))
        self.assertEqual(reports["failing"]["main"], "OverflowError: as it was told")

    def test_the_table(self):
        done = self.run_doctor("good", "aborts", "failing")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, TABLE)
        self.assertEqual(done.stderr, "")

    def test_the_command_line(self):
        for arguments, status, text in (
            (("--help",), 0, "PACKAGE"),
            (("--jobs", "0"), 2, "--jobs"),
            (("--timeout", "x"), 2, "--timeout"),
            (("--unknown",), 2, "--unknown"),
            (("no_such_package",), 2, "there is no package 'no_such_package' in this environment"),
            (("pure",), 0, "no extension modules"),
        ):
            with self.subTest(arguments=arguments):
                done = self.run_doctor(*arguments)
                self.assertEqual(done.returncode, status)
                self.assertIn(text, done.stdout + done.stderr)

    def test_the_standard_library(self):
        dynload = os.path.join(sysconfig.get_path("platstdlib"), "lib-dynload")
        there = {each.partition(".")[0] for each in os.listdir(dynload)}  # others may be part of the program
        modules = sorted(there & {"_asyncio", "_decimal", "_json", "_lzma", "_sqlite3", "_struct"})[:2]
        reports, status = self.report(*modules, options=("--stdlib",))
        self.assertEqual({name: each["loads"] for name, each in reports.items()}, dict.fromkeys(modules, "shared"))
        self.assertEqual(status, 0)


TABLE = """\
module      loads    first    second   parallel again
good.multi  private  ok       ok       ok       ok
good.own    shared   ok       ok       ok       ok
aborts      -        FAILS    -        -        -
    first: crash: SIGABRT
failing     -        FAILS    -        -        -
    cannot be imported at all: OverflowError: as it was told
4 extension modules: 1 private, 1 shared, 1 cannot be imported at all; 1 of them fails in interpreters
"""

if __name__ == "__main__":
    unittest.main()
