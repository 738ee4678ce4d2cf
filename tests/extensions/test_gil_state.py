# SPDX-License-Identifier: MIT
"""PyGILState_Ensure() on threads that CPython does not know, in every interpreter."""

import _interpreters
import ctypes
import os
import shutil
import sys
import threading
import unittest

import fixtures
import interlock
import support


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_shared("calling.c", place / "calling.so", "-pthread")
    fixtures.compile_shared("visiting.c", place / f"visiting{fixtures.SUFFIX}")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


def called_back(library, how, times=1):
    """The ids of the interpreters that a callback of ctypes reaches, and how many threads were seen."""
    import _interpreters
    import ctypes
    import threading

    reached, seen = [], set()

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def function(argument):
        reached.append((_interpreters.get_current()[0], argument))
        seen.add(threading.get_ident())

    calling = ctypes.CDLL(library)
    for _ in range(times):
        getattr(calling, how)(function, 7)
    if any(argument != 7 for _, argument in reached):
        raise AssertionError(reached)
    return [id for id, _ in reached]


def visitors():
    import visiting

    return visiting.visitors()


def start_callback(library, entered, leave):
    """Has a thread come in by a callback, which tells so, and stays until it can read a byte."""
    import ctypes
    import os

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
    def function(argument):
        os.write(entered, b"e")
        os.read(leave, 1)

    globals()["kept"] = function
    ctypes.CDLL(library).give_to_server(function, None)


ENDED = """
import ctypes, sys, interlock
sys.path.insert(0, sys.argv[1])

class Visit(ctypes.Structure):
    _fields_ = (("next", ctypes.POINTER(ctypes.c_void_p)), ("reached", ctypes.POINTER(ctypes.c_longlong)))

def visitors():
    import visiting
    return visiting.visitors()

calling = ctypes.CDLL(sys.argv[1] + "/calling.so")
reached = (ctypes.c_longlong * 10)(*[-100] * 10)
visit = Visit((ctypes.c_void_p * 1)(None), reached)
with interlock.Interpreter() as i:
    first = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(i.call(visitors)[int(sys.argv[3])])
    if sys.argv[2] == "give_to_server":  # alive
        calling.wait_for_server(calling.give_to_server(first, ctypes.byref(visit)))
        assert reached[0] == i.id
        reached[:] = [-100] * 10
        visit.reached = reached
getattr(calling, sys.argv[2])(first, ctypes.byref(visit))
assert list(reached) == [-100] * 10
print("end")
"""


class Visit(ctypes.Structure):
    _fields_ = (("next", ctypes.POINTER(ctypes.c_void_p)), ("reached", ctypes.POINTER(ctypes.c_longlong)))


HELD = """
calling = ctypes.PyDLL(sys.argv[1] + "/calling.so")
with interlock.Interpreter() as i:
    first = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(i.call(visitors)[0])
import threading
visit = Visit((ctypes.c_void_p * 1)(None), (ctypes.c_longlong * 10)())
started = threading.Event()
def call():
    started.set()
    calling.call_here(first, ctypes.byref(visit))
thread = threading.Thread(target=call, daemon=True)
thread.start()
started.wait()
for _ in range(3_000_000):  # while others may have the lock
    pass
print(list(visit.reached[:2]), flush=True)
"""

EXIT = """
import ctypes, sys, threading
calling = ctypes.CDLL(sys.argv[1] + "/calling.so")
called = threading.Barrier(5)
function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda argument: None)
def call():
    called.wait()
    while True:
        calling.call_here(function, None)
for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
called.wait()
print("exit")
"""

DESTROYED = """
import _interpreters, sys
program = '''
import ctypes, threading
calling = ctypes.CDLL(library)
called = threading.Event()
@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def function(argument):
    called.set()
threading.Thread(target=lambda: None).start()  # from now on threads inherit the interpreter
calling.wait_for_server(calling.give_to_server(function, None))
assert called.is_set()
'''
for n in range(3):
    i = _interpreters.create()
    _interpreters.exec(i, program, {"library": sys.argv[2 + n]})
    _interpreters.destroy(i)
print("end")
"""


class Callbacks(support.TestCase):
    """Of ctypes, which all interpreters share."""

    def check(self, how):
        library = str(place / "calling.so")
        self.assertEqual(called_back(library, how, 3), [0, 0, 0])
        for i in (self.interpreter(), self.interpreter()):
            self.assertEqual(i.call(called_back, library, how, 3), [i.id] * 3)
        self.assertEqual(called_back(library, how), [0])

    def test_from_the_calling_thread(self):
        self.check("call_here")

    def test_from_a_thread_that_the_interpreter_has_started(self):
        self.check("call_from_thread")

    def test_from_a_thread_that_such_a_thread_has_started(self):
        self.check("call_from_grandchild")

    def test_from_a_thread_that_ends(self):
        self.check("call_at_thread_end")

    def test_a_thread_that_came_in_ends_without_the_lock(self):
        """Whoever joins it may hold that."""

        def join(library):
            import ctypes

            called = []
            function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(called.append)
            ctypes.CDLL(library).start_waiter(function, None)
            ctypes.PyDLL(library).join_waiter()
            return called

        library = str(place / "calling.so")
        for i in (self.interpreter(), self.interpreter()):
            self.assertEqual(i.submit(join, library).result(support.LIMIT), [None])

    def test_the_process_ends_while_threads_come_in(self):
        """CPython 3.13 unwinds threads then, through functions that must not throw."""
        for _ in range(10):
            self.assertEqual(self.run_program(EXIT, str(place)), ("exit\n", ""))

    def test_others_end_an_interpreter(self):
        libraries = [str(place / f"calling_destroyed_{n}.so") for n in range(3)]
        for each in libraries:
            shutil.copy(place / "calling.so", each)
        self.assertEqual(self.run_program(DESTROYED, str(place), *libraries), ("end\n", ""))

    def test_in_four_interpreters_at_once(self):
        library = str(place / "calling.so")
        all = [self.interpreter() for _ in range(4)]
        futures = [(each.id, each.submit(called_back, library, "call_from_thread", 200)) for each in all]
        for id, future in futures:
            self.assertEqual(future.result(support.LIMIT), [id] * 200)

    def test_from_threads_of_threading(self):
        def run(library):
            import threading

            found = []
            thread = threading.Thread(target=lambda: found.append(called_back(library, "call_from_thread", 2)))
            thread.start()
            thread.join()
            return found

        i = self.interpreter()
        self.assertEqual(i.call(run, str(place / "calling.so")), [[i.id, i.id]])


class Ends(support.TestCase):
    def test_an_interpreter_waits_for_who_is_in_it(self):
        def leave_at_exit(library, rounds):
            import atexit
            import ctypes
            import threading

            entered, leave = threading.Event(), threading.Event()

            @ctypes.CFUNCTYPE(None, ctypes.c_void_p)
            def function(argument):
                entered.set()
                leave.wait()
                for _ in range(rounds):
                    pass

            atexit.register(leave.set)
            globals()["kept"] = function
            ctypes.CDLL(library).give_to_server(function, None)
            entered.wait()

        for n in range(3):
            library = str(place / f"calling_{n}.so")
            shutil.copy(place / "calling.so", library)
            with interlock.Interpreter() as i:
                i.call(leave_at_exit, library, int(3_000_000 / support.SLOWER**2))
            self.assertNotIn(i.id, [id for id, _ in _interpreters.list_all()])

    def test_who_stays_is_stopped(self):
        entered, leave = os.pipe(), os.pipe()
        for each in (*entered, leave[1]):  # the thread that reads the other stays for good
            self.addCleanup(os.close, each)
        i = interlock.Interpreter()
        library = str(place / "calling_and_staying.so")
        shutil.copy(place / "calling.so", library)
        i.call(start_callback, library, entered[1], leave[0])
        self.assertEqual(os.read(entered[0], 1), b"e")
        i.close()
        self.assertIn(i.id, [id for id, _ in _interpreters.list_all()])
        os.write(leave[1], b"l")

    def test_who_comes_too_late_is_stopped(self):
        for which in (0, 1):
            out, err = self.run_program(ENDED, str(place), "give_to_server", str(which))
            self.assertEqual((out, err), ("end\n", ""))

    def test_who_comes_too_late_lets_others_go_on(self):
        head = ENDED[: ENDED.index("calling = ")]
        self.assertEqual(self.run_program(head + HELD, str(place)), ("[0, 0]\n", ""))


class Visits(support.TestCase):
    def visit(self, chain, how="call_here"):
        """What the visitors of the chain, addresses, have found, the first before the second and so on."""
        next = (ctypes.c_void_p * len(chain))(*chain[1:], None)
        reached = (ctypes.c_longlong * 100)(*[-100] * 100)
        visit = Visit(next, reached)
        first = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(chain[0])
        calling = ctypes.CDLL(str(place / "calling.so"))
        getattr(calling, how)(first, ctypes.byref(visit))
        return [each for each in reached if each != -100]

    def test_one_after_the_other(self):
        one, other = self.interpreter(), self.interpreter()
        for how in ("call_here", "call_from_thread"):
            for which in (0, 1):
                for each in (one, other, one):
                    with self.subTest(how=how, which=which):
                        found = self.visit([each.call(visitors)[which]], how)
                        self.assertEqual(set(found), {each.id})
                self.assertEqual(set(self.visit([visitors()[which]], how)), {0})

    def test_one_in_the_other(self):
        one, other = self.interpreter(), self.interpreter()
        for how in ("call_here", "call_from_thread"):
            for a in (0, 1):
                for b in (0, 1):
                    with self.subTest(how=how, a=a, b=b):
                        order = [one, other, one, one, other, other, one]
                        ids = [each.id for each in order]
                        chain = [each.call(visitors)[(a, b)[n % 2]] for n, each in enumerate(order)]
                        found = self.visit(chain, how)
                        self.assertEqual(found[: len(ids)], ids)
                        way_back = []
                        for n, id in reversed(list(enumerate(ids))):
                            way_back += [id] * (1 if (a, b)[n % 2] else 2)
                        self.assertEqual(found[len(ids) :], way_back)

    def test_an_ensure_without_release(self):
        for how in ("call_here", "call_from_thread"):
            self.assertEqual(self.visit([visitors()[2]], how), [0])
            i = self.interpreter()
            for _ in range(2):
                self.assertEqual(self.visit([i.call(visitors)[2]], how), [i.id])

    def test_an_exception_does_not_outlive_the_call(self):
        i = self.interpreter()
        for _ in range(3):
            self.assertEqual(self.visit([i.call(visitors)[3]], "call_here"), [i.id])

    def test_in_threads_at_once(self):
        interpreters = [self.interpreter() for _ in range(3)]
        chain = [each.call(visitors)[n % 2] for n, each in enumerate(interpreters * 2)]
        ids = [each.id for each in interpreters * 2]
        failed = []

        def run():
            for _ in range(200):
                if self.visit(chain, "call_from_thread")[: len(ids)] != ids:
                    failed.append(True)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(support.LIMIT)
            self.assertFalse(each.is_alive())
        self.assertEqual(failed, [])


if __name__ == "__main__":
    support.main()
