# SPDX-License-Identifier: MIT
"""What proxies ask of the owner of an object, by name: function(server, object, ...)."""

import operator

import _interlock


# Answers that stand for something; they cross by their names.
def itself():
    """The object that was asked."""


def method():
    """An attribute that can be called."""


def chunk():
    """The first of (chunk, items, whether there are no more)."""


def _method(server, obj, name, /, *args, **kwargs):
    return getattr(obj, name)(*args, **kwargs)


def _get(server, obj, name):
    value = getattr(obj, name)
    return method if callable(value) else value


def _on_object(function):
    return lambda server, obj, /, *args, **kwargs: function(obj, *args, **kwargs)


def _compare(function):
    return lambda server, obj, other: function(obj, _here(server, other))


def _here(server, other):
    """The object itself where a proxy of one of ours came back."""
    if isinstance(other, _interlock.Proxy) and other._server == server.number:
        return server.entry(other._key).object
    return other


def _exit(server, obj, error):
    if error is None:
        return bool(type(obj).__exit__(obj, None, None, None))
    return bool(type(obj).__exit__(obj, type(error), error, error.__traceback__))


class _Chunks:
    """An iterator, several items at a time unless the object is one itself: that may be read by others too."""

    def __init__(self, obj):
        self._iterator = iter(obj)
        self._size = 1 if self._iterator is obj else 64
        self._failure = None

    def take(self):
        """(chunk, items, whether there are no more)."""
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        items = []
        try:
            for item in self._iterator:
                items.append(item)
                if len(items) == self._size:
                    return chunk, items, False
        except BaseException as error:
            if not items:
                raise
            self._failure = error
            return chunk, items, False
        return chunk, items, True


def stand_in(server, result):
    """What crosses instead of a result that cannot."""
    if type(result) is tuple and result[:1] == (chunk,):
        return chunk, [_crossing(server, item) for item in result[1]], result[2]
    return server.proxy(result)


def _crossing(server, item):
    try:
        _interlock.check_transfer(item)
    except _interlock.TransferError:
        return server.proxy(item)
    return item


OPERATIONS = {
    "call": lambda server, obj, /, *args, **kwargs: obj(*args, **kwargs),
    "method": _method,
    "get": _get,
    "set": _on_object(setattr),
    "del": _on_object(delattr),
    "dir": _on_object(dir),
    "len": _on_object(len),
    "bool": _on_object(bool),
    "next": _on_object(next),
    "contains": _compare(operator.contains),
    "getitem": _on_object(operator.getitem),
    "setitem": _on_object(operator.setitem),
    "delitem": _on_object(operator.delitem),
    "iter": lambda server, obj: server.proxy(_Chunks(obj)),
    "enter": lambda server, obj: type(obj).__enter__(obj),
    "exit": _exit,
    **{name: _compare(getattr(operator, name)) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
}
