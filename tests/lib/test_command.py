# SPDX-License-Identifier: MIT
"""`interlock` is `python3`: the ways of starting it, its options, its exit codes."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import support


class Command(support.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def command(self, *arguments, status=0, **kwargs):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=support.LIMIT, **kwargs
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def test_it_is_its_own_sys_executable_and_cpython(self):
        program = "import sys; print(sys.executable, sys.implementation.name, sys.argv)"
        out = self.command("-c", program, "a")
        self.assertEqual(out.strip(), f"{sys.executable} cpython ['-c', 'a']")

    def test_script_module_stdin_directory_and_zip(self):
        text = "import sys; print('ran', sys.argv[1:])"
        script = self.write("script.py", text)
        self.write("__main__.py", text)
        with zipfile.ZipFile(self.directory / "app.zip", "w") as archive:
            archive.writestr("__main__.py", text)
        for arguments in ((script,), (self.directory,), (self.directory / "app.zip",)):
            self.assertEqual(self.command(*arguments, "x"), "ran ['x']\n")
        self.assertEqual(self.command("-m", "script", "y", cwd=self.directory), "ran ['y']\n")
        self.assertEqual(self.command("-", "z", input=text), "ran ['z']\n")

    def test_functions_of_every_kind_of_main_cross(self):
        text = "import interlock\ndef f(x): return x + K\nK = 1\nwith interlock.Interpreter() as i: print(i.call(f, 1))"
        self.write("__main__.py", text)
        with zipfile.ZipFile(self.directory / "app.zip", "w") as archive:
            archive.writestr("__main__.py", text)
        for arguments in ((self.directory,), (self.directory / "app.zip",), ("-c", text), ("-I", "-S", "-c", text)):
            self.assertEqual(self.command(*arguments), "2\n")
        self.assertEqual(self.command("-", input=text), "2\n")
        self.write("module.py", text)
        self.assertEqual(self.command("-m", "module", cwd=self.directory), "2\n")

    def test_exit_codes(self):
        for program, status in (("", 0), ("import sys; sys.exit(3)", 3), ("raise ValueError", 1), ("1 +", 1)):
            self.command("-c", program, status=status)
        self.command("--no-such-option", status=2)
        self.command(self.directory / "missing.py", status=2)

    def test_options_and_environment(self):
        self.assertEqual(self.command("-V").split()[0], "Python")
        flags = "import sys; print(sys.flags.isolated, sys.flags.utf8_mode, sys.flags.dev_mode, sys._xoptions)"
        self.assertEqual(
            self.command("-I", "-X", "utf8", "-X", "mine=1", "-c", flags), "1 1 False {'utf8': True, 'mine': '1'}\n"
        )
        env = {**os.environ, "PYTHONPATH": str(self.directory)}
        self.write("found.py", "print('found')")
        self.assertEqual(self.command("-c", "import found", env=env), "found\n")

    def test_the_repl(self):
        startup = self.write("startup.py", "answer = 42")
        env = {**os.environ, "PYTHONSTARTUP": str(startup)}
        out = self.command(
            "-i",
            "-q",
            input="print(answer)\nfrom interlock import Interpreter\nprint(Interpreter().call(lambda: answer))\n",
            env=env,
        )
        self.assertEqual(out, "42\n42\n")

    def test_the_runtime_is_not_loaded_before_it_is_used(self):
        out = self.command("-c", "import sys; print([m for m in sys.modules if 'interlock' in m])")
        self.assertEqual(out, "[]\n")

    def test_help_of_the_package(self):
        out = self.command("-c", "import interlock; help(interlock.Pool.map); help(interlock.Channel)")
        self.assertIn("buffersize", out)
        self.assertIn("try_recv", out)
        names = self.command(
            "-c", "import interlock; print(all(getattr(interlock, n).__doc__ for n in interlock.__all__))"
        )
        self.assertEqual(names, "True\n")


if __name__ == "__main__":
    unittest.main()
