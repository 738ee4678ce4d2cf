# SPDX-License-Identifier: MIT
"""Interpreter(extensions=...): how it loads extension modules."""

import sys
import unittest

import fixtures
import interlock
import support


def setUpModule():
    place = fixtures.temporary_directory()
    fixtures.compile_counting(place, "multi", 3)
    fixtures.compile_counting(place, "own", 4)
    fixtures.compile_counting(place, "package.inside", 3)
    fixtures.compile_counting(place, "package.other", 3)
    (place / "package" / "python.py").write_text(
        "import sys\nnumber = 7\nthings = [1, 2]\ndef double(x): return 2 * x\n"
    )
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


def count(module, function="count", *args):
    import importlib

    return getattr(importlib.import_module(module), function)(*args)


class StandIns(support.TestCase):
    def test_faulthandler(self):
        def use():
            import faulthandler
            import io
            import sys

            faulthandler.enable()
            out = io.StringIO()
            faulthandler.dump_traceback(out)
            return faulthandler.is_enabled(), "in use" in out.getvalue(), sys.modules["faulthandler"].__name__

        self.assertEqual(support.TestCase.interpreter(self).call(use), (False, True, "faulthandler"))

    def test_tracemalloc(self):
        def use():
            import tracemalloc

            assert not tracemalloc.is_tracing() and tracemalloc.get_traced_memory() == (0, 0)
            assert tracemalloc.get_object_traceback(tracemalloc) is None
            tracemalloc.stop()
            tracemalloc.start()

        with self.assertRaisesRegex(RuntimeError, "call tracemalloc.start.. there"):
            support.TestCase.interpreter(self).call(use)

    def test_every_module_of_the_program_can_be_imported(self):
        def import_all():
            import importlib
            import sys

            for name in sys.builtin_module_names:
                importlib.import_module(name)
            return sys.modules["_suggestions"]._generate_suggestions(["fist", "second"], "first")

        self.assertEqual(support.TestCase.interpreter(self).call(import_all), "fist")


class Policies(support.TestCase):
    def interpreter(self, extensions):
        created = interlock.Interpreter(extensions=extensions)
        self.addCleanup(created.close)
        return created

    def test_private_is_the_default(self):
        for extensions in (None, "private", {}, {"*": "private"}, {"another": "refuse"}):
            with self.subTest(extensions=extensions):
                i = self.interpreter(extensions)
                self.assertEqual(i.call(count, "multi"), 1)
                self.assertEqual(i.call(count, "own", "address"), count("own", "address"))

    def test_shared_is_what_cpython_does(self):
        for extensions in ("shared", {"multi": "shared"}):
            with self.subTest(extensions=extensions):
                i = self.interpreter(extensions)
                with self.assertRaisesRegex(ImportError, "module multi does not support loading in subinterpreters"):
                    i.call(count, "multi")
                self.assertEqual(i.call(count, "own", "address"), count("own", "address"))

    def test_refuse(self):
        i = self.interpreter({"multi": "refuse", "package": "refuse", "package.other": "private"})
        for module in ("multi", "package.inside"):
            with self.assertRaisesRegex(ImportError, f"extension module {module} is refused by the policy") as caught:
                i.call(count, module)
            self.assertEqual(caught.exception.name, module)
            self.assertIn(module.rpartition(".")[2], caught.exception.path)
        self.assertEqual(i.call(count, "package.other"), 1)

    def test_home(self):
        i = self.interpreter({"multi": "home"})
        before = count("multi")
        self.assertEqual(i.call(count, "multi"), before + 1)
        self.assertEqual(count("multi"), before + 2)

    def test_a_home_package(self):
        def list_star():
            names = {}
            exec("from package.python import *", names)
            return sorted({"double", "number", "things"} & names.keys())

        def use():
            import package.python
            from package import inside, other

            return (
                package.python.number,
                package.python.double(4),
                list(package.python.things),
                repr(inside),
                other.count(),
                "double" in dir(package.python) and list_star(),
                hasattr(package.python, "nothing"),
                package.python.__doc__,
            )

        count("package.other")
        other = count("package.other", "address")
        i = self.interpreter({"package": "home", "package.other": "private"})
        found = i.call(use)
        self.assertEqual(found[:3], (7, 8, [1, 2]))
        self.assertEqual(found[3], "<module 'package.inside' of the main interpreter>")
        self.assertEqual(found[4:], (1, ["double", "number", "things"], False, None))
        self.assertNotEqual(i.call(count, "package.other", "address"), other)
        with self.assertRaisesRegex(ModuleNotFoundError, "package.missing"):
            i.call(count, "package.missing")

    def test_an_interpreter_passes_its_policies_on(self):
        def nested(extensions):
            import interlock

            with interlock.Interpreter(extensions=extensions) as i:
                try:
                    return i.call(count, "multi")
                except ImportError:
                    return None

        self.assertIsNone(self.interpreter("refuse").call(nested, None))
        self.assertEqual(self.interpreter("refuse").call(nested, "private"), 1)
        before = count("multi")
        self.assertEqual(self.interpreter({"multi": "home"}).call(nested, None), before + 1)
        self.assertEqual(self.interpreter({"multi": "home"}).call(nested, {"multi": "home"}), before + 2)

    def test_a_pool(self):
        with interlock.Pool(1, extensions="refuse") as pool, self.assertRaisesRegex(ImportError, "refused"):
            pool.submit(count, "multi").result(support.LIMIT)

    def test_errors(self):
        for extensions, kind, text in (
            (1, TypeError, "extensions must be a str, a dict or None, not int"),
            ("other", ValueError, "'other' is no policy: private, shared, home, refuse"),
            ({"multi": "other"}, ValueError, "'other' is no policy"),
            ({"multi": None}, TypeError, "'multi': None"),
            ({1: "home"}, TypeError, "1: 'home'"),
            ("home", ValueError, "'home' needs the names of modules"),
        ):
            with self.subTest(extensions=extensions):
                with self.assertRaisesRegex(kind, text):
                    interlock.Interpreter(extensions=extensions)
                with self.assertRaisesRegex(kind, text):
                    interlock.Pool(extensions=extensions)


if __name__ == "__main__":
    support.main()
