# SPDX-License-Identifier: MIT
"""What each interpreter knows of definitions: which it has sent, received, and under which key."""

import collections
import functools
import sys
import types
import weakref
from _thread import RLock, _local

import _interlock

_MAIN = "__main__"
_MAIN_NAMESPACE = 0
# Attributes that CPython makes anew for every class.
_CLASS_SKIPPED = frozenset({"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__",
                            "_abc_impl", "__abstractmethods__"})  # fmt: skip
# Types whose instances cannot change unseen: builtin ones, and names, to save imports.
_CONSTANT_TYPES = (
    type(None), bool, int, float, complex, str, bytes, range, type(...), types.ModuleType,
    types.BuiltinFunctionType, types.FunctionType, type, types.GenericAlias, _interlock.Handle,
)  # fmt: skip
_CONSTANT_NAMES = frozenset(
    "enum.Enum re.Pattern logging.Logger pathlib.PurePath pathlib._local.PurePath datetime.date "
    "datetime.time datetime.timedelta datetime.tzinfo decimal.Decimal fractions.Fraction "
    "uuid.UUID".split()
)


class _Entry:
    """What is known of one definition in this interpreter."""

    __slots__ = ("definition", "key", "namespace", "native", "reference", "version", "watched")

    def __init__(self, key, reference, native, namespace):
        self.key = key
        self.reference = reference
        self.native = native  # defined here, not received
        self.namespace = namespace  # key of the namespace of a received function
        self.version = 0
        self.definition = None  # the last Definition sent or received
        self.watched = None  # what must still hold for it; None: it may not be sent again


class _Build(_local):
    """The Definition that the calling thread is making."""

    watched = None  # list of (mapping or cell, name or None, value); None: none is being made
    constant = True  # whether what the definition refers to cannot change unseen


_lock = RLock()
_entries = {}  # id(object) -> _Entry
_by_key = {}  # key -> weak reference to the object
_recent = collections.deque(maxlen=256)  # keeps definitions without a name from being rebuilt
_build = _Build()


def _entry(obj):
    with _lock:
        entry = _entries.get(id(obj))
        if entry is None:
            entry = _register(obj, _interlock.unique_number(), native=True)
        return entry


def _register(obj, key, *, native, namespace=None):
    identity = id(obj)

    def forget(_, lock=_lock, entries=_entries, by_key=_by_key):  # globals go before the last objects do
        with lock:
            entries.pop(identity, None)
            by_key.pop(key, None)

    try:
        reference = weakref.ref(obj, forget)
    except TypeError:  # a type alias; they are few, and stay
        reference = functools.partial(_itself, obj)
    entry = _entries[id(obj)] = _Entry(key, reference, native, namespace)
    _by_key[key] = reference
    return entry


def _itself(obj):
    return obj


def _known(key):
    reference = _by_key.get(key)
    return reference() if reference is not None else None


def _watch(owner, name, value):
    _build.watched.append((owner, name, value))
    if not _is_constant(value):
        _build.constant = False


def _is_constant(value):
    if isinstance(value, (tuple, frozenset)):
        return all(map(_is_constant, value))
    if isinstance(value, _CONSTANT_TYPES):
        return True
    classes = type(value).__mro__
    return any(f"{each.__module__}.{each.__qualname__}" in _CONSTANT_NAMES for each in classes)


def _keep(obj, namespace):
    """Main's own definitions live in `__main__`, as if it had run here; the others for a while."""
    name = obj.__qualname__
    if namespace == _MAIN_NAMESPACE and name.isidentifier() and _interlock.interpreter_id() != 0:
        setattr(sys.modules[_MAIN], name, obj)
    else:
        _recent.append(obj)
