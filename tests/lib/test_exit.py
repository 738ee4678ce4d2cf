# SPDX-License-Identifier: MIT
"""Ctrl-C and the end of the process."""

import signal
import subprocess
import sys
import textwrap
import time
import unittest

import support

HEAD = """
import interlock, sys, time
def nap(n):
    time.sleep(0.01)
    return n
def ready(): print("ready", flush=True)
def spin(n=0):
    ready()
    while True: pass
def sleep():
    ready()
    time.sleep(600)
"""


class CtrlC(support.TestCase):
    def interrupted(self, body):
        """Runs the program, sends SIGINT once it says ready, returns (status, stderr)."""
        program = subprocess.Popen(
            [sys.executable, "-c", HEAD + textwrap.dedent(body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), "ready\n")
        time.sleep(0.2)  # only makes it likely that the main thread waits by then
        start = time.monotonic()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=support.LIMIT)
        self.assertLess(time.monotonic() - start, support.SLOWER)
        self.assertEqual(err.count("Traceback"), 1, err)
        self.assertTrue(err.rstrip().splitlines()[-1].startswith("KeyboardInterrupt"), err)
        return program.returncode

    def test_daemon_threads_that_come_back_from_a_wait_end_with_the_program(self):
        waits = {
            "recv": "channel.recv(timeout=0.0005)",
            "select": "interlock.select([channel], timeout=0.0005)",
            "lock": "lock.acquire(timeout=0.0005)",
            "event": "interlock.Event().wait(0.0005)",
            "global lock": "interlock.global_lock.acquire(timeout=0.0005), interlock.Event().wait(0.0005)",
        }
        for name, wait in waits.items():
            with self.subTest(name):
                out, err = self.run_program(
                    textwrap.dedent(f"""
                    import interlock, threading, time
                    channel, lock = interlock.Channel(1), interlock.Lock()
                    lock.acquire()
                    def poll():
                        while True:
                            try:
                                {wait}
                            except TimeoutError:
                                pass
                    for _ in range(3):
                        threading.Thread(target=poll, daemon=True).start()
                    interlock.Event().wait(0.05)
                    """)
                )
                self.assertEqual((out, err), ("", ""))

    def test_during_a_map(self):
        status = self.interrupted("""
            with interlock.Pool(2) as pool:
                for n in pool.map(nap, range(100_000)):
                    if n == 0: ready()
            """)
        self.assertEqual(status, -signal.SIGINT)

    def test_during_endless_tasks(self):
        status = self.interrupted("""
            with interlock.Pool(2) as pool:
                list(pool.map(spin, range(2)))
            """)
        self.assertEqual(status, -signal.SIGINT)

    def test_during_a_wait_for_a_future_without_a_context_manager(self):
        status = self.interrupted("""
            pool = interlock.Pool(2)
            futures = [pool.submit(nap, n) for n in range(10_000)]
            futures[0].result()
            ready()
            futures[-1].result()
            """)
        self.assertIn(status, (-signal.SIGINT, 1))  # 1: CPython lost its mark, as code ran at the end

    def test_during_a_call(self):
        status = self.interrupted("""
            with interlock.Interpreter() as i:
                i.call(spin)
            """)
        self.assertEqual(status, -signal.SIGINT)

    def test_during_a_call_that_blocks_in_the_system(self):
        status = self.interrupted("""
            interlock.Interpreter().call(sleep)
            """)
        self.assertEqual(status, -signal.SIGINT)

    def test_during_a_receive(self):
        self.assertEqual(self.interrupted("ready(); interlock.Channel(1).recv()"), -signal.SIGINT)

    def test_during_the_global_lock(self):
        self.interrupted("""
            import threading
            held = threading.Event()
            def hold():
                interlock.global_lock.acquire()
                held.set()
                time.sleep(600)
            threading.Thread(target=hold, daemon=True).start()
            held.wait()
            ready()
            interlock.global_lock.acquire()
            """)

    def test_while_the_program_waits_for_what_was_submitted(self):
        self.interrupted("""
            i = interlock.Interpreter()
            i.submit(spin)
            """)


class Ends(support.TestCase):
    def test_an_unhandled_exception_ends_the_program(self):
        _, err = self.run_program(HEAD + "i = interlock.Interpreter(); i.call(abs, 1); raise ValueError('x')", status=1)
        self.assertEqual(err.rstrip().splitlines()[-1], "ValueError: x")

    def test_sys_exit_in_a_call_ends_the_program_if_not_caught(self):
        self.run_program(HEAD + "interlock.Interpreter().call(sys.exit, 5)", status=5)

    def test_an_abandoned_interpreter_does_not_hold_the_process(self):
        self.run_program(
            HEAD
            + textwrap.dedent("""
            import warnings
            warnings.simplefilter("ignore")
            def stubborn(started):
                while True:
                    try:
                        if started is not None: started.send(None)
                        time.sleep(600)
                    except KeyboardInterrupt: started = None
            i = interlock.Interpreter()
            started = interlock.Channel(1)
            i.submit(stubborn, started)
            started.recv()
            i.close(timeout=0)
            """)
        )

    def test_daemon_threads_inside_do_not_hold_the_process(self):
        self.run_program(
            HEAD
            + textwrap.dedent("""
            def start():
                import threading
                threading.Thread(target=spin, daemon=True).start()
            interpreters = [interlock.Interpreter() for _ in range(3)]
            for i in interpreters: i.call(start)
            """)
        )

    def test_os_exit(self):
        self.run_program(HEAD + "import os; i = interlock.Interpreter(); os._exit(4)", status=4)


if __name__ == "__main__":
    unittest.main()
