# SPDX-License-Identifier: MIT
"""NumPy's own tests, numpy.test(), in the main interpreter and in another: the outcomes are to be the same.

    interlock tests/extensions/check_numpy.py [--venv DIRECTORY] [PATTERN]

PATTERN is pytest's -k. Installs NumPy and what its tests need as check_packages.py does. Takes 20 minutes.
"""

import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import check_packages

NEEDED = ("numpy", "pytest", "hypothesis", "meson", "ninja")
PROGRAM = """
import sys

def run(file, pattern):
    import numpy
    chosen = ["-k", pattern] if pattern else []
    numpy.test(extra_argv=["-p", "no:cacheprovider", f"--junitxml={file}", *chosen])

_, where, *arguments = sys.argv
if where == "main":
    run(*arguments)
else:
    import interlock
    with interlock.Interpreter() as i:
        i.call(run, *arguments)
print("closed")
"""
KNOWN = {
    "test_xerbla_override": "it forks, which an interpreter with its own lock cannot (CPython)",
    "test_tracemalloc": "tracemalloc traces the main interpreter alone",
}


def outcomes(packages, where, pattern):
    """{test: "passed", "skipped", "failure" or "error"}, by their full names."""
    with tempfile.TemporaryDirectory(prefix="numpy-") as place:
        file = pathlib.Path(place, "results.xml")
        path = f"{packages.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [packages.python, "-c", PROGRAM, where, file, pattern]
        done = subprocess.run(command, cwd=place, env=os.environ | {"PATH": path}, stdout=subprocess.PIPE, text=True)
        print(done.stdout)
        if done.returncode != 0 or not done.stdout.endswith("closed\n"):
            sys.exit(f"the interpreter does not end as it should: {where}, status {done.returncode}")
        if not file.exists():
            sys.exit(f"numpy.test() has no results: {where}")
        cases = xml.etree.ElementTree.parse(file).getroot().iter("testcase")
        return {(each.get("classname"), each.get("name")): outcome(each) for each in cases}


def outcome(case):
    tags = {each.tag for each in case}
    return next((each for each in ("error", "failure", "skipped") if each in tags), "passed")


def main():
    parser = argparse.ArgumentParser(description="Runs NumPy's tests in the main interpreter and in another.")
    parser.add_argument("--venv", type=pathlib.Path, default="packages-for-tests", help="where NumPy is installed")
    parser.add_argument("pattern", nargs="?", default="", help="of tests, as pytest -k has it")
    given = parser.parse_args()
    packages = check_packages.Packages(given.venv.absolute())
    for name in NEEDED:
        if why := packages.install(name):
            sys.exit(f"{name} cannot be installed: {why}")
    found = {where: outcomes(packages, where, given.pattern) for where in ("main", "another")}
    for where, each in found.items():
        print(f"{where}: {dict(collections.Counter(each.values()))}")
    unexpected = 0
    for test in sorted(set().union(*found.values())):
        here, there = (each.get(test, "absent") for each in found.values())
        if here != there:
            print(f"{'.'.join(test)}: {here} in the main interpreter, {there} in another: {KNOWN.get(test[1], 'why?')}")
            unexpected += test[1] not in KNOWN
    if not found["main"] or unexpected:
        sys.exit(f"{unexpected} of {len(found['main'])} tests have another outcome in another interpreter")


if __name__ == "__main__":
    main()
