# SPDX-License-Identifier: MIT
"""One interpreter: isolated, with its own lock, on its own thread."""

import itertools
import warnings
from threading import get_ident

import _interlock

from . import _exit, _set_up
from ._futures import Collector

_numbers = itertools.count(1)


class Interpreter:
    """An isolated Python interpreter with its own lock; it runs calls in order on its home thread.

    It starts with this interpreter's sys.path, sys.argv and warning filters, but for those of
    categories that other packages define. Use it as a context manager, or close() it. An Interpreter that is sent to
    another interpreter stands for the same one.

    extensions: how it loads extension modules, a policy for all or a dict of module, or "*" for all others, to policy.
    "private", the default: each has a copy of the file with static data of its own, but for those that support
    interpreters with their own locks. "shared": as CPython does, which refuses all but those. "home": the module is in
    the main interpreter, and a stand-in gives proxies. "refuse": not at all; "*" leaves the standard library alone. A
    package's policy holds for all in it.
    """

    def __init__(self, name=None, *, extensions=None):
        if name is None:
            name = f"interlock-{next(_numbers)}"
        elif not isinstance(name, str):
            raise TypeError(f"name must be a str or None, not {type(name).__name__}")
        arguments = (_set_up.settings(extensions),)
        self._take(_interlock.Interpreter.create(name, None, None, None, _set_up.set_up, arguments), owner=True)
        self._handle.wait_ready()

    def _take(self, handle, owner):
        self._handle = handle
        self._owner = owner
        self._collector = Collector(f"{handle.name} results")
        _exit.register(self)

    @classmethod
    def _of(cls, handle):
        self = cls.__new__(cls)
        self._take(handle, owner=False)
        return self

    def __reduce__(self):
        return Interpreter._of, (self._handle,)

    @property
    def id(self):
        """CPython's number of the interpreter; 0 is the main one."""
        return self._handle.id

    @property
    def name(self):
        return self._handle.name

    def call(self, function, /, *args, **kwargs):
        """function(*args, **kwargs) in this interpreter; waits for the result, or its exception."""
        if _set_up.serving and (server := _set_up.serving.get(get_ident())) is not None:
            return server.call_other(self._handle, function, args, kwargs)
        return self._handle.call(function, *args, **kwargs)

    def submit(self, function, /, *args, **kwargs):
        """A concurrent.futures.Future of function(*args, **kwargs), called after what is queued."""
        return self._collector.submit(self._handle.submit, function, args, kwargs)

    def exec(self, code, /):
        """Run source text in `__main__` of this interpreter, where its names stay."""
        if not isinstance(code, (str, bytes)):
            raise TypeError(f"exec() needs source text, not {type(code).__name__}; try call()")
        self._handle.call(_set_up.execute, code)

    def interrupt(self):
        """Raise KeyboardInterrupt in what the interpreter is running now, if anything."""
        self._handle.interrupt()

    def close(self, timeout=None):
        """Finish what is queued, then end the interpreter. Idempotent.

        After timeout seconds what runs is interrupted; if it still does not end, the interpreter is
        abandoned with a RuntimeWarning: its thread may run on, and whatever waits for it fails.
        """
        if not self._close(timeout):
            warnings.warn(
                f"interpreter {self.name!r} did not end within {timeout} seconds of close() and was "
                "abandoned: it is still running",
                RuntimeWarning,
                stacklevel=2,
            )

    def _close(self, timeout):
        """As close(); False instead of the warning."""
        ended = self._handle.close(timeout)
        self._collector.close()
        self._collector.join()
        return ended

    def _set_variable(self, name, value):
        self._handle.call(_set_up.set_variable, name, value)

    def stats(self):
        """A dict: state, tasks run, tasks queued, busy_seconds, sent.

        The last one counts what the interpreter has made messages of, results of calls included, as
        Channel.stats()["tiers"] does; but for an int, None, True, False or frozen object alone.
        """
        return self._handle.stats()

    def _close_at_exit(self, interrupted):
        if interrupted and self._owner:
            self._handle.close(0)
        self._collector.close()
        self._collector.join(_exit.GRACE if interrupted else None)

    def __enter__(self):
        return self

    def __exit__(self, kind, exception, traceback):
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._handle.close(0)
            return
        self.close()

    def __del__(self):
        handle = getattr(self, "_handle", None)
        if handle is None:
            return
        self._collector.close()
        if self._owner and handle.state in ("starting", "running"):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            handle.stop()

    def __eq__(self, other):
        return self._handle == other._handle if isinstance(other, Interpreter) else NotImplemented

    def __hash__(self):
        return hash(self._handle)

    def __repr__(self):
        return f"<interlock.Interpreter {self.name!r}, id {self.id}, {self._handle.state}>"
