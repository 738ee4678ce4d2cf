# SPDX-License-Identifier: MIT
"""What `import tracemalloc` finds below itself in interpreters but the main one.

CPython's module keeps one table for the process, of objects of whichever interpreter asks for memory, and refuses
all but the main one. There it traces what the main interpreter's threads ask for.
"""


def is_tracing():
    """Whether memory of this interpreter is traced: never."""
    return False


def start(nframe=1, /):
    raise RuntimeError("only memory of the main interpreter can be traced: call tracemalloc.start() there")


def stop():
    """Nothing: no memory of this interpreter is traced."""


def clear_traces():
    """Nothing, as stop()."""


def reset_peak():
    """Nothing, as stop()."""


def _get_traces():
    return []


def _get_object_traceback(obj, /):
    return None


def get_traceback_limit():
    return 1


def get_tracemalloc_memory():
    return 0


def get_traced_memory():
    return 0, 0
