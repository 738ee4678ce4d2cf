# SPDX-License-Identifier: MIT
"""Classes by value, and the parts of classes and functions that CPython itself does not take apart."""

import functools
import importlib
import sys
import types

import _interlock

from ._registry import (
    _MAIN,
    _MAIN_NAMESPACE,
    _AttributesOf,
    _build,
    _entries,
    _entry,
    _keep,
    _known,
    _lock,
    _register,
)  # fmt: skip

_CLASS_SKIPPED = frozenset({"__dict__", "__weakref__", "__module__", "__qualname__", "__slots__",
                            "_abc_impl", "__abstractmethods__"})  # fmt: skip


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
    return {private + name if name.startswith("__") and not name.endswith("__") else name for name in slots}


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
    with _lock:
        if entry.native or entry.version >= state["version"]:
            return
        for name, value in state["attributes"].items():
            type.__setattr__(cls, name, value)
        if hasattr(cls, "__abstractmethods__"):
            importlib.import_module("abc").update_abstractmethods(cls)
        entry.version = state["version"]  # last, as for a function


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


def _look_up_descriptor(owner, name):
    return vars(owner).get(name)  # not every version gives every class its own __dict__ and __weakref__


def _reduce_descriptor(descriptor):
    return _look_up_descriptor, (descriptor.__objclass__, descriptor.__name__)


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
