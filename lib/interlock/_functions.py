# SPDX-License-Identifier: MIT
"""Functions by value: their code, what the code names, their closures."""

import functools
import importlib
import sys
import types
import weakref

import _interlock

from ._registry import (
    _CLASS_SKIPPED,
    _MAIN,
    _MAIN_NAMESPACE,
    _build,
    _entries,
    _is_constant,
    _keep,
    _known,
    _lock,
    _register,
    _watch,
)  # fmt: skip

_Cell = types.CellType
_NAMESPACE_KEY = "__interlock_namespace__"
_OWN_GLOBALS = frozenset({"__builtins__", "__name__", "__loader__", "__spec__", _NAMESPACE_KEY})
_GLOBAL_OPERATIONS = frozenset(
    {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
)


class _Namespace(dict):
    """Globals of functions whose module cannot be imported here."""

    __slots__ = ("__weakref__",)


_cell_keys = {}  # id(cell) -> (key, weak reference to a function that holds it)
_cells = {}  # key of a received cell -> (weak reference to a function that holds it, index)
_namespaces = weakref.WeakValueDictionary()  # key -> _Namespace


def _function_parts(function, entry):
    code = function.__code__
    if code is _DISPATCH_CODE:
        return _dispatch_parts(function, entry)
    namespace = _namespace_of(function, entry)
    state = {"version": entry.version, "__code__": code, "__closure__": function.__closure__}
    if isinstance(namespace, int):
        state["__globals__"], state["imports"] = _referenced_globals(function)
    for name in ("__defaults__", "__kwdefaults__", "__doc__", "__dict__", "__type_params__"):
        value = getattr(function, name)
        if value:
            state[name] = value
            if name in ("__defaults__", "__kwdefaults__") and not _is_constant(value):
                _build.constant = False
    for name in ("__annotate__", "__annotations__"):
        if value := getattr(function, name, None):
            state[name] = value
            break
    cells = function.__closure__ or ()
    for cell in cells:
        _watch_cell(cell)
    _build.watched.append((weakref.ref(function), None, code))
    args = (
        entry.key, namespace, function.__module__, function.__name__, function.__qualname__, code,
        function.__closure__, tuple([_cell_key(cell, function) for cell in cells]),
    )  # fmt: skip
    return _create_function, args, state, None, None, _fill_function


def _watch_cell(cell):
    try:
        _watch(cell, None, cell.cell_contents)
    except ValueError:  # empty
        _build.constant = False


def _namespace_of(function, entry):
    """The name of an importable module whose globals these are, else the key of a namespace."""
    if entry.namespace is not None:
        return entry.namespace
    namespace = function.__globals__
    name = namespace.get("__name__")
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__dict__", None) is namespace:
        if name == _MAIN:
            if _interlock.interpreter_id() == 0:
                return _MAIN_NAMESPACE
        elif getattr(module, "__spec__", None) is not None:
            return name
    return namespace.setdefault(_NAMESPACE_KEY, _interlock.unique_number())


def _referenced_globals(function):
    namespace = function.__globals__
    values = {}
    for name in _global_names(function.__code__):
        if name in namespace and name not in _OWN_GLOBALS:
            value = values[name] = namespace[name]
            _watch(namespace, name, value)
    return values, _submodules(function.__code__, values.values())


def _submodules(code, values):
    """Names of submodules that the code may reach as attributes of the packages among `values`."""
    names = None
    found = []
    for module in values:
        if not isinstance(module, types.ModuleType) or not hasattr(module, "__path__"):
            continue
        names = names or set(_all_names(code))
        prefix = module.__name__ + "."
        found += [
            name for name in list(sys.modules)
            if name.startswith(prefix) and names.issuperset(name[len(prefix) :].split("."))
        ]  # fmt: skip
    return found


def _nested_codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested_codes(constant)


def _all_names(code):
    for each in _nested_codes(code):
        yield from each.co_names


@functools.lru_cache(maxsize=1024)
def _global_names(code):
    return frozenset(
        instruction.argval
        for each in _nested_codes(code)
        for instruction in importlib.import_module("dis").get_instructions(each)
        if instruction.opname in _GLOBAL_OPERATIONS
    )


def _globals_here(namespace, module):
    if isinstance(namespace, str):
        return importlib.import_module(namespace).__dict__
    if namespace == _MAIN_NAMESPACE:
        return sys.modules[_MAIN].__dict__
    found = _namespaces.get(namespace)
    if found is None:
        found = _namespaces[namespace] = _Namespace()
        found.update({"__name__": module, "__builtins__": __builtins__, _NAMESPACE_KEY: namespace})
    return found


def _create_function(key, namespace, module, name, qualname, code, closure, cell_keys):
    with _lock:
        function = _known(key)
        if function is None:
            function = types.FunctionType(code, _globals_here(namespace, module), name, None, closure)
            function.__qualname__ = qualname
            function.__module__ = module
            kept = namespace if isinstance(namespace, int) else None
            _register(function, key, native=False, namespace=kept)
            for index, cell_key in enumerate(cell_keys):
                _cells[cell_key] = _own_cell(function, _cells, cell_key), index
                _cell_keys[id(closure[index])] = (
                    cell_key, _own_cell(function, _cell_keys, id(closure[index]))
                )  # fmt: skip
            _keep(function, namespace)
        return function


def _fill_function(function, state):
    entry = _entries[id(function)]
    if entry.native:
        return
    version = state.pop("version")
    closure = state.pop("__closure__") or ()
    values = state.pop("__globals__", ())
    attributes = state.pop("__dict__", ())
    for name in state.pop("imports", ()):
        importlib.import_module(name)
    with _lock:
        if entry.version >= version:
            return
        for mine, new in zip(function.__closure__ or (), closure, strict=True):
            if mine is not new:
                try:
                    mine.cell_contents = new.cell_contents
                except ValueError:  # not filled yet: its contents are this function
                    pass
        function.__globals__.update(values)
        function.__dict__.update(attributes)
        for name, value in state.items():
            setattr(function, name, value)
        entry.version = version  # last: what fails, or is interrupted, is done again the next time


# Functions of functools.singledispatch, whose closures hold a table with weak references.

_DISPATCH_CODE = functools.singledispatch(_Cell).__code__
_WRAPPED_NAMES = ("__module__", "__name__", "__qualname__", "__doc__", "__wrapped__")


def _dispatch_parts(function, entry):
    _build.constant = False  # what is registered later is not seen
    attributes = {name: getattr(function, name) for name in _WRAPPED_NAMES}
    state = {"version": entry.version, "registry": dict(function.registry), "attributes": attributes}
    return _create_dispatch, (entry.key,), state, None, None, _fill_dispatch


def _create_dispatch(key):
    with _lock:
        function = _known(key)
        if function is None:
            function = functools.singledispatch(_Cell)
            _register(function, key, native=False)
            _keep(function, None)
        return function


def _fill_dispatch(function, state):
    entry = _entries[id(function)]
    with _lock:
        if entry.native or entry.version >= state["version"]:
            return
        for cls, each in state["registry"].items():
            function.register(cls, each)
        for name, value in state["attributes"].items():
            setattr(function, name, value)
        entry.version = state["version"]


# Code objects and cells.

_CODE_FIELDS = (
    "co_argcount", "co_posonlyargcount", "co_kwonlyargcount", "co_nlocals", "co_stacksize", "co_flags",
    "co_code", "co_consts", "co_names", "co_varnames", "co_filename", "co_name", "co_qualname",
    "co_firstlineno", "co_linetable", "co_exceptiontable", "co_freevars", "co_cellvars",
)  # fmt: skip


def _create_code(*fields):
    return types.CodeType(*fields)


def _reduce_code(code):
    return _create_code, tuple(getattr(code, field) for field in _CODE_FIELDS)


def _own_cell(function, table, key):
    """A weak reference to the function that takes its cell out of the table."""
    return weakref.ref(function, functools.partial(_forget_cell, table, key))


def _forget_cell(table, key, reference):
    record = table.get(key)
    if record is not None and reference in record:
        table.pop(key, None)


def _cell_key(cell, function):
    """The key under which functions that share the cell find it in a receiver."""
    record = _cell_keys.get(id(cell))
    if record is None:
        record = _interlock.unique_number(), _own_cell(function, _cell_keys, id(cell))
        _cell_keys[id(cell)] = record
    return record[0]


def _create_cell(key=None):
    record = _cells.get(key)
    function = record[0]() if record is not None else None
    return _Cell() if function is None else function.__closure__[record[1]]


def _fill_cell(cell, state):
    cell.cell_contents = state["cell_contents"]


def _reduce_cell(cell):
    key, holder = _cell_keys.get(id(cell), (None, None))
    try:
        contents = cell.cell_contents
    except ValueError:
        return _create_cell, (key,)
    function = holder and holder()
    if function and dict(zip(function.__code__.co_freevars, function.__closure__)).get("__classdict__") is cell:
        # The attributes of a class, in whose scope annotations are evaluated (CPython 3.14).
        contents = {name: value for name, value in contents.items() if name not in _CLASS_SKIPPED}
    return _create_cell, (key,), {"cell_contents": contents}, None, None, _fill_cell
