# SPDX-License-Identifier: MIT
"""Packages with extension modules, as pip installs them, in the main interpreter and in others.

    interlock tests/extensions/check_packages.py --stock PYTHON [--json FILE] [--write FILE] [PACKAGE ...]

Each file of packages/ has smoke(), which uses a package and returns plain data. It runs in the main interpreter, in two
interpreters at once, and in twenty that begin and end one after another; and the same in CPython's own interpreters
with their own locks. Everything has a process of its own. Fails if a package does, unless KNOWN says why.
"""

import argparse
import ast
import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile

import package_table

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 600 * float(os.environ.get("INTERLOCK_TEST_SLOWER", "1"))  # seconds for a phase
ALSO = {"psycopg-binary": ["psycopg"]}  # what a package is nothing without
SETTLED = 5  # cycles after which memory should grow no more

KNOWN = {}  # a package that fails, and why


@dataclasses.dataclass
class Outcome:
    """What came of one phase: word is 'ok', or says what went wrong."""

    word: str
    detail: str = ""
    attempts: list = dataclasses.field(default_factory=list)


class Packages:
    """A virtual environment of the command that runs this."""

    def __init__(self, place):
        self.python = place / "bin" / "python"
        if not self.python.exists():
            subprocess.run([sys.executable, "-m", "venv", place], check=True)
        [self.site] = place.glob("lib/*/site-packages")

    def install(self, name):
        """None, or why it is not there."""
        missing = [each for each in (*ALSO.get(name, ()), name) if self.version(each) is None]
        if not missing:
            return None
        command = [self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--only-binary", ":all:"]
        done = subprocess.run([*command, *missing], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            return None
        if "Retrying" in done.stderr:
            sys.exit(f"pip does not reach its index\n{tail(done.stderr, 3)}")
        if "No matching distribution" in done.stderr or "ResolutionImpossible" in done.stderr:
            return "no wheel"
        return tail(done.stderr, 1)

    def version(self, name):
        normal = normalized(name)
        for each in importlib.metadata.distributions(path=[str(self.site)]):
            if normalized(each.name) == normal:
                return each.version
        return None


def normalized(name):
    return re.sub("[-_.]+", "-", name).lower()


def tail(text, lines=60):
    return "\n".join(text.strip().splitlines()[-lines:])


def run_phase(python, phase, name, paths):
    """In a child, which says where it is when it hangs or crashes."""
    with tempfile.TemporaryDirectory(prefix="extensions-") as place:
        file = pathlib.Path(place, "attempts.json")
        child = subprocess.Popen(
            [python, "-B", "-X", "faulthandler", "-c", "import package_phases; package_phases.run()",
             phase, name.replace("-", "_"), file],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}, cwd=place,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        try:
            _, stderr = child.communicate(timeout=LIMIT)
            wrong = wrong_status(child.returncode)
        except subprocess.TimeoutExpired:
            wrong, stderr = "hangs", abort(child)
        attempts = json.loads(file.read_text()) if file.exists() else []
    return outcome(wrong, attempts, stderr)


def abort(child):
    """Ends the child; where it was."""
    child.send_signal(signal.SIGABRT)
    try:
        return child.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:
        child.kill()
        return child.communicate()[1]


def wrong_status(status):
    if status < 0:
        return f"crash {signal.Signals(-status).name}"
    return f"exit status {status}" if status else None


def outcome(wrong, attempts, stderr):
    if wrong is not None:
        return Outcome(f"{wrong} at exit" if attempts else wrong, tail(stderr), attempts)
    if not attempts:
        return Outcome("no result", tail(stderr))
    for each in attempts:
        if "error" in each:
            return Outcome(each["error"], tail(each["traceback"]), attempts)
    return Outcome("ok", tail(stderr), attempts)


def compared(found, expected):
    """found, unless its results are others than those of the main interpreter."""
    if found.word == "ok" and expected.word == "ok":
        right = expected.attempts[0]["results"][0]
        for each in found.attempts:
            for result in each["results"]:
                if result != right and ast.literal_eval(result) != ast.literal_eval(right):
                    return Outcome("differs", f"{result}\nis not\n{right}", found.attempts)
    return found


def plain(found):
    """found, unless what the smoke test returns cannot be compared."""
    if found.word == "ok":
        try:
            ast.literal_eval(found.attempts[0]["results"][0])
        except (ValueError, SyntaxError) as error:
            return Outcome("not plain", str(error))
    return compared(found, found)  # twice the same


def check(packages, stock, name):
    """All phases: a row of the table."""
    row = {"name": name, "version": packages.version(name)}
    found = {"main": plain(run_phase(packages.python, "main", name, [HERE]))}
    for phase in ("two", "cycles"):
        found[phase] = compared(run_phase(packages.python, phase, name, [HERE]), found["main"])
    for phase in ("stock_two", "stock_cycles") if stock else ():
        found[phase] = compared(run_phase(stock, phase, name, [HERE, packages.site]), found["main"])
    row["details"] = {phase: each.detail for phase, each in found.items() if each.detail}
    row |= {phase: each.word for phase, each in found.items()}
    return row | costs(found["main"].attempts, found["cycles"].attempts)


def costs(main, cycles):
    """Milliseconds of the first import in the main interpreter, in another, and in later ones; bytes."""
    done = [each for each in cycles if "ms" in each]
    result = {"main_ms": main[0].get("ms") if main else None}
    if done:
        result["first_ms"] = done[0]["ms"]
        result["image_bytes"] = done[0]["image_bytes"]
    if len(done) > SETTLED:
        result["later_ms"] = statistics.median(each["ms"] for each in done[1:])
        grown = done[-1]["resident"] - done[SETTLED - 1]["resident"]
        result["growth"] = grown / (len(done) - SETTLED)
    return result


def failures(rows):
    """Prints what went wrong; the names of what should not have."""
    for row in rows:
        phases = package_table.failed_phases(row)
        if not phases:
            if row["name"] in KNOWN:
                print(f"\n{row['name']} is known to fail, but does not")
            continue
        print(f"\n{row['name']} {row['version']}: {KNOWN.get(row['name'], 'fails')}")
        for phase in phases:
            print(f"{package_table.PHASES[phase]}: {row[phase]}\n{row['details'].get(phase, '')}")
    return [row["name"] for row in rows if row["name"] not in KNOWN and package_table.failed_phases(row)]


def options():
    parser = argparse.ArgumentParser(description="Checks packages with extension modules in interpreters.")
    parser.add_argument("--venv", type=pathlib.Path, default="packages-for-tests", help="where they are installed")
    parser.add_argument("--stock", help="the python3 to compare with")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all results")
    parser.add_argument(
        "--write", type=pathlib.Path, metavar="FILE", help="a page to write the table into, between its markers"
    )
    parser.add_argument("packages", nargs="*", help="names; all, if none is given")
    return parser.parse_args()


def all_names():
    return sorted(each.stem.replace("_", "-") for each in (HERE / "packages").glob("[a-z]*.py"))


def run(given, packages):
    """The rows, printed as they come; the packages that are not there; bytes for each interpreter without any."""
    names = [normalized(each) for each in given.packages] or all_names()
    if unknown := sorted({*names}.difference(all_names())):
        sys.exit(f"no smoke test of {' '.join(unknown)}")
    absent = {name: why for name in names if (why := packages.install(name)) is not None}
    for name, why in absent.items():
        print(f"{name} is skipped: {why}")
    nothing = costs([], run_phase(packages.python, "cycles", "_nothing", [HERE]).attempts).get("growth")
    print(f"growth without any package: {package_table.number(nothing, 1e3)} kB")
    print(package_table.line(package_table.HEADINGS), flush=True)
    rows = []
    for name in names:
        if name not in absent:
            rows.append(check(packages, given.stock, name))
            print(package_table.line(package_table.cells(rows[-1])), flush=True)
    return rows, absent, nothing


def main():
    given = options()
    packages = Packages(given.venv.absolute())
    os.environ["MPLCONFIGDIR"] = str(given.venv.absolute())  # where Matplotlib keeps its list of fonts
    rows, absent, nothing = run(given, packages)
    if given.json:
        given.json.write_text(json.dumps({"packages": rows, "skipped": absent, "growth": nothing}, indent=1))
    if given.write:
        package_table.write_into(given.write, package_table.markdown(rows, absent, nothing, KNOWN))
    if not rows:
        sys.exit("nothing was checked")
    if unexpected := failures(rows):
        sys.exit(f"\nfailed: {' '.join(unexpected)}")


if __name__ == "__main__":
    main()
