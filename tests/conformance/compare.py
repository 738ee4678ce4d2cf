# SPDX-License-Identifier: MIT
"""CPython's own tests, under the same CPython's python3 and under interlock.

    python3.X tests/conformance/compare.py PYTHON INTERLOCK [TEST ...]

Every test that passes under PYTHON must pass under INTERLOCK, or stand in exceptions.txt with a reason.
An exception that passes is an error, too. Ends with 'N passed, N failed'.
"""

import fnmatch
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

TESTS = [
    "test_cmd_line",
    "test_cmd_line_script",
    "test_runpy",
    "test_site",
    "test_venv",
    "test_threading",
    "test_concurrent_futures",
    "test_asyncio",
    "test_gc",
    "test_capi",
]


def results_of(command, test):
    """The outcome of every test method: 'passed', 'failed' or 'skipped'."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.xml"
        # -j1: each module in a process of its own, as a crash must not hide the rest.
        done = subprocess.run(
            [command, "-m", "test", "-j1", "--timeout", "600", "--junit-xml", report, test],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if not report.exists():
            sys.exit(f"{command} -m test {test} gave no report:\n{done.stdout[-3000:]}")
        cases = ElementTree.parse(report).iter("testcase")
        return {case.get("name"): outcome(case) for case in cases}, done.stdout


def outcome(case):
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def read_exceptions():
    """Pattern -> reason."""
    lines = pathlib.Path(__file__).with_name("exceptions.txt").read_text().splitlines()
    pairs = [line.split(None, 1) for line in lines if line and not line.startswith("#")]
    return dict(pairs)


def main():
    python, interlock, *tests = sys.argv[1:]
    exceptions = read_exceptions()
    passed = failed = 0
    for test in tests or TESTS:
        wanted, _ = results_of(python, test)
        given, output = results_of(interlock, test)
        broken = 0
        for name, result in sorted(wanted.items()):
            if result != "passed":
                continue
            reason = next((r for pattern, r in exceptions.items() if fnmatch.fnmatch(name, pattern)), None)
            if given.get(name) == "passed":
                passed += 1
            elif reason is not None:
                print(f"{test}: {name}: {given.get(name, 'missing')}, as expected: {reason}")
            else:
                broken += 1
                print(f"{test}: {name}: {given.get(name, 'missing')} under {interlock}")
        if broken:
            print(output[-6000:])
        failed += broken
        print(f"{test}: {len(wanted)} tests, {broken} broken", flush=True)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
