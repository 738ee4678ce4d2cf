# SPDX-License-Identifier: MIT
"""proxy(obj): a handle by which other interpreters use an object that stays with its owner."""

from threading import get_ident

import _interlock

from . import _exit, _proxy_server, _set_up
from ._errors import RemoteError
from ._futures import Collector
from ._operations import itself, method


def proxy(obj, lease=None):
    """A Proxy of obj, for other interpreters. It lives as long as any handle to it does, anywhere.

    With lease, obj is released when no call has used the proxy for that many seconds. In a running event
    loop, calls are run by that loop, and coroutine functions can be called.
    """
    if isinstance(obj, Proxy):
        return obj
    if lease is not None:
        if isinstance(lease, bool) or not isinstance(lease, (int, float)):
            raise TypeError(f"lease must be None or a number of seconds, not {type(lease).__name__}")
        if not 0 < lease < 1e9:
            raise ValueError(f"lease must be more than 0 seconds and less than 30 years, not {lease!r}")
    return _proxy_server.for_caller().proxy(obj, lease)


class _Results:
    """Sets the futures of submit()."""

    def __init__(self):
        self._collector = Collector("interlock proxy results")
        _exit.register(self)

    def submit(self, target, operation, args, kwargs):
        def begin(completions, key, _, its_args, its_kwargs):
            return target._begin(completions, key, operation, its_args, its_kwargs)

        return self._collector.submit(begin, None, args, kwargs)

    def _close_at_exit(self, interrupted):
        self._collector.close()
        self._collector.join(_exit.GRACE if interrupted else None)


_results = None


def _server_of(target):
    """The Server of a proxy of the calling interpreter, else None."""
    return _proxy_server.servers.get(target._server)


def _locally(server, target, operation, args, kwargs):
    args = [_unmarked(each) for each in args]
    kwargs = {name: _unmarked(value) for name, value in kwargs.items()}
    return server.perform((operation, target._key), args, kwargs)


def _unmarked(argument):
    """What moved() marks, and need not move."""
    return argument.take() if type(argument) is _interlock.moved else argument


def _ask(target, operation, args=(), kwargs={}, timeout=None):  # noqa: B006
    server = _server_of(target)
    if server is not None:
        return _locally(server, target, operation, args, kwargs)
    done = _interlock.Channel(1)
    task = target._begin(done, None, operation, args, kwargs)
    serving = _set_up.serving.get(get_ident()) if _set_up.serving else None
    try:
        if serving is None:
            done.recv(timeout)
        else:
            serving.wait(done, timeout)
    except BaseException:
        task.cancel()
        raise
    return task.result()


async def _ask_later(target, operation, args=(), kwargs={}):  # noqa: B006
    server = _server_of(target)
    if server is not None:
        result = _locally(server, target, operation, args, kwargs)
        return await result if hasattr(result, "__await__") else result
    done = _interlock.Channel(1)
    task = target._begin(done, None, operation, args, kwargs)
    try:
        await done.arecv()
    except BaseException:
        task.cancel()
        raise
    return task.result()


def _submit(target, operation, args, kwargs):
    global _results
    if _server_of(target) is not None:
        raise RuntimeError("the object is in this interpreter: call it directly")
    if _results is None or _results._collector._closing:
        _results = _Results()
    return _results.submit(target, operation, args, kwargs)


class RemoteMethod:
    """A method of an object of another interpreter."""

    __slots__ = ("_name", "_target")

    def __init__(self, target, name):
        self._target = target
        self._name = name

    def __call__(self, /, *args, **kwargs):
        return _itself(self._target, _ask(self._target, "method", (self._name, *args), kwargs))

    def call(self, /, *args, timeout=None, **kwargs):
        """As calling it, for timeout seconds at most: TimeoutError. A call that has begun runs on."""
        return _itself(self._target, _ask(self._target, "method", (self._name, *args), kwargs, timeout))

    async def acall(self, /, *args, **kwargs):
        """As calling it, for asyncio."""
        return _itself(self._target, await _ask_later(self._target, "method", (self._name, *args), kwargs))

    def submit(self, /, *args, **kwargs):
        """A concurrent.futures.Future of the call."""
        return _submit(self._target, "method", (self._name, *args), kwargs)

    def __reduce__(self):
        return RemoteMethod, (self._target, self._name)

    def __eq__(self, other):
        if not isinstance(other, RemoteMethod):
            return NotImplemented
        return self._name == other._name and _is_same(self._target, other._target)

    def __hash__(self):
        return hash((self._target, self._name))

    def __repr__(self):
        return f"<method {self._name!r} of {self._target!r}>"


def _itself(target, result):
    return target if result is itself else result


def _attribute(target, name):
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(f"a proxy passes on no special attributes such as {name!r}", name=name, obj=target)
    if name in target._description[1]:
        return RemoteMethod(target, name)
    value = _ask(target, "get", (name,))
    return RemoteMethod(target, name) if value is method else _itself(target, value)


def _is_same(left, right):
    return _interlock.Proxy.__eq__(left, right) is True


class Its:
    """The attributes of an object of another interpreter, and no others: Proxy has some of its own."""

    __slots__ = ("_Its__target",)

    def __init__(self, target):
        object.__setattr__(self, "_Its__target", target)

    def __getattribute__(self, name):
        if name.startswith("__") or name == "_Its__target":
            return object.__getattribute__(self, name)
        return _attribute(self.__target, name)

    def __setattr__(self, name, value):
        _ask(self.__target, "set", (name, value))

    def __delattr__(self, name):
        _ask(self.__target, "del", (name,))


class Iterator:
    """Over an object of another interpreter: `for`, and `async for`."""

    def __init__(self, target, source):
        self._target = target
        self._source = source  # null until the first item; a proxy
        self._items = []  # last first
        self._is_over = False

    def _take(self, answer):
        _, items, self._is_over = answer
        self._items = items[::-1]

    def __iter__(self):
        return self

    def __next__(self):
        if not self._items and not self._is_over:
            self._take(_ask(self._source, "method", ("take",)))
        if not self._items:
            raise StopIteration
        return _itself(self._target, self._items.pop())

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._source is None:
            self._source = await _ask_later(self._target, "iter")
        if not self._items and not self._is_over:
            self._take(await _ask_later(self._source, "method", ("take",)))
        if not self._items:
            raise StopAsyncIteration
        return _itself(self._target, self._items.pop())


class Proxy(_interlock.Proxy):
    """An object that stays with its owner; what is done to the proxy is done there, and the result crosses.

    A result that cannot cross comes as a proxy itself; one that is the object comes as this proxy.
    call(), acall(), submit(), release(), unwrap() and `its` are the proxy's own: `p.its.call` is the object's.
    """

    __slots__ = ()

    def __getattr__(self, name):
        return _attribute(self, name)

    def __setattr__(self, name, value):
        _ask(self, "set", (name, value))

    def __delattr__(self, name):
        _ask(self, "del", (name,))

    def __dir__(self):
        return _ask(self, "dir")

    @property
    def its(self):
        """The object's attributes, also those that have the name of one of the proxy's."""
        return Its(self)

    def __call__(self, /, *args, **kwargs):
        return _itself(self, _ask(self, "call", args, kwargs))

    def call(self, /, *args, timeout=None, **kwargs):
        """As calling it, for timeout seconds at most: TimeoutError. A call that has begun runs on."""
        return _itself(self, _ask(self, "call", args, kwargs, timeout))

    async def acall(self, /, *args, **kwargs):
        """As calling it, for asyncio."""
        return _itself(self, await _ask_later(self, "call", args, kwargs))

    def submit(self, /, *args, **kwargs):
        """A concurrent.futures.Future of the call."""
        return _submit(self, "call", args, kwargs)

    def release(self):
        """Give the object up, for all handles: further use raises ReferenceError. Idempotent."""
        try:
            _ask(self, "release")
        except _interlock.InterpreterEnded:
            pass

    def unwrap(self):
        """The object, for its owner."""
        server = _server_of(self)
        if server is None:
            raise RuntimeError(f"the object is not in this interpreter, but in {self._owner}")
        return server.entry(self._key).object

    def __len__(self):
        return _ask(self, "len")

    def __bool__(self):
        return _ask(self, "bool")

    def __contains__(self, item):
        return _ask(self, "contains", (item,))

    def __getitem__(self, key):
        return _itself(self, _ask(self, "getitem", (key,)))

    def __setitem__(self, key, value):
        _ask(self, "setitem", (key, value))

    def __delitem__(self, key):
        _ask(self, "delitem", (key,))

    def __iter__(self):
        server = _server_of(self)
        if server is not None:
            return iter(server.entry(self._key).object)
        return Iterator(self, _ask(self, "iter"))

    def __next__(self):
        return _itself(self, _ask(self, "next"))

    def __aiter__(self):
        return Iterator(self, None)

    def __enter__(self):
        return _itself(self, _ask(self, "enter"))

    def __exit__(self, kind, error, traceback):
        try:
            return _ask(self, "exit", (error,))
        except _interlock.TransferError:
            description = f"{kind.__module__}.{kind.__qualname__}"
            return _ask(self, "exit", (RemoteError(str(error), description),))

    def __eq__(self, other):
        return _is_same(self, other) or _ask(self, "eq", (other,))

    def __ne__(self, other):
        return not _is_same(self, other) and _ask(self, "ne", (other,))

    def __lt__(self, other):
        return _ask(self, "lt", (other,))

    def __le__(self, other):
        return _ask(self, "le", (other,))

    def __gt__(self, other):
        return _ask(self, "gt", (other,))

    def __ge__(self, other):
        return _ask(self, "ge", (other,))

    __hash__ = _interlock.Proxy.__hash__  # of the handle: objects that are equal may have another

    def __repr__(self):
        return f"<interlock.Proxy of {self._description[0]} in {self._owner}>"


Proxy.__module__ = "interlock"
_interlock.set_proxy_class(Proxy)
