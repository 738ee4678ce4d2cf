# SPDX-License-Identifier: MIT
"""register(): how objects of a type cross, whatever interpreter they are in.

A registration is a pair in a list of the process: what the type is called everywhere, and a function that crosses by
value or by name. Each interpreter looks its types up when it first sends objects of them.
"""

import functools
import types

import _interlock

from ._classes import _is_importable_attribute
from ._definitions import _HEAP_TYPE
from ._registry import _entries, _entry, _lock

# What the encoder writes without asking.
_WRITTEN_AT_ONCE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, type(...),
     type(NotImplemented), object, type, types.FunctionType, types.ModuleType}
)  # fmt: skip

_known = {}  # name -> function, or the Definition of it, or None
_count = 0  # of the process's registrations, that are in _known


def register(cls, function=None, /, *, refuse=None):
    """Say how objects of a class, and of its subclasses, cross. For all interpreters, from now on.

    function(obj) is called in the interpreter that sends obj. It returns what `__reduce__` may return: (callable,
    arguments) and what else copyreg knows; or a handle that crosses instead, such as a Proxy, so that
    `register(cls, proxy)` leaves objects where they are. If it raises TypeError, obj is refused with that as the
    reason; `refuse` is a reason to refuse all of them. Without function and refuse, the result is a decorator.

    It comes before what the class says itself, and the nearest class in obj's `__mro__` counts. It must be able to cross
    (TransferError). A move leaves such objects as they are.
    """
    _check(cls)
    if refuse is not None:
        if function is not None or not isinstance(refuse, str):
            raise TypeError("register() takes either a function or refuse, a str that says why")
        function = functools.partial(_refuse, refuse)
    elif function is None:
        return functools.partial(register, cls)
    elif not callable(function):
        raise TypeError(f"register() needs a function, not {type(function).__name__}")
    _interlock.add_registration(_name_of(cls), _interlock.Definition(function, _interlock.unique_number()))
    return function


def unregister(cls, /):
    """Take back what was registered for this class, if anything."""
    _check(cls)
    _interlock.add_registration(_name_of(cls), None)


def _check(cls):
    if not isinstance(cls, type):
        raise TypeError(f"register() needs a class, not {type(cls).__name__}")
    if cls in _WRITTEN_AT_ONCE or issubclass(cls, (type, _interlock.Handle)):
        raise TypeError(f"how objects of {cls.__qualname__} cross cannot be changed")


def _refuse(reason, _):
    raise TypeError(reason)


def _name_of(cls):
    return _name_if_known(cls) or f"#{_entry(cls).key}"


def _name_if_known(cls):
    """A name, where all interpreters have the class by that name; the key of a definition; or None."""
    name = cls.__qualname__
    if not cls.__flags__ & _HEAP_TYPE or _is_importable_attribute(cls, name):
        return f"{cls.__module__}.{name}"
    entry = _entries.get(id(cls))
    return f"#{entry.key}" if entry is not None else None


def find(cls):
    """What is registered for objects of cls, or None. Called by the encoder, which remembers it."""
    _update()
    for base in cls.__mro__:
        name = _name_if_known(base)
        function = found = _known.get(name)
        if isinstance(found, _interlock.Definition):
            function = found.load()  # runs code
            with _lock:
                if _known[name] is found:
                    _known[name] = function
        if function is not None:
            return function
    return None


def _update():
    global _count
    with _lock:
        for name, definition in _interlock.registrations(_count):
            _known[name] = definition
            _count += 1
