# SPDX-License-Identifier: MIT
"""What `make install` gives: the command, the library for C and C++, and venvs on top of it."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import support

SOURCE = pathlib.Path(os.environ.get("srcdir", pathlib.Path(__file__).parent / "../..")).resolve()
BUILD = pathlib.Path(sys.executable).resolve().parent


@unittest.skipUnless((BUILD / "Makefile").exists(), "not in a build tree")
class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.root = pathlib.Path(directory.name)
        cls.run_command("make", "-C", BUILD, "install", f"DESTDIR={cls.root}")
        (cls.command,) = cls.root.glob("**/bin/interlock")
        cls.prefix = cls.command.parent.parent
        (pc,) = cls.root.glob("**/interlock.pc")
        cls.environment = {
            **os.environ, "PKG_CONFIG_PATH": str(pc.parent), "PKG_CONFIG_SYSROOT_DIR": str(cls.root),
            "LD_LIBRARY_PATH": str(pc.parent.parent),
        }  # fmt: skip
        cls.environment.pop("PYTHONPATH", None)

    @classmethod
    def run_command(cls, *command, **kwargs):
        done = subprocess.run(command, capture_output=True, text=True, timeout=5 * support.LIMIT, **kwargs)
        if done.returncode != 0:
            raise AssertionError(f"{command} gave {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_every_part_is_there(self):
        for name in ("include/interlock.h", "include/interlock.hpp", "share/man/man1/interlock.1"):
            self.assertTrue((self.prefix / name).exists(), name)

    def test_the_command_finds_its_package_where_it_was_put(self):
        program = "import interlock; print(interlock.__path__[0], interlock.Interpreter().call(abs, -1))"
        out = self.run_command(self.command, "-W", "ignore", "-c", program, env=self.environment)
        self.assertEqual(out.split(), [str(self.prefix / "share/interlock/interlock"), "1"])

    def test_a_venv(self):
        venv = self.root / "venv"
        self.run_command(self.command, "-m", "venv", "--without-pip", venv, env=self.environment)
        (commands,) = [venv / "bin"]
        python = commands / "python"
        program = (
            "import sys, interlock; print(sys.prefix, interlock.Interpreter().call(lambda: __import__('sys').prefix))"
        )
        out = self.run_command(python, "-W", "ignore", "-c", program, env=self.environment)
        self.assertEqual(out.split(), [str(venv)] * 2)

    def compile_and_run(self, compiler, source, *options):
        flags = self.run_command("pkg-config", "--cflags", "--libs", "interlock", env=self.environment).split()
        if "libuv" in source:
            flags += self.run_command("pkg-config", "--cflags", "--libs", "libuv").split()
        sanitize = os.environ.get("INTERLOCK_TEST_CFLAGS", "").split()
        program = self.root / "program"
        self.run_command(
            *compiler.split(), *options, "-Wall", "-Wextra", "-Werror", *sanitize, SOURCE / "examples" / source,
            "-o", program, *flags, "-pthread",
        )  # fmt: skip
        return self.run_command(program, env=self.environment)

    def test_the_c_example(self):
        out = self.compile_and_run(os.environ.get("CC", "cc"), "embed.c", "-std=c99", "-D_POSIX_C_SOURCE=200809L")
        self.assertEqual(out, "sum of the squares up to 1000: 333833500\n")

    def test_the_libuv_example(self):
        out = self.compile_and_run(os.environ.get("CC", "cc"), "embed_libuv.c", "-std=c99", "-D_GNU_SOURCE")
        self.assertEqual(out, "sum of the squares up to 1000: 333833500, and the timer ticked\n")

    def test_the_epoll_example(self):
        out = self.compile_and_run(os.environ.get("CXX", "c++"), "embed_epoll.cpp", "-std=c++20")
        self.assertEqual(out, "6 words, 0 left\n")

    def test_the_cpp_example(self):
        out = self.compile_and_run(os.environ.get("CXX", "c++"), "embed.cpp", "-std=c++20")
        self.assertTrue(out.startswith("9 words\nas expected: "), out)
        self.assertIn("ZeroDivisionError", out)


if __name__ == "__main__":
    unittest.main()
