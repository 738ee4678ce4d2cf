# SPDX-License-Identifier: MIT
"""Builds the modules that the tests of extension modules import."""

import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile
import unittest

sys.path.insert(1, str(pathlib.Path(__file__).parents[1] / "lib"))  # for support

HERE = pathlib.Path(__file__).parent / "modules"
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
IS_MUSL = "-musl" in SUFFIX


def temporary_directory():
    """For the tests of a module."""
    directory = tempfile.TemporaryDirectory(prefix="extensions-")
    unittest.addModuleCleanup(directory.cleanup)
    return pathlib.Path(directory.name)


def compile_shared(source, target, *options):
    """Compiles a file of modules/ to the shared object target."""
    compiler = os.environ.get("CXX", "c++") if source.endswith(".cpp") else os.environ.get("CC", "cc")
    command = [
        *compiler.split(), "-shared", "-fPIC", "-O1", "-g", "-Wall", f"-I{sysconfig.get_path('include')}",
        HERE / source, "-o", target, *options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command}\n{done.stderr}")


def compile_counting(directory, name, kind, *options):
    """A module of counting.c in directory; name may have a package."""
    place = directory.joinpath(*name.split("."))
    place.parent.mkdir(exist_ok=True)
    if place.parent != directory:
        (place.parent / "__init__.py").touch()
    compile_shared(
        "counting.c", place.with_name(place.name + SUFFIX), f"-DCOUNTING_KIND={kind}", f"-DCOUNTING_NAME={place.name}", *options
    )  # fmt: skip
