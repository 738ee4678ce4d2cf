# SPDX-License-Identifier: MIT
"""Functions and classes of the main program, in other interpreters."""

import abc
import functools
import math
import os.path
import subprocess
import sys
import tempfile
import textwrap
import typing
import unittest

import support

PROGRAM_HEAD = """
import sys
print("the main program runs")
from interlock import Interpreter
"""


class Programs(support.TestCase):
    """Each test is a script of its own: `__main__` is what is tested."""

    def run_script(self, body):
        """What the script prints, after the line that shows that it ran once."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "program.py")
            with open(path, "w") as file:
                file.write(PROGRAM_HEAD + textwrap.dedent(body))
            command = [sys.executable, path]
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=support.LIMIT)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines.count("the main program runs"), 1)
        return lines[1:]

    def test_functions_classes_and_globals_of_main(self):
        self.assertEqual(
            self.run_script("""
            import math, xml.etree.ElementTree
            LIMIT = 3
            def helper(x): return min(x, LIMIT)
            def function(x): return helper(x) + math.floor(0.5)
            def recursive(n): return 1 if n == 0 else n * recursive(n - 1)
            def parse(text): return xml.etree.ElementTree.fromstring(text).tag
            with Interpreter() as i:
                print(i.call(function, 9), i.call(recursive, 5), i.call(parse, "<a/>"))
                LIMIT = 4
                print(i.call(function, 9))
                print(i.call(lambda: __name__), i.submit(lambda x, y=2: x * y, 4).result())
            """),
            ["3 120 a", "4", "__main__ 8"],
        )

    def test_a_function_whose_arrival_failed_is_whole_the_next_time(self):
        self.assertEqual(
            self.run_script("""
            import os
            os.mkdir("late")
            open("late/__init__.py", "w").close()
            with open("late/part.py", "w") as file:
                file.write("import os\\nif not os.path.exists('ready'): raise ImportError('not yet')\\n")
            sys.path.insert(0, "")
            open("ready", "w").close()
            import late.part
            os.remove("ready")
            LIMIT = 3
            def function(): return late.part.__name__, LIMIT
            with Interpreter() as i:
                try:
                    i.call(function)
                except ImportError as error:
                    print(error)
                open("ready", "w").close()
                print(*i.call(function))
            """),
            ["not yet", "late.part 3"],
        )

    def test_mutable_globals_cross_as_they_are_now(self):
        self.assertEqual(
            self.run_script("""
            table = {"x": 1}
            def look(key): return table[key]
            with Interpreter() as i:
                print(i.call(look, "x"))
                table["x"] = 2
                print(i.call(look, "x"))
            """),
            ["1", "2"],
        )

    def test_instances_return_as_instances_of_the_original_class(self):
        self.assertEqual(
            self.run_script("""
            import dataclasses, enum, collections, typing
            class Base:
                kind = "base"
                def __init__(self, v): self.v = v
                def who(self): return self.kind
            class Child(Base):
                __slots__ = ("w",)
                def who(self): return "child of " + super().who()
                @property
                def double(self): return 2 * self.v
                @classmethod
                def make(cls): return cls(7)
                @staticmethod
                def plain(): return Child
            @dataclasses.dataclass(order=True)
            class Data:
                x: int
                y: list = dataclasses.field(default_factory=list)
            @dataclasses.dataclass(slots=True, frozen=True)
            class Frozen:
                x: int
            class Color(enum.Enum):
                RED = 1
                ALIAS = 1
                BLUE = 2
                def shout(self): return self.name + "!"
            class Flag(enum.IntFlag):
                A = 1
                B = 2
            Point = collections.namedtuple("Point", "x y")
            class Typed(typing.NamedTuple):
                a: int
                b: str = "b"
            with Interpreter() as i:
                child = i.call(lambda c: (c, c.who(), c.double, c.make(), c.plain() is type(c)), Child(3))
                print(child[1:3], child[4], type(child[0]) is Child, type(child[3]) is Child, child[3].v)
                data = i.call(lambda d: (d, type(d)(1), d < type(d)(9), repr(d)), Data(4, [1]))
                print(data, type(data[1]) is Data)
                print(i.call(lambda f: (f, f == type(f)(2)), Frozen(2)))
                colors = i.call(lambda c: (c, type(c)(2), c is type(c).ALIAS, c.shout()), Color.RED)
                print(colors, colors[1] is Color.BLUE)
                print(i.call(lambda f: f | Flag.B, Flag.A) is Flag.A | Flag.B)
                print(i.call(lambda p: p._replace(x=5), Point(1, 2)), i.call(lambda: Typed(1)))
                print(i.call(lambda: Color is not None and Color.RED) is Color.RED)
            """),
            [
                "('child of base', 6) True True True 7",
                "(Data(x=4, y=[1]), Data(x=1, y=[]), True, 'Data(x=4, y=[1])') True",
                "(Frozen(x=2), True)",
                "(<Color.RED: 1>, <Color.BLUE: 2>, True, 'RED!') True",
                "True",
                "Point(x=5, y=2) Typed(a=1, b='b')",
                "True",
            ],
        )

    def test_exceptions_of_main(self):
        self.assertEqual(
            self.run_script("""
            class Mine(Exception):
                pass
            def fail(): raise Mine("text", 1)
            with Interpreter() as i:
                try: i.call(fail)
                except Mine as error: print(error.args, "in fail" in str(error.__cause__))
            """),
            ["('text', 1) True"],
        )

    def test_a_receiver_keeps_its_copy(self):
        self.assertEqual(
            self.run_script("""
            class Counter:
                total = 0
            def count():
                Counter.total += 1
                return Counter.total
            with Interpreter() as i:
                print([i.call(count) for _ in range(3)], Counter.total)
            """),
            ["[1, 2, 3] 0"],
        )

    def test_functions_made_elsewhere(self):
        self.assertEqual(
            self.run_script("""
            with Interpreter() as i, Interpreter() as j:
                i.exec("def there(x): return x + offset\\noffset = 10\\nlimit = 1")
                there = i.call(eval, "there")
                print(there(1), "offset" in globals(), j.call(there, 2))
                print(i.call(lambda f: f is eval("there"), there))
            """),
            ["11 False 12", "True"],
        )


class Local(support.TestCase):
    def setUp(self):
        self.i = self.interpreter()

    def test_closures(self):
        base = 5
        self.assertEqual(self.i.call(lambda x: x + base, 1), 6)

        def recursive(n):
            return n and n + recursive(n - 1)

        self.assertEqual(self.i.call(recursive, 4), 10)
        items = [1]

        def total():
            return sum(items)

        self.assertEqual(self.i.call(total), 1)
        items.append(2)
        self.assertEqual(self.i.call(total), 3)

    def test_cells_that_are_shared(self):
        value = 0

        def bump():
            nonlocal value
            value += 1

        def read():
            return value

        self.assertEqual(self.i.call(lambda a, b: (a(), b()), bump, read), (None, 1))
        self.assertEqual(value, 0)

    def test_identity_is_kept_both_ways(self):
        def function():
            pass

        class Local:
            pass

        self.assertIs(self.i.call(lambda x: x, function), function)
        self.assertIs(self.i.call(lambda x: x, Local), Local)
        first, second = self.i.call(lambda x: [x, x], function)
        self.assertIs(first, second)

    def test_attributes_of_functions(self):
        def function(a, b: int = 2, *, c=3) -> str:
            """Text."""
            return f"{a}{b}{c}"

        function.mark = [1]

        def inspect(f):
            import inspect

            return str(inspect.signature(f)), f.__doc__, f.mark, f.__name__, f("x")

        self.assertEqual(
            self.i.call(inspect, function),
            (str(__import__("inspect").signature(function)), "Text.", [1], "function", "x23"),
        )

    def test_decorated_and_generic_things(self):
        @functools.lru_cache(maxsize=8)
        def cached(x):
            return x + 1

        @functools.wraps(cached)
        def wrapper(x):
            return cached(x) * 2

        self.assertEqual(self.i.call(wrapper, 1), 4)

        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...

        class Circle(Shape):
            def area(self):
                return math.pi

        self.assertEqual(self.i.call(lambda c: c().area(), Circle), math.pi)
        with self.assertRaises(TypeError):
            self.i.call(lambda c: c(), Shape)
        T = typing.TypeVar("T")

        class Box(typing.Generic[T]):
            def __init__(self, item):
                self.item = item

        self.assertEqual(self.i.call(lambda b: b[int](3).item, Box), 3)

    def test_generators_and_coroutines_as_functions(self):
        def generate(n):
            yield from range(n)

        async def answer():
            return 42

        def run(coroutine):
            import asyncio

            return asyncio.run(coroutine())

        self.assertEqual(self.i.call(lambda g: list(g(3)), generate), [0, 1, 2])
        self.assertEqual(self.i.call(run, answer), 42)

    def test_a_refused_global_or_closure_is_named(self):
        handle = (x for x in "a")
        with self.assertRaisesRegex(Exception, r"^function.*: a generator cannot leave"):
            self.i.call(lambda: handle)

    def test_many_lambdas_do_not_pile_up(self):
        from interlock import _registry

        for n in range(600):
            self.i.call(lambda n=n: n)
        kept = self.i.call(lambda: len(__import__("interlock._registry")._registry._entries))
        self.assertLess(kept, 300)
        self.assertLess(len(_registry._entries), 50)


if __name__ == "__main__":
    unittest.main()
