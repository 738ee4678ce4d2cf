# SPDX-License-Identifier: MIT
"""When what an image has begins and ends: static objects, objects of threads, threads."""

import os
import shutil
import struct
import sys
import unittest

import fixtures
import interlock
import support


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_shared("statics.cpp", place / f"statics{fixtures.SUFFIX}")
    fixtures.compile_shared("registering.c", place / f"registering{fixtures.SUFFIX}", "-pthread")
    fixtures.compile_shared("threads.cpp", place / f"threads{fixtures.SUFFIX}", "-pthread")
    # Files with images of their own. What ends the threads of the first two is known by their names.
    for package in "scipy/fft/_duccfft", "cv2", "unknown", "locked":
        (place / package).mkdir(parents=True)
        shutil.copy(place / f"threads{fixtures.SUFFIX}", place / package)
    shutil.copy(place / f"registering{fixtures.SUFFIX}", place / "cv2")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


class Statics(support.TestCase):
    """What C++ does before main(), after it, and at the end of a thread."""

    PROGRAM = """
import sys, interlock
sys.path.insert(0, sys.argv[1])
def use(text):
    import statics
    statics.set_text(text)
    return [statics.count_unique() for _ in range(2)]
import statics
print("main", statics.count_unique(), flush=True)
for number in range(3):
    with interlock.Interpreter() as i:
        print(i.call(use, f"text {number}"), flush=True)
    print("ended", flush=True)
print("main", statics.count_unique(), flush=True)
"""

    def test_objects_live_as_long_as_their_interpreter(self):
        out, _ = self.run_program(self.PROGRAM, str(place), env=os.environ | {"STATICS_DESCRIPTOR": "1"})
        each = "constructed\n[1, 2]\nthread ends, text {0}\nkey ends, text {0}\ndestroyed text {0}\nended\n"
        self.assertEqual(
            out, "constructed\nmain 1\n" + "".join(each.format(n) for n in range(3)) + "main 2\ndestroyed static\n"
        )

    def test_keys_of_threads_are_given_back(self):
        """A process has 1024 of them, or 128."""

        def set_keys():
            import registering

            return [registering.set() for _ in range(60)]

        for _ in range(20):
            with interlock.Interpreter() as i:
                self.assertEqual(i.call(set_keys), [0] * 60)

    def test_handlers_of_fork_go_with_it(self):
        program = self.PROGRAM + "import os\nif os.fork() == 0: os._exit(0)\nos.wait()\n"
        out, _ = self.run_program(program, str(place), env=os.environ | {"STATICS_DESCRIPTOR": "1"})
        self.assertNotIn("forks", out)


def start(*args):
    import threads

    threads.start(*args)
    return threads.address()


def address():
    import threads

    return threads.address()


def run_and_join(to, *args):
    """A thread that has ended before its interpreter."""
    import os

    import threads

    thread = threads.start(*args, "POSIX")
    os.write(to, b"x")
    if threads.join(thread) != 0:
        raise RuntimeError("cannot join")
    return threads.address()


def start_pool(module, function):
    import importlib

    threads = importlib.import_module(module)
    if getattr(threads, function)() != 0:
        raise RuntimeError("handlers of fork are refused")
    return threads.address()


FORKING = """
import os, sys, time, warnings, interlock
warnings.simplefilter("ignore")
sys.path.insert(0, sys.argv[1])

def use():
    import threads
    threads.start_until_fork()

def count():
    return len(os.listdir("/proc/self/task"))

def wait_for(expected):  # a thread that was joined is there for a moment yet
    limit = time.monotonic() + 30
    while count() != expected and time.monotonic() < limit:
        pass
    return count() == expected

with interlock.Interpreter() as i:
    i.call(use)
    before = count()
    if os.fork() == 0:
        print("child", count(), flush=True)
        os._exit(0)
    os.wait()
    print("parent", wait_for(before), flush=True)
if os.fork() == 0:
    print("child", count(), flush=True)
    os._exit(0)
os.wait()
"""

# os.fork() lets no interpreter end meanwhile.
HELD = """
import ctypes, os, sys, interlock
sys.path.insert(0, sys.argv[1])

def hold_forks(*ends):
    import threads
    threads.hold_forks(*ends)
    return threads.address()

def address():
    import threads
    return threads.address()

def prepare():  # the first import of a built-in module waits for the main interpreter
    import typing

def end_meanwhile(ready, forking, to_fork):
    first, second = interlock.Interpreter(), interlock.Interpreter()
    second.call(prepare)
    (forked, fork), (leave, may_leave) = forking, to_fork
    used = first.call(hold_forks, leave, fork)
    os.write(ready, b"x")
    os.read(forked, 1)
    first.close()
    is_other = second.call(address) != used
    os.write(may_leave, b"x")
    second.close()
    return is_other

with interlock.Interpreter() as i:
    done, ready = os.pipe()
    is_other = i.submit(end_meanwhile, ready, os.pipe(), os.pipe())
    os.read(done, 1)
    if ctypes.PyDLL(None).fork() == 0:
        os._exit(0)
    os.wait()
    print(is_other.result())
"""


class Threads(support.TestCase):
    def pipe(self):
        ends = os.pipe()
        for each in ends:
            self.addCleanup(os.close, each)
        return ends

    def test_what_a_thread_uses_stays(self):
        for how in ("C++", "POSIX", "key"):
            with self.subTest(how):
                (there_out, there_in), (back_out, back_in) = self.pipe(), self.pipe()
                with interlock.Interpreter() as i:
                    first = i.call(start, 42, there_out, back_in, how)
                for _ in range(3):
                    with interlock.Interpreter() as i:
                        self.assertNotEqual(i.call(address), first)
                os.write(there_in, b"x")
                self.assertEqual(struct.unpack("l", os.read(back_out, 8)), (42,))

    def count_images(self, module, function):
        """How many five interpreters had, one after another, of a module that nothing else has used."""
        addresses = set()
        for _ in range(5):
            with interlock.Interpreter() as i:
                addresses.add(i.call(start_pool, module, function))
        return len(addresses)

    def test_a_thread_that_ends_before_a_fork_ends_with_the_interpreter_of_a_known_module(self):
        self.assertEqual(self.count_images("scipy.fft._duccfft.threads", "start_until_fork"), 1)

    def test_a_known_module_is_told_to_end_its_threads(self):
        self.assertEqual(self.count_images("cv2.threads", "start_until_fork"), 1)

    def test_a_known_module_that_is_another_is_told_nothing(self):
        program = "import sys, interlock\nsys.path.insert(0, sys.argv[1])\n"
        program += "with interlock.Interpreter() as i: i.exec('import cv2.registering')"
        _, err = self.run_program(program, str(place))
        self.assertEqual(err, "")

    def test_other_modules_are_told_of_forks_alone(self):
        """A handler may take a lock that the destructor needs, too."""
        self.assertEqual(self.count_images("locked.threads", "start_locked"), 1)
        self.assertEqual(self.count_images("unknown.threads", "start_until_fork"), 5)

    def test_handlers_of_fork_are_called(self):
        out, _ = self.run_program(FORKING, str(place))
        self.assertEqual(out, "child 2\nparent True\nchild 1\n")

    def test_what_a_fork_is_in_stays(self):
        out, _ = self.run_program(HELD, str(place))
        self.assertEqual(out, "True\n")

    def test_a_thread_that_has_ended_is_no_matter(self):
        (there_out, there_in), (back_out, back_in) = self.pipe(), self.pipe()
        addresses = set()
        for _ in range(5):
            with interlock.Interpreter() as i:
                addresses.add(i.call(run_and_join, there_in, 7, there_out, back_in))
            self.assertEqual(struct.unpack("l", os.read(back_out, 8)), (7,))
        self.assertEqual(len(addresses), 1)

    def test_interpreters_that_nobody_waits_for_give_their_images_back(self):
        import gc
        import warnings

        addresses = []
        for _ in range(10):
            ended = interlock.Channel(1)
            i = interlock.Interpreter()
            addresses.append(i.call(address_and_tell_end, ended))
            with warnings.catch_warnings(action="ignore"):
                del i
                gc.collect()
            with self.assertRaises(interlock.ChannelClosed):
                ended.recv(timeout=support.LIMIT)
        self.assertLess(len(set(addresses)), 10)


def address_and_tell_end(channel):
    import builtins

    builtins.sender = channel.sender()  # closed at the end
    return address()


if __name__ == "__main__":
    support.main()
