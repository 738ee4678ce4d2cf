# SPDX-License-Identifier: MIT
"""A concurrent.futures.Executor whose workers are interpreters."""

import itertools
import threading
import weakref
from concurrent.futures import BrokenExecutor, CancelledError, Executor, _base
from operator import length_hint

import _interlock

from . import _exit, _set_up
from ._futures import Collector

_numbers = itertools.count(1)


class BrokenPool(BrokenExecutor):
    """The initializer failed in a worker: the pool cannot be used any more."""


class Pool(Executor):
    """Runs calls in interpreters of this process, in parallel.

    workers: how many at most; by default as many as there are processors for this process. They start
    when they are needed. spare: so many idle ones are kept ready beyond those that work, to hide
    their start. initializer(*initargs) runs first in each; if it raises, the pool is broken. extensions: as for
    Interpreter.
    """

    def __init__(self, workers=None, *, name=None, initializer=None, initargs=(), spare=0, extensions=None):
        if workers is None:
            workers = _interlock.available_parallelism()
        _check_count("workers", workers, 1, "workers must be greater than 0")
        _check_count("spare", spare, 0, "spare must not be negative")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        self._name = name or f"pool-{next(_numbers)}"
        self._most = workers
        self._spare = spare
        self._set_up_arguments = (_set_up.settings(extensions), initializer, tuple(initargs))
        self._queue = _interlock.TaskQueue()
        self._workers = []
        self._starting = 0  # workers whose set-up has not ended
        self._lock = threading.Lock()
        self._shut_down = False
        self._broken = None
        itself = weakref.ref(self)
        self._collector = Collector(f"{self._name} results", lambda error: _translated(itself, error))
        self._finalizer = weakref.finalize(self, _close_unused, self._queue, self._collector)
        self._finalizer.atexit = False
        _exit.register(self)
        if spare:
            self._start_workers(spare)

    @property
    def workers(self):
        """How many interpreters may work at the same time."""
        return self._most

    def submit(self, fn, /, *args, **kwargs):
        with self._lock:
            self._check_open()
            future = self._collector.submit(self._queue.submit, fn, args, kwargs)
            self._start_workers_locked(self._unfinished() + self._spare)
        return future

    submit.__doc__ = Executor.submit.__doc__

    def map(self, fn, *iterables, timeout=None, chunksize=None, buffersize=None):
        """An iterator of fn(*items) for the items of the iterables, in order.

        timeout: seconds from now after which the iterator raises TimeoutError. chunksize: items that
        a worker takes at a time, by default as many as it does in about 0.2 ms. buffersize: how many
        are taken from the iterables ahead of what the iterator has given, by default all at once.
        """
        if chunksize is not None:
            _check_count("chunksize", chunksize, 1, "chunksize must be >= 1.")
        if buffersize is not None:
            _check_count("buffersize", buffersize, 1, "buffersize must be None or > 0", " or None")
        with self._lock:
            self._check_open()
            # A short source needs few workers; one that does not tell its length gets all.
            shortest = min((length_hint(each, self._most) for each in iterables), default=0)
            self._start_workers_locked(self._unfinished() + shortest + self._spare)
        job = _interlock.MapJob(
            queue=self._queue, function=fn, arguments=zip(*iterables), workers=self._most,
            chunksize=chunksize or 0, buffersize=-1 if buffersize is None else buffersize,
            timeout=timeout, owner=self,
        )  # fmt: skip
        return _results(job, self)

    def shutdown(self, wait=True, *, cancel_futures=False):
        with self._lock:
            self._shut_down = True
            self._queue.close()
        if cancel_futures:
            self._queue.cancel_queued()
        self._collector.close()
        if wait:
            self._join(None)

    shutdown.__doc__ = Executor.shutdown.__doc__

    def stats(self):
        """A list of dicts, one for each worker: state, tasks run, tasks queued, busy_seconds."""
        with self._lock:
            return [worker.stats() for worker in self._workers]

    def __exit__(self, kind, exception, traceback):
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._stop_now()
        else:
            self.shutdown(wait=True)
        return False

    def __reduce__(self):
        raise TypeError("send a Channel, or the function to call, instead")

    def __repr__(self):
        state = "broken" if self._broken else "shut down" if self._shut_down else "open"
        return f"<interlock.Pool {self._name!r}, {self._most} workers, {state}>"

    def _check_open(self):
        if self._broken:
            raise BrokenPool(self._broken)
        if self._shut_down:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def _unfinished(self):
        """How many submitted tasks have not ended."""
        return len(self._collector.completions) - self._starting

    def _start_workers(self, wanted):
        with self._lock:
            self._start_workers_locked(wanted)

    def _start_workers_locked(self, wanted):
        while len(self._workers) < min(wanted, self._most):
            name = f"{self._name}-{len(self._workers) + 1}"
            itself = weakref.ref(self)
            worker = _interlock.Interpreter.create(
                name, self._queue, self._collector.completions,
                lambda task, itself=itself: _set_up_ended(itself, task),
                _set_up.set_up, self._set_up_arguments,
            )  # fmt: skip
            self._workers.append(worker)
            self._starting += 1

    def _break(self, error):
        _base.LOGGER.critical("Exception in initializer:", exc_info=error)
        self._broken = f"the initializer failed in a worker: {error!r}"
        self._queue.close()
        self._queue.cancel_queued()

    def _join(self, timeout):
        for worker in self._workers:
            worker.close(timeout, shared_queue=True)
        self._collector.join()

    def _stop_now(self):
        """Drops what is queued and interrupts what runs."""
        self._shut_down = True
        self._queue.close()
        self._queue.cancel_queued()
        self._collector.close()
        for worker in self._workers:
            worker.stop()
            worker.interrupt()
        self._join(_exit.GRACE)

    def _close_at_exit(self, interrupted):
        if interrupted:
            self._stop_now()
        else:
            self.shutdown(wait=True)


def _check_count(name, value, least, text, alternative=""):
    """The texts are those of the standard library, where it has the same argument."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an integer{alternative}, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{text} (got {value})")


def _close_unused(queue, collector):
    """The pool was dropped without shutdown: what was submitted is still done."""
    queue.close()
    collector.close()


def _set_up_ended(reference, task):
    pool = reference()
    if pool is None:
        return
    with pool._lock:
        pool._starting -= 1
    try:
        task.result()
    except BaseException as error:
        if not pool._shut_down:
            pool._break(error)


def _translated(reference, error):
    """What to raise instead of `error`, or of a cancellation; None if nothing."""
    pool = reference()
    if pool is None or not pool._broken:
        return None
    if error is None or isinstance(error, (CancelledError, _interlock.InterpreterEnded)):
        return BrokenPool(pool._broken)
    return None


def _results(job, pool, ended=(CancelledError, _interlock.InterpreterEnded)):
    # `ended` is bound here: at the end of a program this module may be empty before the generator is.
    try:
        yield from job
    except ended as error:
        raise _translated(weakref.ref(pool), error) or error from error.__cause__
    finally:
        job.close()
