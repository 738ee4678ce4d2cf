# SPDX-License-Identifier: MIT
"""Futures of tasks in other interpreters, and the thread that sets them."""

import threading
from concurrent.futures import Future, _base

import _interlock


class TaskFuture(Future):
    """The future of a task. It is running from when its interpreter has taken it."""

    def __init__(self):
        super().__init__()
        self._task = None

    def cancel(self):
        with self._condition:
            if self._state in (_base.CANCELLED, _base.CANCELLED_AND_NOTIFIED):
                return True
            if self._state == _base.FINISHED or not self._task.cancel():
                return False
        return self._set_cancelled()

    def _set_cancelled(self):
        super().cancel()
        with self._condition:
            if self._state == _base.CANCELLED:
                self.set_running_or_notify_cancel()
        return True

    def running(self):
        with self._condition:
            self._look_at_task()
            return super().running()

    def _look_at_task(self):
        if self._state == _base.PENDING and self._task is not None and self._task.state == "running":
            self._state = _base.RUNNING

    def __repr__(self):
        with self._condition:
            self._look_at_task()
        return super().__repr__()


class Collector:
    """Sets futures when their tasks end, on a thread of its own, started with the first task.

    `translate(exception)` may replace the exception of a task that was cancelled or failed.
    """

    def __init__(self, name, translate=None):
        self._name = name
        self._translate = translate
        self._completions = _interlock.Completions()
        self._closing = False
        self._thread = None
        self._lock = threading.Lock()

    @property
    def completions(self):
        """Where tasks report their end. Starts the thread."""
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                    thread.start()
                    self._thread = thread
        return self._completions

    def submit(self, submit, function, args, kwargs):
        """A future of function(*args, **kwargs), queued by `submit` of a queue or interpreter."""
        future = TaskFuture()
        with future._condition:  # cancel() needs the task
            future._task = submit(self.completions, future, function, args, kwargs)
        return future

    def close(self):
        """Lets the thread end once every task has. Idempotent."""
        self._closing = True
        self._completions.wake()

    def join(self, timeout=None):
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def forget_after_fork(self):
        """In the child: nobody will do what was submitted."""
        self._closing, self._thread = True, None
        for future, _ in self._completions.take_expected():
            if isinstance(future, TaskFuture):
                future._condition = threading.Condition()
                error = _interlock.InterpreterEnded("it was submitted before fork(), to the parent's interpreters")
                future.set_exception(error)

    def _run(self):
        completions = self._completions
        while not (self._closing and not len(completions)):
            for future, task in completions.wait():
                self._finish(future, task)
            future = task = None

    def _finish(self, future, task):
        if not isinstance(future, TaskFuture):
            return future(task)  # a set-up call
        if task.state == "cancelled" and (self._translate is None or not self._translate(None)):
            future._set_cancelled()
            return
        if not future.done() and not future.running():
            future.set_running_or_notify_cancel()
        if future.cancelled():
            return
        try:
            result = task.result()
        except BaseException as error:
            translated = self._translate(error) if self._translate is not None else None
            future.set_exception(translated or error)
        else:
            future.set_result(result)
