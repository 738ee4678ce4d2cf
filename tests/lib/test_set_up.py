# SPDX-License-Identifier: MIT
"""What a new interpreter takes over from the one that creates it."""

import importlib
import os
import sys
import tempfile
import threading
import unittest
import warnings
from unittest import mock

import support

LOADED = """
import interlock
with interlock.Interpreter() as i:
    print(i.call(lambda: sorted({"re", "enum", "ast", "typing", "pickle"} & set(__import__("sys").modules))))
"""


class OfMain(Warning):
    pass


CATEGORY = """
import interlock
with interlock.Interpreter() as i:
    i.exec('''import warnings
class Category(Warning): pass
Category.__module__ = None
warnings.simplefilter("ignore", Category)
warnings.simplefilter("ignore", (Category, UserWarning))  # it takes that, too
import interlock
with interlock.Interpreter(): pass''')
"""


class Inherits(support.TestCase):
    def test_path_arguments_and_warning_filters(self):
        sys.path.insert(0, "/nowhere/particular")
        self.addCleanup(sys.path.remove, "/nowhere/particular")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "special .*", RuntimeWarning)
            i = self.interpreter()
        self.assertEqual(i.call(lambda: list(__import__("sys").path)), sys.path)
        self.assertEqual(i.call(lambda: __import__("sys").argv), sys.argv)

        def warn(text):
            import warnings

            warnings.warn(text, RuntimeWarning)

        with self.assertRaises(RuntimeWarning):
            i.call(warn, "special case")
        self.assertEqual(
            [(f[0], f[2]) for f in i.call(lambda: list(__import__("warnings").filters))][1:],
            [(f[0], f[2]) for f in warnings.filters],
        )

    def test_little_is_imported(self):
        out, _ = self.run_program(LOADED)
        self.assertEqual(out, "[]\n")

    def test_filters_of_other_packages_are_theirs_to_set(self):
        """As NumPy does when it is imported, which it refuses in other interpreters."""
        main = sys.modules["__main__"]
        with tempfile.TemporaryDirectory() as directory, mock.patch("sys.path", [directory, *sys.path]):
            with open(os.path.join(directory, "at_home_in_main.py"), "w") as file:
                file.write("import __main__\nassert __main__.is_main\nclass RankWarning(UserWarning): pass\n")
            with mock.patch.object(main, "is_main", True, create=True), warnings.catch_warnings():
                module = importlib.import_module("at_home_in_main")
                self.addCleanup(sys.modules.pop, "at_home_in_main")
                before = warnings.filters[:]
                warnings.simplefilter("always", module.RankWarning)
                warnings.simplefilter("always", OfMain)
                i = self.interpreter()
        names = i.call(lambda: [each[2].__name__ for each in __import__("warnings").filters])
        self.assertEqual(names, ["OfMain", *(each[2].__name__ for each in before)])

    def test_filters_can_be_read_and_set_again(self):
        """As scikit-learn does for its threads."""

        def set_again():
            import warnings

            from interlock import _set_up

            _set_up.ignore_warning("What (now", RuntimeWarning)
            [action, message, category, *_], *_ = warnings.filters
            warnings.resetwarnings()
            warnings.simplefilter("error")
            warnings.filterwarnings(action, message.pattern, category)
            warnings.warn("What (now?)", RuntimeWarning)
            return message.search("what (now)") is None, message.fullmatch("What (now") is not None

        self.assertEqual(self.interpreter().call(set_again), (True, True))

    def test_any_category_can_be_left_in_a_filter(self):
        _, err = self.run_program(CATEGORY)
        self.assertEqual(err, "")

    @unittest.skipUnless(hasattr(os, "register_at_fork"), "no fork here")
    def test_functions_for_forks_are_looked_at_and_not_kept(self):
        def register(**functions):
            import os

            return os.register_at_fork(**functions)

        i = self.interpreter()
        self.assertIsNone(i.call(register, before=len, after_in_child=len, after_in_parent=len))
        for wrong in {}, {"before": 1}, {"after": len}:
            with self.assertRaises(TypeError) as here:
                os.register_at_fork(**wrong)
            with self.assertRaises(TypeError) as there:
                i.call(register, **wrong)
            self.assertEqual(str(there.exception), str(here.exception))

    def test_modules_that_main_can_import(self):
        i = self.interpreter()
        self.assertEqual(i.call(lambda: __import__("support").LIMIT), support.LIMIT)

    def test_the_home_thread_is_the_main_thread_of_the_interpreter(self):
        def look():

            return threading.current_thread() is threading.main_thread()

        self.assertTrue(self.interpreter().call(look))


if __name__ == "__main__":
    support.main()
