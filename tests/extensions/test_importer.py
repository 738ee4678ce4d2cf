# SPDX-License-Identifier: MIT
"""Extension modules in interpreters: their static data are their own, and the import system is as ever."""

import pathlib
import sys
import tempfile
import unittest

import fixtures
import interlock
import support

CAN_BE_EXPORTED = sys.version_info >= (3, 15)


def setUpModule():
    global place
    place = fixtures.temporary_directory()
    single, with_state, multi, own, exported, exported_own = range(1, 7)
    fixtures.compile_counting(place, "multi", multi)
    fixtures.compile_counting(place, "own", own)
    fixtures.compile_counting(place, "outer", multi, "-DMAKES_INNER")
    fixtures.compile_counting(place, "both", multi, "-DOTHER_NAME=both_too")
    (place / f"both_too{fixtures.SUFFIX}").symlink_to(place / f"both{fixtures.SUFFIX}")
    fixtures.compile_counting(place, "own_with_table", own, '-DTABLE="_ARRAY_API"')
    fixtures.compile_counting(place, "single", single)
    fixtures.compile_counting(place, "package.inside", single)
    fixtures.compile_counting(place, "package.adds", single, "-DADDS_ITSELF")
    fixtures.compile_counting(place, "with_state", with_state)
    if CAN_BE_EXPORTED:
        fixtures.compile_counting(place, "exported", exported)
        fixtures.compile_counting(place, "exported_own", exported_own)
    fixtures.compile_shared("preferring.c", place / f"preferring{fixtures.SUFFIX}")
    if not fixtures.IS_MUSL:  # which knows no STT_GNU_IFUNC
        fixtures.compile_shared("resolving.c", place / f"resolving{fixtures.SUFFIX}")
    plain, python = place / "libplain.so", place / "libpython_user.so"
    fixtures.compile_shared("counting_library.c", plain, "-Wl,-soname,libplain.so")
    fixtures.compile_shared("counting_library.c", python, "-DUSES_PYTHON", "-Wl,-soname,libpython_user.so")
    fixtures.compile_shared("counting_library.c", place / "libnameless.so")
    nameless = (f"-L{place}", "-lnameless", "-Wl,-rpath,$ORIGIN")
    fixtures.compile_counting(place, "needs_nameless", multi, "-DCOUNTING_LIBRARY", *nameless)
    inner, chained = place / "libinner.so", place / "libchained.so"
    fixtures.compile_shared("counting_library.c", inner, "-Dlibrary_count=inner_count", "-Wl,-soname,libinner.so")
    fixtures.compile_shared(
        "counting_library.c", chained, "-Wl,-soname,libchained.so", "-Wl,--no-as-needed", f"-L{place}", "-linner"
    )
    inherited = ("-Wl,--disable-new-dtags", "-Wl,-rpath,$ORIGIN", f"-Wl,-rpath-link,{place}")
    fixtures.compile_counting(place, "needs_chained", multi, "-DCOUNTING_LIBRARY", chained, *inherited)
    for name, library in (("needs_plain", plain), ("needs_python", python), ("needs_python_too", python)):
        fixtures.compile_counting(place, name, multi, "-DCOUNTING_LIBRARY", library, "-Wl,-rpath,$ORIGIN")
    sys.path.insert(0, str(place))
    unittest.addModuleCleanup(sys.path.remove, str(place))


def call_in_module(module, function, *args):
    import importlib

    return getattr(importlib.import_module(module), function)(*args)


def import_again(module):
    import importlib
    import sys

    first = importlib.import_module(module)
    first.count()
    first.attribute = 1
    del sys.modules[module]
    second = importlib.import_module(module)
    return (
        first is second,
        hasattr(second, "attribute"),
        second.count(),
        second.initialisations(),
        second.found() is second,
    )


class Importer(support.TestCase):
    def count(self, interpreter, module, function="count"):
        return interpreter.call(call_in_module, module, function)

    def test_static_data_are_an_interpreters_own(self):
        modules = ["multi", "single", "with_state", "package.inside", "package.adds"]
        if CAN_BE_EXPORTED:
            modules.append("exported")
        if not fixtures.IS_MUSL:
            modules.append("resolving")
        for module in modules:
            with self.subTest(module=module):
                one, other = self.interpreter(), self.interpreter()
                self.assertEqual([self.count(one, module) for _ in range(3)], [1, 2, 3])
                self.assertEqual([self.count(other, module) for _ in range(2)], [1, 2])
                self.assertEqual(self.count(one, module), 4)

    def test_a_module_may_make_another_one(self):
        def inner_name():
            import outer

            return outer.inner.__name__, outer.count()

        self.assertEqual(self.interpreter().call(inner_name), ("outer", 1))

    def test_the_main_interpreter_has_the_original(self):
        before = call_in_module("multi", "count")
        self.assertEqual(self.count(self.interpreter(), "multi"), 1)
        self.assertEqual(call_in_module("multi", "count"), before + 1)

    def test_what_supports_interpreters_is_loaded_as_ever(self):
        for module in ["own", "exported_own"] if CAN_BE_EXPORTED else ["own"]:
            with self.subTest(module=module):
                address = call_in_module(module, "address")
                for _ in range(2):
                    self.assertEqual(self.count(self.interpreter(), module, "address"), address)

    def test_one_file_may_hold_modules_of_both_kinds(self):
        def use_both():
            import both
            import both_too

            return both.count(), both_too.count(), both.count()

        for _ in range(3):
            with interlock.Interpreter() as i:
                self.assertEqual(i.call(use_both)[0::2], (1, 2))

    def test_what_keeps_a_table_of_an_image_is_an_image(self):
        """As modules of SciPy, which say that they support interpreters, keep NumPy's table of functions."""
        one, other = self.interpreter(), self.interpreter()
        self.assertEqual([self.count(each, "own_with_table") for each in (one, other, one)], [1, 1, 2])

    def test_the_name_of_the_table_is_found_wherever_it_is(self):
        """Files are searched in parts."""
        original = (place / f"own{fixtures.SUFFIX}").read_bytes()
        names = [f"part{n}.own" for n in range(len("_ARRAY_API") + 1)]
        for n in range(len(names)):
            package = place / f"part{n}"
            package.mkdir()
            (package / "__init__.py").touch()
            size = (len(original) // 65536 + 2) * 65536 - n
            (package / f"own{fixtures.SUFFIX}").write_bytes(original.ljust(size) + b"_ARRAY_API")
        one, other = self.interpreter(), self.interpreter()
        for name in [*names, "own"]:
            with self.subTest(name):
                counts = [self.count(each, name) for each in (one, other)]
                self.assertEqual(counts, [1, 2] if name == "own" else [1, 1])

    def test_what_it_defines_comes_before_what_the_program_has(self):
        self.assertEqual(self.interpreter().call(call_in_module, "preferring", "use", 0), (1001, 1002, 1000))

    def test_modules_of_the_standard_library_are_loaded_as_ever(self):
        def images():
            import _ctypes, _decimal, _json, _interlock  # noqa: E401, F401, I001

            return _interlock.images()

        self.assertEqual(self.interpreter().call(images), {})

    def test_an_image_is_new_to_each_interpreter(self):
        modules = ["multi", "single", "package.inside", "with_state", "needs_python"]
        if not fixtures.IS_MUSL:
            modules.append("resolving")
        for _ in range(30):
            with interlock.Interpreter() as i:
                for module in modules:
                    self.assertEqual((module, self.count(i, module)), (module, 1))
                    self.assertEqual((module, self.count(i, module)), (module, 2))

    def test_images_are_used_again(self):
        addresses = set()
        for _ in range(20):
            with interlock.Interpreter() as i:
                addresses.add(self.count(i, "multi", "address"))
        # As many as interpreters had one at the same time; those of other tests may have ended late.
        self.assertLess(len(addresses), 5)

    def test_interpreters_import_at_the_same_time(self):
        def import_all(barrier, modules):
            import importlib

            barrier.wait(60)
            return [importlib.import_module(each).count() for each in modules]

        modules = ["multi", "single", "package.inside", "with_state", "needs_python"]
        for _ in range(5):
            interpreters = [self.interpreter() for _ in range(6)]
            barrier = interlock.Barrier(len(interpreters))
            futures = [each.submit(import_all, barrier, modules) for each in interpreters]
            for each in futures:
                self.assertEqual(each.result(support.LIMIT), [1] * len(modules))

    def test_threads_of_an_interpreter_import_at_the_same_time(self):
        def import_in_threads(modules):
            import importlib
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(4) as threads:
                found = list(threads.map(importlib.import_module, modules * 16))
            return sorted(each.count() for each in found if each is found[0])

        self.assertEqual(self.interpreter().call(import_in_threads, ["multi"]), list(range(1, 17)))


class SinglePhase(support.TestCase):
    def test_it_is_initialised_in_the_interpreter_that_imports_it(self):
        def look():
            import sys

            import single

            return (
                single.found() is single,
                sys.modules["single"] is single,
                single.initialisations(),
                isinstance(single.Thing(), single.Thing),
            )

        self.assertEqual(self.interpreter().call(look), (True, True, 1, True))

    def test_names_are_whole(self):
        def names():
            from package import inside

            return inside.__name__, inside.count.__module__, inside.__spec__.name, inside.found() is inside

        self.assertEqual(self.interpreter().call(names), ("package.inside", "package.inside", "package.inside", True))
        self.assertEqual(names(), ("package.inside", "package.inside", "package.inside", True))

    def test_file_and_loader_are_the_originals(self):
        def look(module):
            import importlib

            found = importlib.import_module(module)
            return found.__file__, type(found.__loader__).__name__, found.__spec__.origin

        for module in ("single", "multi", "own"):
            with self.subTest(module=module):
                path = str(place / f"{module}{fixtures.SUFFIX}")
                self.assertEqual(self.interpreter().call(look, module), (path, "ExtensionFileLoader", path))

    def test_importing_again_does_what_cpython_does(self):
        for module in ("single", "with_state", "multi"):
            with self.subTest(module=module):
                out, _ = self.run_program(AGAIN, str(place), module)
                self.assertEqual(repr(self.interpreter().call(import_again, module)), out.strip())

    def test_a_module_that_adds_itself_is_found(self):
        self.assertIs(self.interpreter().call(call_in_module, "package.adds", "initialisations"), 1)


AGAIN = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
first = importlib.import_module(sys.argv[2])
first.count()
first.attribute = 1
del sys.modules[sys.argv[2]]
second = importlib.import_module(sys.argv[2])
print((first is second, hasattr(second, "attribute"), second.count(), second.initialisations(), second.found() is second))
"""


class Libraries(support.TestCase):
    def test_one_that_uses_python_is_an_interpreters_own(self):
        one, other = self.interpreter(), self.interpreter()
        for i in (one, other):
            self.assertEqual(i.call(call_in_module, "needs_python", "count_in_library"), 1)
            self.assertEqual(i.call(call_in_module, "needs_python_too", "count_in_library"), 2)
        self.assertEqual(one.call(call_in_module, "needs_python", "count_in_library"), 3)

    def test_it_stays_with_what_needs_it(self):
        """Images of two modules that need the same library are of one interpreter, in whatever order they come."""
        for first, second in (("needs_python", "needs_python_too"), ("needs_python_too", "needs_python")) * 5:
            with interlock.Interpreter() as one, interlock.Interpreter() as other:
                self.assertEqual(one.call(call_in_module, first, "count_in_library"), 1)
                self.assertEqual(other.call(call_in_module, second, "count_in_library"), 1)
                self.assertEqual(one.call(call_in_module, second, "count_in_library"), 2)
                self.assertEqual(other.call(call_in_module, first, "count_in_library"), 2)

    def test_another_one_is_shared(self):
        one, other = self.interpreter(), self.interpreter()
        for module in ("needs_plain", "needs_nameless", "needs_chained"):
            with self.subTest(module=module):
                before = one.call(call_in_module, module, "count_in_library")
                self.assertEqual(other.call(call_in_module, module, "count_in_library"), before + 1)


class Failures(support.TestCase):
    def failure(self, number, *options):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / f"failing{fixtures.SUFFIX}"
            fixtures.compile_shared("failing.c", path, f"-DFAILURE={number}", *options)

            def import_it(directory):
                import sys

                sys.path.insert(0, directory)
                import failing  # noqa: F401

            try:
                self.interpreter().call(import_it, directory)
            except Exception as error:
                return error
            self.fail("it was imported")

    def test_each_is_told_as_cpython_tells_it(self):
        for number, kind, text in (
            (1, SystemError, "initialization of failing failed without raising an exception"),
            (2, OverflowError, "as it was told"),
            (3, SystemError, "initialization of failing raised unreported exception"),
            (4, SystemError, "init function of failing returned uninitialized object"),
            (5, SystemError, "initialization of failing did not return an extension module"),
            (6, SystemError, "initialization of failing did not return a valid extension module"),
        ):
            with self.subTest(text):
                error = self.failure(number)
                self.assertEqual((type(error), str(error)), (kind, text))

    def test_no_hook(self):
        error = self.failure(2, "-DOTHER_NAME")
        self.assertIs(type(error), ImportError)
        self.assertEqual(str(error), "dynamic module does not define module export function (PyInit_failing)")
        self.assertEqual((error.name, pathlib.Path(error.path).name), ("failing", f"failing{fixtures.SUFFIX}"))

    def test_what_is_no_shared_object(self):
        good = (place / f"multi{fixtures.SUFFIX}").read_bytes()
        for content, text in (
            (b"", "is empty"),
            (b"print()" * 100, "it is no ELF file"),
            (good[:2000], "it is truncated"),
            (good[:18] + b"\xf3\0" + good[20:], "it is for another kind of processor"),
        ):
            with self.subTest(text), tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / f"broken{fixtures.SUFFIX}"
                path.write_bytes(content)

                def import_it(directory):
                    import sys

                    sys.path.insert(0, directory)
                    import broken  # noqa: F401

                with self.assertRaisesRegex(ImportError, text) as caught:
                    self.interpreter().call(import_it, directory)
                self.assertIn(str(path), str(caught.exception))
                self.assertEqual((caught.exception.name, caught.exception.path), ("broken", str(path)))

    @unittest.skipIf(fixtures.IS_MUSL, "musl has none for modules")
    def test_static_thread_local_storage_that_ran_out(self):
        with tempfile.TemporaryDirectory() as directory:
            options = ("-DTHREAD_LOCAL=1000000", "-ftls-model=initial-exec")
            fixtures.compile_counting(pathlib.Path(directory), "greedy", 3, *options)

            def import_it(directory):
                import sys

                sys.path.insert(0, directory)
                import greedy  # noqa: F401

            with self.assertRaisesRegex(ImportError, f"{directory}.*static TLS.*GLIBC_TUNABLES="):
                self.interpreter().call(import_it, directory)

    def test_an_undefined_symbol(self):
        with tempfile.TemporaryDirectory() as directory:
            fixtures.compile_counting(pathlib.Path(directory), "undefined", 3, "-DCOUNTING_LIBRARY")

            def import_it(directory):
                import sys

                sys.path.insert(0, directory)
                import undefined  # noqa: F401

            with self.assertRaisesRegex(
                ImportError, f"{directory}.*(undefined symbol: library_count|library_count: symbol not found)"
            ):
                self.interpreter().call(import_it, directory)


class Hook(support.TestCase):
    def test_a_bad_spec_is_refused(self):
        def create(*args):
            import _imp

            _imp.create_dynamic(*args)

        for args, kind in (((), TypeError), ((1, 2, 3), TypeError), ((1,), AttributeError)):
            with self.subTest(args=args), self.assertRaises(kind):
                self.interpreter().call(create, *args)

    def test_the_audit_event(self):
        def audit(name):
            import importlib
            import sys

            seen = []
            sys.addaudithook(lambda event, args: seen.append(args[:2]) if event == "import" and args[1] else None)
            module = importlib.import_module(name)
            return seen, (name, module.__file__)

        for name in ("multi", "own"):
            with self.subTest(name=name):
                seen, expected = self.interpreter().call(audit, name)
                self.assertIn(expected, seen)

    def test_an_import_waits_for_the_global_lock(self):
        i = self.interpreter()
        with interlock.global_lock:
            future = i.submit(call_in_module, "multi", "count")
            with self.assertRaises(TimeoutError):
                future.result(0.2)
            i.interrupt()
            self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)
            future = i.submit(call_in_module, "multi", "count")
        self.assertEqual(future.result(support.LIMIT), 1)

    def test_main_keeps_cpythons(self):
        import _imp

        self.assertEqual(_imp.create_dynamic.__self__.__name__, "_imp")


if __name__ == "__main__":
    support.main()
