# SPDX-License-Identifier: MIT
"""What a child process of check_packages.py does: one phase of one package.

    python -c 'import package_phases; package_phases.run()' PHASE PACKAGE FILE

FILE gets what came of it: a list of attempts, one for each time that the package was imported. This is a module, and no
script, so that every interpreter can import it.
"""

import importlib
import json
import os
import pathlib
import sys
import tempfile
import threading
import time
import traceback

CYCLES = 20


def attempt(package, repeat=1):
    """Imports the package's smoke test and runs it; a dict, whatever happens."""
    try:
        began = time.perf_counter()
        module = importlib.import_module(f"packages.{package}")
        ms = (time.perf_counter() - began) * 1000
        return {"ms": ms, "results": [repr(module.smoke()) for _ in range(repeat)]}
    except BaseException as error:
        return {"error": type(error).__name__, "traceback": traceback.format_exc()}


def resident():
    """Bytes of memory in use by the process."""
    try:
        return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def main(package):
    return [attempt(package, 2)]


def attempt_together(package, barrier):
    barrier.wait(60)
    return attempt(package, 2)


def two(package):
    import interlock

    barrier = interlock.Barrier(2)
    with interlock.Interpreter() as one, interlock.Interpreter() as other:
        futures = [each.submit(attempt_together, package, barrier) for each in (one, other)]
        return [each.result() for each in futures]


def attempt_and_measure(package):
    import _interlock

    return attempt(package) | {"image_bytes": sum(_interlock.images().values())}


def cycles(package):
    import interlock

    attempts = []
    for _ in range(CYCLES):
        with interlock.Interpreter() as interpreter:
            one = interpreter.call(attempt_and_measure, package)
        attempts.append(one | {"resident": resident()})
        if "error" in one:
            break
    return attempts


def attempt_to_file(package, repeat, path):
    pathlib.Path(path).write_text(json.dumps(attempt(package, repeat)))


def stock_attempt(package, repeat, barrier=None):
    """In a new interpreter of CPython's."""
    import _interpreters

    interpreter = _interpreters.create("isolated")
    with tempfile.NamedTemporaryFile() as file:
        source = f"import package_phases; package_phases.attempt_to_file({package!r}, {repeat}, {file.name!r})"
        if barrier is not None:
            barrier.wait(60)
        failure = _interpreters.exec(interpreter, source)
        _interpreters.destroy(interpreter)
        if failure is not None:
            return {"error": failure.type.__name__, "traceback": failure.errdisplay}
        return json.load(file)


def stock_two(package):
    barrier = threading.Barrier(2)
    attempts = []
    threads = [
        threading.Thread(target=lambda: attempts.append(stock_attempt(package, 2, barrier))) for _ in range(2)
    ]  # fmt: skip
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return attempts


def stock_cycles(package):
    attempts = []
    for _ in range(CYCLES):
        attempts.append(stock_attempt(package, 1))
        if "error" in attempts[-1]:
            break
    return attempts


PHASES = {each.__name__: each for each in (main, two, cycles, stock_two, stock_cycles)}


def run():
    phase, package, file = sys.argv[1:]
    pathlib.Path(file).write_text(json.dumps(PHASES[phase](package)))
