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

import collections
import functools
import importlib
import sys
import types
import weakref
from _thread import RLock, _local

import _interlock

_Cell = types.CellType
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_MAIN = "__main__"
_MAIN_NAMESPACE = 0
_NAMESPACE_KEY = "__interlock_namespace__"
_OWN_GLOBALS = frozenset({"__builtins__", "__name__", "__loader__", "__spec__", _NAMESPACE_KEY})
_GLOBAL_OPERATIONS = frozenset(
    {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
)
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
_CLASS_SKIPPED = frozenset({"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__",
                            "_abc_impl", "__abstractmethods__"})  # fmt: skip


class _Namespace(dict):
    """Globals of functions whose module cannot be imported here."""

    __slots__ = ("__weakref__",)


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
_cell_keys = {}  # id(cell) -> (key, weak reference to a function that holds it)
_cells = {}  # key of a received cell -> (weak reference to a function that holds it, index)
_namespaces = weakref.WeakValueDictionary()  # key -> _Namespace
_recent = collections.deque(maxlen=256)  # keeps definitions without a name from being rebuilt
_build = _Build()


def reduce_definition(obj):
    """The parts of a function or class that cannot be imported. Called by the encoder."""
    if isinstance(obj, type):
        if (name := _TYPE_NAMES.get(obj)) is not None:
            return getattr, (types, name)
        if not obj.__flags__ & _HEAP_TYPE:
            raise TypeError("no import finds it")
    if _build.watched is not None:
        return _parts(obj)
    return _restore, (_definition(obj),)


# Builtin types that have no name among the builtins.
_TYPE_NAMES = {value: name for name, value in vars(types).items() if isinstance(value, type)}


def _definition(obj):
    entry = _entry(obj)
    definition = entry.definition
    if definition is not None and (not entry.native or _still_holds(entry.watched)):
        return definition
    _build.watched, _build.constant = [], True
    _add_lazy_reducers()
    try:
        definition = _interlock.Definition(obj, entry.key)
        reusable = _build.constant or isinstance(obj, type)
        entry.watched = _build.watched if reusable else None
    finally:
        _build.watched = None
    entry.definition = definition
    return definition


def _still_holds(watched):
    if watched is None:
        return False
    try:
        for owner, name, value in watched:
            if name is None:
                if owner.cell_contents is not value:
                    return False
            elif owner[name] is not value:
                return False
    except (KeyError, ValueError):
        return False
    return True


def _entry(obj):
    with _lock:
        entry = _entries.get(id(obj))
        if entry is None:
            entry = _register(obj, _interlock.unique_number(), native=True)
        return entry


def _register(obj, key, *, native, namespace=None):
    def forget(_, identity=id(obj)):
        with _lock:
            _entries.pop(identity, None)
            _by_key.pop(key, None)

    reference = weakref.ref(obj, forget)
    entry = _entries[id(obj)] = _Entry(key, reference, native, namespace)
    _by_key[key] = reference
    return entry


def _known(key):
    reference = _by_key.get(key)
    return reference() if reference is not None else None


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
    return _class_parts(obj, entry) if isinstance(obj, type) else _function_parts(obj, entry)


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


# Functions.


def _function_parts(function, entry):
    code = function.__code__
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
    _build.watched.append((_AttributesOf(function), "__code__", code))
    args = (
        entry.key, namespace, function.__module__, function.__name__, function.__qualname__, code,
        function.__closure__, tuple([_cell_key(cell, function) for cell in cells]),
    )  # fmt: skip
    return _create_function, args, state, None, None, _fill_function


class _AttributesOf:
    """A view of an object's attributes that does not keep the object alive."""

    def __init__(self, obj):
        self._reference = weakref.ref(obj)

    def __getitem__(self, name):
        return getattr(self._reference(), name, None)


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
    version = state.pop("version")
    if entry.native or entry.version >= version:
        return
    entry.version = version
    for mine, new in zip(function.__closure__ or (), state.pop("__closure__") or (), strict=True):
        if mine is not new:
            try:
                mine.cell_contents = new.cell_contents
            except ValueError:  # not filled yet: its contents are this function
                pass
    for name in state.pop("imports", ()):
        importlib.import_module(name)
    function.__globals__.update(state.pop("__globals__", ()))
    function.__dict__.update(state.pop("__dict__", ()))
    for name, value in state.items():
        setattr(function, name, value)


def _keep(obj, namespace):
    """Main's own definitions live in `__main__`, as if it had run here; the others for a while."""
    name = obj.__qualname__
    if namespace == _MAIN_NAMESPACE and name.isidentifier() and _interlock.interpreter_id() != 0:
        setattr(sys.modules[_MAIN], name, obj)
    else:
        _recent.append(obj)


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
    return weakref.ref(function, lambda reference: _forget_cell(table, key, reference))


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
    key = _cell_keys.get(id(cell), (None,))[0]
    try:
        state = {"cell_contents": cell.cell_contents}
    except ValueError:
        return _create_cell, (key,)
    return _create_cell, (key,), state, None, None, _fill_cell


# Classes.


def _class_parts(cls, entry):
    module = cls.__module__
    is_main = module == _MAIN and (_interlock.interpreter_id() == 0 if entry.native else True)
    namespace = entry.namespace
    if namespace is None:
        namespace = _MAIN_NAMESPACE if is_main else -1
    is_enum = _is_enum(cls)
    attributes = _enum_attributes(cls) if is_enum else _attributes(cls)
    state = {"version": entry.version, "attributes": attributes}
    owner = vars(cls)
    for name in attributes:
        if name in owner:
            _build.watched.append((_AttributesIn(cls), name, owner[name]))
    args = (
        entry.key, namespace, type(cls), cls.__name__, cls.__bases__, module, cls.__qualname__,
    )  # fmt: skip
    if is_enum:
        new = vars(cls).get("__new_member__")
        args += (
            {name: member.value for name, member in cls.__members__.items()},
            new if isinstance(new, types.FunctionType) else None,
        )
        return _create_enum, args, state, None, None, _fill_class
    body = {name: owner[name] for name in ("__slots__", "__orig_bases__") if name in owner}
    return _create_class, (*args, body), state, None, None, _fill_class


class _AttributesIn(_AttributesOf):
    def __getitem__(self, name):
        return vars(self._reference())[name]


def _is_enum(cls):
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(cls, enum.Enum)


def _slot_names(cls):
    slots = vars(cls).get("__slots__", ())
    slots = (slots,) if isinstance(slots, str) else slots
    private = "_" + cls.__name__.lstrip("_")
    return {
        private + name if name.startswith("__") and not name.endswith("__") else name for name in slots
    }


def _attributes(cls):
    skipped = _CLASS_SKIPPED | _slot_names(cls)
    return {name: value for name, value in vars(cls).items() if name not in skipped}


def _enum_attributes(cls):
    skipped = _CLASS_SKIPPED | set(cls.__members__) | {"__new__", "__new_member__", "__init__"}
    init = vars(cls).get("__init__")
    attributes = {
        name: value for name, value in vars(cls).items()
        if name not in skipped and not (name.startswith("_") and name.endswith("_") and name[1] != "_")
        and not (name.startswith("__") and isinstance(value, types.WrapperDescriptorType))
        and not any(vars(base).get(name) is value for base in cls.__mro__[1:])
    }  # fmt: skip
    if isinstance(init, types.FunctionType):
        attributes["__init__"] = init
    return attributes


def _create_class(key, namespace, metaclass, name, bases, module, qualname, body):
    with _lock:
        cls = _known(key)
        if cls is None:
            body = {"__module__": module, "__qualname__": qualname, **body}
            cls = types.new_class(name, bases, {"metaclass": metaclass}, lambda into: into.update(body))
            _register(cls, key, native=False, namespace=namespace)
            _keep(cls, namespace)
        return cls


def _create_enum(key, namespace, metaclass, name, bases, module, qualname, members, new):
    with _lock:
        cls = _known(key)
        if cls is None:
            body = metaclass.__prepare__(name, bases)
            body["__module__"], body["__qualname__"] = module, qualname
            if new is not None:
                body["__new__"] = new
            for member, value in members.items():
                body[member] = value
            cls = metaclass.__new__(metaclass, name, bases, body)
            _register(cls, key, native=False, namespace=namespace)
            _keep(cls, namespace)
        return cls


def _fill_class(cls, state):
    entry = _entries[id(cls)]
    if entry.native or entry.version >= state["version"]:
        return
    entry.version = state["version"]
    for name, value in state["attributes"].items():
        type.__setattr__(cls, name, value)
    if hasattr(cls, "__abstractmethods__"):
        importlib.import_module("abc").update_abstractmethods(cls)


# Parts of classes and functions that CPython itself does not take apart.


def _create_cached(function, parameters):
    return functools.lru_cache(**parameters)(function)


def _reduce_cached(wrapper):
    if _is_importable_attribute(wrapper):
        return wrapper.__qualname__
    return _create_cached, (wrapper.__wrapped__, wrapper.cache_parameters()), dict(vars(wrapper))


def _is_importable_attribute(obj):
    found = sys.modules.get(obj.__module__) if obj.__module__ != _MAIN else None
    for name in obj.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is obj


def _reduce_property(value):
    return property, (value.fget, value.fset, value.fdel, value.__doc__)


def _reduce_wrapped(method):
    return type(method), (method.__func__,)


def _reduce_mapping_proxy(proxy):
    return types.MappingProxyType, (dict(proxy),)


def _reduce_dataclass_sentinel(value):
    dataclasses = sys.modules["dataclasses"]
    for name, other in vars(dataclasses).items():
        if other is value:
            return getattr, (dataclasses, name)
    raise TypeError("not a sentinel of dataclasses")


def _create_type_parameter(key, kind, name, constraints, options):
    parameter = _known(key)
    if parameter is None:
        parameter = kind(name, *constraints, **options)
        _register(parameter, key, native=False)
    return parameter


def _reduce_type_parameter(parameter):
    options = {}
    for name in ("bound", "covariant", "contravariant", "infer_variance"):
        if value := getattr(parameter, f"__{name}__", None):
            options[name] = value
    constraints = getattr(parameter, "__constraints__", ())
    args = _entry(parameter).key, type(parameter), parameter.__name__, constraints, options
    return _create_type_parameter, args


def _add_lazy_reducers():
    """For types of modules that this one does not import: whoever has an instance has the module.

    The sentinels of dataclasses are compared by identity, and a class holds them.
    """
    typing = sys.modules.get("typing")
    for name in ("TypeVar", "ParamSpec", "TypeVarTuple"):
        if hasattr(typing, name):
            reducers[getattr(typing, name)] = _reduce_type_parameter
    dataclasses = sys.modules.get("dataclasses")
    for name in ("MISSING", "KW_ONLY", "_HAS_DEFAULT_FACTORY", "_FIELD"):
        if hasattr(dataclasses, name):
            reducers[type(getattr(dataclasses, name))] = _reduce_dataclass_sentinel


reducers = {
    types.CodeType: _reduce_code,
    _Cell: _reduce_cell,
    property: _reduce_property,
    staticmethod: _reduce_wrapped,
    classmethod: _reduce_wrapped,
    functools._lru_cache_wrapper: _reduce_cached,
    types.MappingProxyType: _reduce_mapping_proxy,
}
