# SPDX-License-Identifier: MIT
"""What the static data of extension modules hold when their interpreter ends."""

import os
import sys
import unittest

import fixtures
import interlock
import support
from interlock import Channel


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    fixtures.compile_shared("holding.c", place / f"holding{fixtures.SUFFIX}")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


PROGRAM = """
import sys, interlock
sys.path.insert(0, sys.argv[1])

def use(kind):
    import contextvars, functools, holding, os, sys, warnings, weakref
    witness = holding.witness()
    def told(*ignored):
        print("Python code runs", file=sys.__stderr__)
    class Finalised:
        def __init__(self): self.witness = witness
        def __del__(self): told()
    if kind == "object":
        holding.hold(witness)
    elif kind == "cycle":
        cycle = [witness]
        cycle.append(cycle)
        holding.hold(cycle)
    elif kind == "class":
        class Held:
            it = witness
            def method(self): return Held
        holding.hold(Held)
        holding.hold(Held().method)
    elif kind == "address":  # twice, with one reference
        class Held:
            it = witness
        holding.hold(Held)
        holding.hold_borrowed(Held)
    elif kind == "cache":
        @functools.lru_cache(8)
        def function(*key): return key
        function.it, function.cached = witness, function(function)
        holding.hold(function)
    elif kind == "somebody's in a cache":
        cycle = [witness]
        cycle.append(cycle)
        @functools.lru_cache(8)
        def function(): return cycle
        holding.hold_elsewhere(function())
        holding.hold(function)
    elif kind == "category":
        class Category(Warning):
            it = witness
        warnings.simplefilter("ignore", Category)
        holding.hold(Category)
    elif kind == "context":  # gone after the last collection that finalises as ever
        class Closing:
            def __del__(self, write=os.write): write(1, b"finalised ")
        closing = Closing()
        closing.witness, closing.itself = witness, closing
        variable = contextvars.ContextVar("variable")
        variable.set(closing)
    elif kind == "traversed":
        class Stateful(holding.Stateful): pass
        cycle = [holding.Stateful(), Stateful()]
        cycle.append(cycle)
        holding.hold(cycle)
    elif kind == "fork":
        function = lambda: (witness, function)
        os.register_at_fork(before=function)
        holding.hold(function)
    elif kind == "closure":
        holding.hold(lambda: witness)
    elif kind == "finaliser":
        cycle = [Finalised()]
        cycle.append(cycle)
        holding.hold(cycle)
    elif kind == "weak reference":
        one, other = Finalised(), [witness]
        one.back = weakref.ref(one, told), other
        holding.hold(one)
    elif kind == "wrapper":
        def function(): return wrapper
        function.witness = witness
        wrapper = holding.Wrapper(function)
    elif kind == "class of wrappers":  # which the collector knows, but not what they wrap
        class Wrapper(holding.Wrapper): pass
        def function(): return wrapper
        function.witness = witness
        wrapper = Wrapper(function)
    elif kind == "wrapper that is held":
        cycle = {"witness": witness, "list": []}  # which makes the collector know it
        cycle["wrapper"] = holding.Wrapper(cycle)
        holding.hold(cycle["wrapper"])
    elif kind == "exception":
        try:
            1 / 0
        except ZeroDivisionError as error:
            error.witness = witness
            holding.hold(error)
    elif kind == "generator":
        def generate():
            try:
                yield witness
            finally:
                told()
        holding.hold(generator := generate())
        next(generator)

for kind in sys.argv[2:]:
    with interlock.Interpreter() as i:
        i.call(use, kind)
    print(kind, flush=True)
"""


CYCLES = """
import sys, interlock
sys.path.insert(0, sys.argv[1])

def use(n):
    import holding
    text = "documentation " * 70_000
    exec(f"def function():\\n  '{text}{n}'", globals())
    function.wrapper = holding.Wrapper(function)

def cycle(n):
    with interlock.Interpreter() as i: i.call(use, n)

def private_kb():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))

for n in range(10): cycle(n)
before = private_kb()
for n in range(20): cycle(n)
print((private_kb() - before) / 20)
"""


class Leftovers(support.TestCase):
    def run_kinds(self, *kinds):
        out, err = self.run_program(PROGRAM, str(place), *kinds, env=os.environ | {"WITNESS_DESCRIPTOR": "1"})
        self.assertEqual(err, "")
        return out

    def test_what_is_in_cycles_is_freed(self):
        kinds = ["cycle", "class", "address", "cache", "category", "fork", "closure", "finaliser", "weak reference"]
        kinds += ["wrapper", "class of wrappers", "wrapper that is held"]
        self.assertEqual(self.run_kinds(*kinds), "".join(f"freed\n{each}\n" for each in kinds))

    def test_objects_of_extension_modules_are_left_alone(self):
        """What is done when one of them goes may need what went before: nobody wrote it for that."""
        self.assertNotIn("wrapper freed", self.run_kinds("wrapper", "class of wrappers", "wrapper that is held"))

    @unittest.skipIf(support.ADDRESS_SANITIZER, "it keeps freed memory for a while")
    def test_code_and_documentation_of_functions_is_freed(self):
        out, _ = self.run_program(CYCLES, str(place))
        self.assertLess(float(out), 500)

    def test_no_python_code_runs(self):
        self.run_kinds("finaliser", "weak reference", "generator", "exception", "object")

    def test_what_memory_leads_to_that_is_not_known_is_kept(self):
        self.assertNotIn("freed", self.run_kinds("somebody's in a cache"))

    def test_objects_of_an_image_can_still_be_traversed(self):
        """By the last collection, when classes have been cleared."""
        self.run_kinds("traversed")

    def test_what_the_last_collection_would_finalise_is_finalised(self):
        self.assertEqual(self.run_kinds("context"), "finalised freed\ncontext\n")

    def test_what_others_look_at_is_kept(self):
        def lend(channel):
            import holding

            array = bytearray(b"lent" * 100_000)
            cycle = [array]
            cycle.append(cycle)
            holding.hold(cycle)
            # Addresses of what is gone may be those of what has come.
            views = [memoryview(array) for _ in range(40)]
            for view in views * 2:
                holding.hold_borrowed(view)
            del view, views
            channel.send(memoryview(array))

        channel = Channel(1)
        with interlock.Interpreter() as i:
            i.call(lend, channel)
        with interlock.Interpreter() as i:  # its home thread may get the memory of what was freed
            i.call(lend, Channel(1))
        self.assertEqual(bytes(channel.recv()), b"lent" * 100_000)

    def test_objects_that_moved_on_are_kept(self):
        def give(channel):
            import holding

            items = [{"number": n, "text": str(n)} for n in range(10_000)]
            for n in range(0, 10_000, 200):
                holding.hold(items[n]["text"])
            holding.hold(items[1])
            channel.send(items, move=True)
            return len(items)

        channel = Channel(1)
        with interlock.Interpreter() as i:
            self.assertEqual(i.call(give, channel), 0)
        self.assertEqual(channel.recv(), [{"number": n, "text": str(n)} for n in range(10_000)])


if __name__ == "__main__":
    support.main()
