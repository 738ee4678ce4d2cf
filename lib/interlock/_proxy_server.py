# SPDX-License-Identifier: MIT
"""The owner's side of proxies: its objects, and who runs the calls that come for them.

In an interpreter that the runtime started, its home thread does, in order with its other work; elsewhere,
as in the main interpreter, a thread of its own. A proxy made in a running event loop is served by that
loop. A home thread that waits for an answer from elsewhere serves meanwhile, so that two interpreters may
call each other.
"""

import asyncio.events
import atexit
import concurrent.futures
import os
import threading
import time
import types
import weakref

import _interlock

from . import _exit, _set_up
from ._operations import OPERATIONS, itself, stand_in

home = None  # the Server of this interpreter's home thread, or of the thread that stands in for one
servers = {}  # number -> Server, of this interpreter
_loops = weakref.WeakKeyDictionary()  # event loop -> _LoopServer
_lock = threading.Lock()


def for_caller():
    """The Server of proxies that the caller makes."""
    try:
        loop = asyncio.events.get_running_loop()
    except RuntimeError:
        return _home()
    if loop not in _loops or _loops[loop].core.ended:
        _loops[loop] = _LoopServer(loop)
    return _loops[loop]


def _home():
    global home
    with _lock:
        if home is None:
            server = Server(None)
            if server.core.has_home:
                _set_up.serving[threading.main_thread().ident] = server
            else:
                _start(server.serve, "interlock proxies")
            home = server
        return home


def _start(function, name):
    """A thread that close() ends; that is called before CPython waits for threads that are no daemons."""
    daemon = threading._daemon_threads_allowed()
    thread = threading.Thread(target=function, name=name, daemon=daemon)
    if not daemon:
        threading._register_atexit(close)
    thread.start()
    return thread


class _Entry:
    """An object that proxies stand for. `until`: when its lease ends, unless it is used before."""

    __slots__ = ("busy", "lease", "object", "until")

    def __init__(self, obj, lease):
        self.object = obj
        self.lease = lease
        self.busy = 0
        self.until = None if lease is None else time.monotonic() + lease


class Server:
    """by: None for the home thread or a thread of ours; else who serves, for errors."""

    def __init__(self, by):
        self.number = _interlock.unique_number()
        self.core = _interlock.ProxyServer(self.number, by)
        self.objects = {}  # key -> _Entry
        servers[self.number] = self

    def proxy(self, obj, lease=None):
        key = _interlock.unique_number()
        self.objects[key] = entry = _Entry(obj, lease)
        try:
            proxy = self.core.proxy(key, _describe(obj))
        except BaseException:
            self.drop(key)
            raise
        if lease is not None:
            _leases.add(self, key, entry)
        return proxy

    def entry(self, key):
        entry = self.objects.get(key)
        if entry is None:
            raise ReferenceError("the object of this proxy was released, or its lease has ended")
        return entry

    def perform(self, what, args, kwargs):
        """An operation on an object. Called by the runtime, and for proxies in their own interpreter."""
        operation, key = what
        if operation == "release":
            return self.drop(key)
        entry = self.entry(key)
        entry.busy += 1
        try:
            result = OPERATIONS[operation](self, entry.object, *args, **(kwargs or {}))
            if type(result) is types.CoroutineType:
                return self.coroutine(result)
            return itself if result is entry.object else result
        finally:
            entry.busy -= 1
            if entry.lease is not None:
                entry.until = time.monotonic() + entry.lease

    def stand_in(self, result):
        """For a result that cannot cross. Called by the runtime."""
        return stand_in(self, result)

    def coroutine(self, coroutine):
        coroutine.close()
        raise TypeError("a coroutine needs an event loop: make the proxy in the loop that is to run it")

    def drop(self, key):
        """No proxy stands for the object any more, or it was released."""
        self.objects.pop(key, None)

    def serve(self):
        _set_up.serving[threading.get_ident()] = self
        self.core.serve(self)
        _set_up.serving.pop(threading.get_ident(), None)

    def wait(self, done, timeout=None):
        """Until the Channel has an item, serving meanwhile."""
        self.core.serve(self, done, timeout)

    def call_other(self, handle, function, args, kwargs):
        """As Interpreter.call(), for a thread that serves."""
        done = _interlock.Channel(1)
        task = handle.submit(done, None, function, args, kwargs)
        try:
            self.wait(done)
        except BaseException:
            if not task.cancel():
                handle.interrupt()
            raise
        return task.result()

    def close(self):
        self.core.end()
        servers.pop(self.number, None)
        self.objects.clear()


class _LoopServer(Server):
    """Served by a task of an event loop, which also runs the coroutines that calls give."""

    def __init__(self, loop):
        super().__init__("the event loop of ")
        self._tasks = set()
        task = loop.create_task(self._serve(), name="interlock proxies")
        task._log_destroy_pending = False  # it lasts as long as the loop
        self._tasks.add(task)

    def coroutine(self, coroutine):
        return coroutine

    async def _serve(self):
        loop = asyncio.events.get_running_loop()
        inbox = self.core.inbox
        try:
            while True:
                due = self.core.run(await inbox.arecv(), self)
                if due is not None:
                    task = loop.create_task(self._finish(*due))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
        finally:
            self.close()

    async def _finish(self, number, coroutine):
        try:
            result = await coroutine
        except asyncio.CancelledError:
            self.core.fail(number, concurrent.futures.CancelledError("its event loop cancelled the call"))
            raise
        except BaseException as error:
            self.core.fail(number, error)
            if not isinstance(error, Exception):
                raise
        else:
            self.core.finish(number, self, result)


class _Leases:
    """A thread, while there are leases, that sleeps until the first of them may end."""

    def __init__(self):
        self._entries = {}  # key -> (Server, _Entry)
        self._bell = _interlock.Channel(1, policy="drop_newest")
        self._thread = None

    def add(self, server, key, entry):
        with _lock:
            self._entries[key] = server, entry
            if self._thread is None:
                self._thread = _start(self._run, "interlock leases")
        self._bell.send(None)

    def _run(self):
        while (wait := self._end_some()) is not None:
            try:
                self._bell.recv(wait)
            except TimeoutError:
                pass
            except _interlock.ChannelClosed:
                return

    def _end_some(self):
        """Seconds until the next lease ends; None, and the thread ends, if there are none."""
        now = time.monotonic()
        with _lock:
            for key, (server, entry) in list(self._entries.items()):
                if server.objects.get(key) is not entry:
                    del self._entries[key]
                elif entry.until <= now and not entry.busy:
                    del self._entries[key]
                    _ended.append((server, key))
            waits = [max(entry.until - now, entry.lease if entry.busy else 0) for _, entry in self._entries.values()]
            if not waits and not _ended:
                self._thread = None
                return None
        while _ended:  # what the objects' ends run may come back here
            server, key = _ended.pop()
            server.drop(key)
        return min(waits, default=0)

    def close(self):
        self._bell.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()


_ended = []  # (Server, key)
_leases = _Leases()


def close():
    """The interpreter ends. May be called again, as it is after an interrupt: see _set_up.tear_down()."""
    _leases.close()
    for server in list(servers.values()):
        server.close()


def _describe(obj):
    """What proxies know of the object without asking: its type's name, and its methods' names."""
    cls = type(obj)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    if cls not in _methods:
        _methods[cls] = frozenset(each for each in dir(cls) if not each.startswith("__") and _is_method(cls, each))
    return name, _methods[cls]


_methods = weakref.WeakKeyDictionary()  # class -> names


def _is_method(cls, name):
    try:
        return callable(getattr(cls, name))
    except Exception:
        return False


def _forget_parent():
    global home, _leases, _lock
    home, _leases, _lock = None, _Leases(), threading.Lock()
    servers.clear()
    _loops.clear()
    _set_up.serving.clear()


if _interlock.interpreter_id() == 0:
    _exit.at_last(close)
else:
    atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)
