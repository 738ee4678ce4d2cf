# SPDX-License-Identifier: MIT
"""The part of interlock.doctor that may crash: tries one extension module, in a process of its own.

    interlock -m interlock._examine MODULE STEP ...

Writes a line of JSON for each step when it begins, and when it has ended.
"""

import importlib
import json
import os
import sys

import _interlock

from . import Barrier, Interpreter

# "main" comes last, since what it imports is loaded for good.
STEPS = ("first", "second", "parallel", "again", "main")
_LIMIT = 60  # seconds that interpreters wait for each other


def _import(module, barrier=None):
    """In an interpreter: how the module was loaded."""
    if barrier is not None:
        barrier.wait(_LIMIT)
    file = os.path.realpath(importlib.import_module(module).__spec__.origin)
    return "private" if file in _interlock.images() else "shared"


def _first(module, living):
    living.append(Interpreter())
    return living[-1].call(_import, module)


def _parallel(module, living):
    both = [Interpreter(), Interpreter()]
    living.extend(both)
    barrier = Barrier(len(both))
    futures = [each.submit(_import, module, barrier) for each in both]
    return [each.result() for each in futures][0]


def _again(module, living):
    while living:
        living.pop().close()
    return _first(module, living)


def _main(module, living):
    while living:
        living.pop().close()
    importlib.import_module(module)


_FUNCTIONS = {"first": _first, "second": _first, "parallel": _parallel, "again": _again, "main": _main}


def _write(**line):
    print("\n" + json.dumps(line), file=sys.__stdout__, flush=True)  # after whatever the module has written


def examine(module, steps):
    """Until one fails."""
    living = []  # interpreters
    for step in steps:
        _write(step=step)
        try:
            loads = _FUNCTIONS[step](module, living)
        except BaseException as error:
            return _write(step=step, error=f"{type(error).__name__}: {error}")
        _write(step=step, done=True, **({} if loads is None else {"loads": loads}))


if __name__ == "__main__":
    examine(sys.argv[1], sys.argv[2:])
