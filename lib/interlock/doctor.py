# SPDX-License-Identifier: MIT
"""Says how each extension module of the environment loads in interpreters, and tries it.

    interlock -m interlock.doctor [--json] [--stdlib] [--jobs N] [--timeout SECONDS] [PACKAGE ...]

Each module is imported by an interpreter, by a second one, by two at the same time, and by one that begins when
all others have ended; at last by the main interpreter. All that in a process of its own: a crash is a row of
the table. Without PACKAGE: all that are installed; a package is named as in `import`, or as in `pip install`.

Exit status: 0 if each module that the main interpreter can import can be imported everywhere, 1 if not, 2 for a
mistake in the command line.
"""

import argparse
import contextlib
import importlib.machinery
import importlib.metadata
import importlib.util
import json
import mmap
import os
import pathlib
import signal
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor

from ._examine import STEPS

_TRIED = STEPS[:-1]  # in interpreters
_GREEN, _RED, _YELLOW, _PLAIN = "\033[32m", "\033[31m", "\033[33m", "\033[0m"


def find_modules(directories):
    """(name, file) of each extension module under the directories, as `import` would find it."""
    found = {}
    for directory in directories:
        root = pathlib.Path(directory)
        for place, inner, files in os.walk(root):
            inner[:] = sorted(each for each in inner if each.isidentifier() and each != "__pycache__")
            package = pathlib.Path(place).relative_to(root).parts
            for file in sorted(files):
                suffix = next((each for each in importlib.machinery.EXTENSION_SUFFIXES if file.endswith(each)), None)
                name = file.removesuffix(suffix) if suffix else ""
                if name and _has_hook(path := os.path.join(place, file), name):
                    found.setdefault(".".join((*package, name)), path)
    return sorted(found.items())


def _has_hook(path, name):
    """Libraries lie beside modules, under such names."""
    if name == "__init__":
        name = pathlib.Path(path).parent.name
    hook = name if name.isascii() else name.encode("punycode").decode()
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return any(content.find(f"{kind}_{hook.replace('-', '_')}\0".encode()) >= 0 for kind in _hooks(name))
    except (OSError, ValueError):  # one that is empty cannot be mapped
        return False


def _hooks(name):
    return ("PyInit", "PyModExport") if name.isascii() else ("PyInitU", "PyModExportU")


def _directories(stdlib):
    """Where modules may lie: of sys.path, but for the standard library, unless it is asked for."""
    dynload = os.path.realpath(os.path.join(sysconfig.get_path("platstdlib"), "lib-dynload"))
    standard = {os.path.realpath(sysconfig.get_path(each)) for each in ("stdlib", "platstdlib")} | {dynload}
    others = [each for each in sys.path if os.path.isdir(each) and os.path.realpath(each) not in standard]
    return [*others, dynload] if stdlib and os.path.isdir(dynload) else others


def _select(modules, packages):
    """Those of the packages; exits if one is none."""
    names = importlib.metadata.packages_distributions()
    chosen = []
    for package in packages:
        normal = _normalised(package)
        tops = [top for top, owners in names.items() if normal in map(_normalised, owners)]
        prefixes = [package, *tops]
        own = [each for each in modules if any(f"{each[0]}.".startswith(f"{prefix}.") for prefix in prefixes)]
        if not own and not tops and not _is_importable(package):
            raise SystemExit(_mistake(f"there is no package {package!r} in this environment"))
        chosen += [each for each in own if each not in chosen]
    return chosen


def _normalised(name):
    return name.lower().replace("_", "-").replace(".", "-")


def _is_importable(package):
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _mistake(text):
    print(f"interlock.doctor: {text}", file=sys.stderr)
    return 2


def examine(module, file, timeout):
    """What happened, as a dict: module, file, loads ("private", "shared" or None), and for each step "ok", None (not
    tried) or what went wrong."""
    report = {"module": module, "file": file, "loads": None} | dict.fromkeys(STEPS)
    _try(report, STEPS, timeout)
    if report["main"] is None:  # one that failed before was the last step of its process
        _try(report, ("main",), timeout)
    return report


def _try(report, steps, timeout):
    options = subprocess._args_from_interpreter_flags()
    command = [sys.executable, *options, "-W", "ignore", "-m", "interlock._examine", report["module"], *steps]
    # Into files: programs that a module has started may keep a pipe open.
    with tempfile.TemporaryFile() as its_out, tempfile.TemporaryFile() as its_err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=its_out, stderr=its_err, start_new_session=True
        )
        try:
            process.wait(timeout)
            hangs = False
        except subprocess.TimeoutExpired:
            hangs = True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for each in (its_out, its_err):
            each.seek(0)
        out, err = its_out.read(), its_err.read()
    end = f"hangs: not done after {timeout:g} seconds" if hangs else _describe_end(process.returncode, err)
    begun = None
    for line in out.splitlines():
        try:
            told = json.loads(line)
            step = told["step"]
        except (ValueError, TypeError, KeyError):
            continue  # what a module prints
        begun = None if "done" in told or "error" in told else step
        if begun is None:
            report[step] = told.get("error", "ok")
        report["loads"] = told.get("loads", report["loads"])
    if begun is not None:
        report[begun] = end or "ends the process"
    elif end is not None:
        report["end"] = end


def _describe_end(status, err):
    if status == 0:
        return None
    if status < 0:
        return f"crash: {signal.Signals(-status).name if -status in set(signal.Signals) else f'signal {-status}'}"
    lines = err.decode(errors="replace").strip().splitlines()
    return f"exit status {status}" + (f": {lines[-1]}" if lines else "")


def verdict(report):
    """ "ok", "fails", or "broken": the main interpreter cannot import it either."""
    if report["main"] not in ("ok", None):
        return "broken"
    return "ok" if all(report[step] == "ok" for step in STEPS) and "end" not in report else "fails"


def _row(report, width, colours):
    def paint(text, colour, size):
        return f"{colour if colours else ''}{text:{size}}{_PLAIN if colours else ''}"

    cells = []
    reasons = []
    for step in _TRIED:
        result = report[step]
        cells.append(
            paint("-", "", 9)
            if result is None
            else paint("ok", _GREEN, 9)
            if result == "ok"
            else paint("FAILS", _RED, 9)
        )
        if result not in ("ok", None):
            reasons.append(f"{step}: {result}")
    if "end" in report:
        reasons.append(f"end of the process: {report['end']}")
    if report["main"] not in ("ok", None):
        reasons = [paint(f"cannot be imported at all: {report['main']}", _YELLOW, 0)]
    row = f"{report['module']:{width}}  {report['loads'] or '-':8} {''.join(cells)}".rstrip()
    return "\n    ".join([row, *reasons])


def _parser():
    parser = argparse.ArgumentParser(
        prog="interlock -m interlock.doctor", description=__doc__.partition("\n\n")[0],
        epilog="Exit status: 0 if each module that can be imported at all can be imported everywhere, 1 if not.",
    )  # fmt: skip
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help="named as in `import` or `pip install`; default: all"
    )
    parser.add_argument("--json", action="store_true", help="write a list of objects instead of a table")
    parser.add_argument("--stdlib", action="store_true", help="also the modules of the standard library")
    parser.add_argument("--jobs", type=_positive(int), metavar="N", help="processes at a time; default: processors")
    parser.add_argument(
        "--timeout", type=_positive(float), default=120.0, metavar="SECONDS", help="for a module; default: 120"
    )
    return parser


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise ValueError(text)
        return value

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def main(arguments=None):
    options = _parser().parse_args(arguments)
    if not options.packages and not sys.flags.safe_path and sys.path[0] == os.getcwd():
        del sys.path[0]  # by -m: it may be anything
    modules = find_modules(_directories(options.stdlib))
    if options.packages:
        modules = _select(modules, options.packages)
    width = max((len(name) for name, _ in modules), default=0)
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    if modules and not options.json:
        print(f"{'module':{width}}  {'loads':8} {''.join(f'{step:9}' for step in _TRIED)}".rstrip())
    reports = []
    with ThreadPoolExecutor(options.jobs or len(os.sched_getaffinity(0))) as threads:
        for report in threads.map(lambda each: examine(*each, options.timeout), modules):
            reports.append(report)
            if not options.json:
                print(_row(report, width, colours), flush=True)
    verdicts = [verdict(each) for each in reports]
    if options.json:
        json.dump([each | {"verdict": is_so} for each, is_so in zip(reports, verdicts)], sys.stdout, indent=2)
        print()
    else:
        print(_summary(reports, verdicts))
    return 1 if "fails" in verdicts else 0


def _summary(reports, verdicts):
    if not reports:
        return "no extension modules"
    count = {each: verdicts.count(each) for each in ("ok", "fails", "broken")}
    loads = [each["loads"] for each in reports]
    text = f"{len(reports)} extension modules: {loads.count('private')} private, {loads.count('shared')} shared"
    if count["broken"]:
        text += f", {count['broken']} cannot be imported at all"
    return f"{text}; {count['fails'] or 'none'} of them fail{'s' if count['fails'] == 1 else ''} in interpreters"


if __name__ == "__main__":
    sys.exit(main())
