# SPDX-License-Identifier: MIT
"""How functions and classes cross that no import finds: by value, once for each receiver.

A definition that is sent becomes a `_interlock.Definition`: its parts as a message that every
receiver rebuilds once and then knows by its key. Keys are unique in the process, so a definition
that returns is the original one. What a function refers to (globals that its code names, closure
cells, defaults) crosses with it; a later send carries it again if it has changed, or if it is of a
kind that may have changed unseen. A class is sent again if one of its attributes was replaced.

Functions of the main program live in the `__main__` of the interpreter that receives them; those of
another interpreter's `__main__`, or of a module made by hand, in a namespace of their own.
"""

import _typing
import functools
import sys
import types

import _interlock

from . import _classes, _functions
from ._registry import _build, _by_key, _entries, _entry, _known  # noqa: F401 (_by_key: for the decoder)

_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def reduce_definition(obj):
    """The parts of a function or class that cannot be imported. Called by the encoder."""
    if isinstance(obj, type):
        if (name := _TYPE_NAMES.get(id(obj))) is not None:
            return getattr, (types, name)
        if (ctypes := sys.modules.get("ctypes")) and (parts := _classes._c_type_parts(obj, ctypes)):
            return parts
        if not obj.__flags__ & _HEAP_TYPE:
            raise TypeError("no import finds it")
    if _build.watched is not None:
        return _parts(obj)
    return _restore, (_definition(obj),)


# Builtin types that have no name among the builtins, by id: a metaclass may forbid hashes.
_TYPE_NAMES = {id(value): name for name, value in vars(types).items() if isinstance(value, type)}


def _definition(obj):
    entry = _entry(obj)
    definition = entry.definition
    if definition is not None and (not entry.native or _interlock.still_holds(entry.watched)):
        return definition
    _build.watched, _build.constant = [], True
    try:
        definition = _interlock.Definition(obj, entry.key)
        reusable = _build.constant or isinstance(obj, type)
        entry.watched = _build.watched if reusable else None
    finally:
        _build.watched = None
    entry.definition = definition
    return definition


def _restore(definition):
    obj = _known(definition.key)
    entry = _entries[id(obj)] if obj is not None else None
    if entry is not None and (entry.native or entry.definition == definition):
        return obj
    obj = definition.load()
    _entries[id(obj)].definition = definition
    return obj


def _parts(obj):
    entry = _entry(obj)
    if entry.native:
        entry.version = _interlock.unique_number()
    return _classes._class_parts(obj, entry) if isinstance(obj, type) else _functions._function_parts(obj, entry)


reducers = {
    types.CodeType: _functions._reduce_code,
    types.CellType: _functions._reduce_cell,
    types.GetSetDescriptorType: _classes._reduce_descriptor,
    types.MemberDescriptorType: _classes._reduce_descriptor,
    property: _classes._reduce_property,
    staticmethod: _classes._reduce_wrapped,
    classmethod: _classes._reduce_wrapped,
    functools._lru_cache_wrapper: _classes._reduce_cached,
    functools.partialmethod: _classes._reduce_partial_method,
    types.MappingProxyType: _classes._reduce_mapping_proxy,
    _typing.TypeVar: _classes._reduce_type_parameter,
    _typing.ParamSpec: _classes._reduce_type_parameter,
    _typing.TypeVarTuple: _classes._reduce_type_parameter,
    _typing.TypeAliasType: _classes._reduce_type_alias,
}
