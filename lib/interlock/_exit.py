# SPDX-License-Identifier: MIT
"""The end of the process, and of an interpreter that has started others: nothing is left running.

As with the executors of the standard library, work that was accepted is done first; Ctrl-C, before or
meanwhile, ends it.
"""

import atexit
import os
import sys
import threading
import weakref

import _interlock

GRACE = 0.5  # seconds that interrupted work has to end

_fork_holds = []  # an item while a fork of the calling thread holds the global lock
_last = []  # functions to call when no other interpreter is left
_closers = weakref.WeakSet()  # objects with _close_at_exit(interrupted) and _collector


def register(closer):
    _closers.add(closer)


def at_last(function):
    _last.append(function)


def _ends_by_interrupt():
    return isinstance(getattr(sys, "last_exc", None), KeyboardInterrupt) and not hasattr(sys, "ps1")


def _close_pools():
    interrupted = _ends_by_interrupt()
    try:
        for closer in list(_closers):
            closer._close_at_exit(interrupted)
    except KeyboardInterrupt:
        for closer in list(_closers):
            closer._close_at_exit(True)
        raise


def close_all(timeout):
    """For a C program that ends the runtime: every interpreter has timeout seconds for what it does."""
    for closer in list(_closers):
        closer._collector.close()
    _interlock.close_all(timeout, GRACE)
    for function in _last:
        function()


def _close_interpreters():
    drain = 0 if _ends_by_interrupt() else None
    try:
        _interlock.close_all(drain, GRACE)
    except KeyboardInterrupt:
        _interlock.close_all(0, GRACE)
    for function in _last:
        function()


def _before_fork():
    """No interpreter is half made, or half ended, in the child."""
    _fork_holds.append(_interlock.global_lock.acquire())


def _after_fork_in_parent():
    if _fork_holds:
        _fork_holds.pop()
        _interlock.global_lock.release()


def _after_fork_in_child():
    _after_fork_in_parent()
    for closer in list(_closers):
        closer._collector.forget_after_fork()
    _closers.clear()


# Runs before threading waits for its threads, as concurrent.futures has it.
threading._register_atexit(_close_pools)
if _interlock.interpreter_id() == 0:
    atexit.register(_close_interpreters)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
