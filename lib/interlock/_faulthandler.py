# SPDX-License-Identifier: MIT
"""What `import faulthandler` gives in interpreters but the main one.

CPython's module keeps objects of the interpreter that uses it for the whole process, and refuses all but the
main one. Fatal errors are the process's: enable() it there, and the threads of all interpreters are shown.
"""

import sys
import traceback
from threading import get_ident


def dump_traceback(file=None, all_threads=True):
    """Write the traceback of this thread. Not of others: CPython finds those of all interpreters, whose frames they are."""
    out = sys.stderr if file is None else file
    if isinstance(out, int):
        with open(out, "w", closefd=False) as stream:
            return dump_traceback(stream)
    out.write(f"Current thread {get_ident():#018x} (most recent call last):\n")
    traceback.print_stack(sys._getframe(1), file=out)
    out.flush()


def enable(file=None, all_threads=True, c_stack=True):
    """Nothing: call it in the main interpreter."""


def disable():
    """Nothing, as enable(): False."""
    return False


def is_enabled():
    return False


def register(signum, file=None, all_threads=True, chain=False):
    raise RuntimeError("signals belong to the main interpreter: register() there")


def unregister(signum):
    return False


def dump_traceback_later(timeout, repeat=False, file=None, exit=False):
    raise RuntimeError("its thread belongs to the main interpreter: call dump_traceback_later() there")


def cancel_dump_traceback_later():
    """Nothing: there is none."""
