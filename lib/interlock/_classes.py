# SPDX-License-Identifier: MIT
"""Classes by value, and the parts of classes and functions that CPython itself does not take apart."""

import functools
import importlib
import operator
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
    _entry,
    _keep,
    _known,
    _lock,
    _register,
)  # fmt: skip


def _class_parts(cls, entry):
    _build.watched.append((weakref.ref(cls), None, _interlock.type_version(cls)))
    module = cls.__module__
    is_main = module == _MAIN and (_interlock.interpreter_id() == 0 if entry.native else True)
    namespace = entry.namespace
    if namespace is None:
        namespace = _MAIN_NAMESPACE if is_main else -1
    is_enum = _is_enum(cls)
    attributes = _enum_attributes(cls) if is_enum else _attributes(cls)
    state = {"version": entry.version, "attributes": attributes}
    owner = vars(cls)
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
    create = _create_typed_dict if _is_typed_dict(cls) else _create_class
    return create, (*args, body), state, None, None, _fill_class


def _is_enum(cls):
    enum = sys.modules.get("enum")
    return enum is not None and issubclass(cls, enum.Enum)


def _is_typed_dict(cls):
    typing = sys.modules.get("typing")
    return typing is not None and typing.is_typeddict(cls)


def _slot_names(cls):
    slots = vars(cls).get("__slots__", ())
    slots = (slots,) if isinstance(slots, str) else slots
    private = "_" + cls.__name__.lstrip("_")
    return {private + name if name.startswith("__") and not name.endswith("__") else name for name in slots}


def _attributes(cls):
    skipped = _CLASS_SKIPPED | _slot_names(cls)
    found = {name: value for name, value in vars(cls).items() if name not in skipped}
    if "_fields_" not in found or not _is_c_layout(cls):
        return found
    # What ctypes made of the fields it makes again of them; they come last, as that needs the others.
    fields = found.pop("_fields_")
    found = {name: value for name, value in found.items() if type(value).__name__ != "CField"}
    return found | {"_fields_": fields}


def _is_c_layout(cls):
    ctypes = sys.modules.get("ctypes")
    return ctypes is not None and issubclass(cls, (ctypes.Structure, ctypes.Union))


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


def _c_type_parts(cls, ctypes):
    """Of what ctypes makes one type of, and of what has no name in it; else None."""
    if issubclass(cls, ctypes.Array) and cls._type_ * cls._length_ is cls:
        return operator.mul, (cls._type_, cls._length_)
    if issubclass(cls, ctypes._Pointer) and ctypes.POINTER(cls._type_) is cls:
        return ctypes.POINTER, (cls._type_,)
    for base in (ctypes.Structure, ctypes.Union, ctypes.Array, ctypes._Pointer, ctypes._SimpleCData, ctypes._CFuncPtr):
        if cls is type(base):
            return type, (base,)
    # Of the other byte order: BigEndianStructure has such fields.
    own, other = ("__ctype_le__", "__ctype_be__")[:: 1 if sys.byteorder == "little" else -1]
    native = getattr(cls, own, cls)
    return (getattr, (native, other)) if native is not cls and getattr(native, other) is cls else None


def _create_class(key, namespace, metaclass, name, bases, module, qualname, body, make=None):
    with _lock:
        cls = _known(key)
        if cls is None:
            body = {"__module__": module, "__qualname__": qualname, **body}
            cls = (make or _make_class)(metaclass, name, bases, body)
            _register(cls, key, native=False, namespace=namespace)
            _keep(cls, namespace)
        return cls


def _make_class(metaclass, name, bases, body):
    return types.new_class(name, bases, {"metaclass": metaclass}, lambda into: into.update(body))


def _create_typed_dict(*args):
    # Its metaclass would refuse its base, dict, which it has put there itself.
    return _create_class(*args, make=type.__new__)


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
        is_c_layout = _is_c_layout(cls)
        for name, value in state["attributes"].items():
            if not is_c_layout:
                type.__setattr__(cls, name, value)
            elif name != "_fields_" or name not in vars(cls):  # which can be set once
                setattr(cls, name, value)
        if hasattr(cls, "__abstractmethods__"):
            importlib.import_module("abc").update_abstractmethods(cls)
        entry.version = state["version"]  # last, as for a function


# Parts of classes and functions that CPython itself does not take apart.


def _create_cached(function, parameters):
    return functools.lru_cache(**parameters)(function)


def _reduce_cached(wrapper):
    if _is_importable_attribute(wrapper, wrapper.__qualname__):
        return wrapper.__qualname__
    return _create_cached, (wrapper.__wrapped__, wrapper.cache_parameters()), dict(vars(wrapper))


def _is_importable_attribute(obj, qualified_name):
    found = sys.modules.get(obj.__module__) if obj.__module__ != _MAIN else None
    for name in qualified_name.split("."):
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


def _create_partial_method(function, args, keywords):
    return functools.partialmethod(function, *args, **keywords)


def _reduce_partial_method(method):
    # Without arguments, as copyreg makes it, CPython 3.14 does not.
    return _create_partial_method, (method.func, method.args, method.keywords), vars(method) or None


def _reduce_mapping_proxy(proxy):
    return types.MappingProxyType, (dict(proxy),)


def _create_typing(key, module, make, args, options):
    """A type parameter or the like, which is what it is by its identity. It takes its module from who calls."""
    with _lock:
        made = _known(key)
        if made is None:
            made = eval("make(*args, **options)", {"__name__": module, "make": make, "args": args, "options": options})
            _register(made, key, native=False)
        return made


def _reduce_typing(obj, make, args, options):
    if _is_importable_attribute(obj, obj.__name__):
        return obj.__name__
    return _create_typing, (_entry(obj).key, obj.__module__, make, args, options)


def _reduce_type_parameter(parameter):
    options = {}
    for name in ("bound", "covariant", "contravariant", "infer_variance"):
        if value := getattr(parameter, f"__{name}__", None):
            options[name] = value
    if hasattr(parameter, "has_default") and parameter.has_default():
        options["default"] = parameter.__default__
    constraints = getattr(parameter, "__constraints__", ())
    return _reduce_typing(parameter, type(parameter), (parameter.__name__, *constraints), options)


def _reduce_new_type(new_type):
    return _reduce_typing(new_type, type(new_type), (new_type.__qualname__, new_type.__supertype__), {})


_alias_values = {}  # key of a received type alias -> list that has its value, once that is there


def _create_type_alias(key, module, name):
    with _lock:
        alias = _known(key)
        if alias is None:
            value = _alias_values[key] = []
            namespace = {"__name__": module, "value": value}
            exec(f"type {name} = value[0]", namespace)
            alias = namespace[name]
            _register(alias, key, native=False)
        return alias


def _fill_type_alias(_, state):
    value = _alias_values.get(state["key"])
    if value is not None and not value:
        value.append(state["value"])


def _reduce_type_alias(alias):
    """It may lead back to itself. CPython does not ask for the value before that is used."""
    name, parameters = alias.__name__, alias.__type_params__
    if parameters or not name.isidentifier():
        return _reduce_typing(alias, type(alias), (name, alias.__value__), {"type_params": parameters})
    if _is_importable_attribute(alias, name):
        return name
    key = _entry(alias).key
    args = key, alias.__module__, name
    return _create_type_alias, args, {"key": key, "value": alias.__value__}, None, None, _fill_type_alias
