# SPDX-License-Identifier: MIT
"""What the tests of the Python side share."""

import os
import subprocess
import sys
import threading
import unittest

import interlock

SLOWER = float(os.environ.get("INTERLOCK_TEST_SLOWER", "1"))  # of builds with checks
ADDRESS_SANITIZER = "address" in os.environ.get("INTERLOCK_TEST_CFLAGS", "")
THREAD_SANITIZER = "thread" in os.environ.get("INTERLOCK_TEST_CFLAGS", "")
LIMIT = 60  # seconds that any one thing may take before it counts as hanging


class TestCase(unittest.TestCase):
    def interpreter(self, name=None):
        """An interpreter that is closed at the end of the test."""
        created = interlock.Interpreter(name)
        self.addCleanup(created.close)
        return created

    def run_program(self, source, *arguments, status=0, options=(), **kwargs):
        """Runs a program with the command under test; (stdout, stderr)."""
        command = [sys.executable, *options, "-c", source, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **kwargs)
        except subprocess.TimeoutExpired as expired:
            self.fail(f"the program hangs; stdout: {expired.stdout!r}, stderr: {expired.stderr!r}")
        if status is not None:
            self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout, done.stderr

    def in_thread(self, function, *args):
        """Starts a thread that is joined at the end of the test."""
        thread = threading.Thread(target=function, args=args, daemon=True)
        thread.start()
        self.addCleanup(thread.join, LIMIT)
        return thread


main = unittest.main
