# SPDX-License-Identifier: MIT
"""freeze() for what is not plain throughout: instances of frozen dataclasses, enums and the like.

An instance belongs to the interpreter that has its class. So it, and whatever contains one (the shell), is an
ordinary object, of which each interpreter that receives it builds one; all plain objects in it are frozen into
the arena, together, and shared. Where nothing can be frozen, everything is part of the shell.
"""

import builtins
import dataclasses
import enum
import types

import _interlock

_LEAVES = (int, float, complex, str, bytes, bool, type(None), type(...), type(NotImplemented))
_Mapping = getattr(builtins, "frozendict", types.MappingProxyType)
_SPECIAL = {
    "datetime": ("date", "datetime", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID",),
    "pathlib": ("PurePosixPath", "PureWindowsPath", "PosixPath", "WindowsPath"),
}  # modules and their classes whose instances never change


def freeze(obj, arena):
    """The twin of `obj`. TransferError, with the path to the culprit, if something in it can change."""
    walk = _Walk()
    walk.run(obj)
    return walk.build(obj, arena)


class _Node:
    """An object to be built, of which `children` are parts that are frozen before it."""

    __slots__ = ("build", "children", "is_plain", "obj", "twin")

    def __init__(self, obj, children, build):
        self.obj = obj  # kept, so that its id stays its own
        self.children = children
        self.build = build
        self.is_plain = True


class _Walk:
    def __init__(self):
        self.nodes = {}  # by id; in the order in which they can be built
        self.stack = []  # what leads to where the walk is: (node, step to it, iterator of its (step, part))
        self.open = set()  # the ids of these objects

    def run(self, root):
        self._enter("", root)
        while self.stack:
            node, _, steps = self.stack[-1]
            for step, child in steps:
                node.children.append(child)
                if id(child) not in self.nodes and self._enter(step, child):
                    break
            else:
                self.stack.pop()
                self.open.remove(id(node.obj))
                self.nodes[id(node.obj)] = node
                node.is_plain = node.build in _PLAIN and all(self.nodes[id(each)].is_plain for each in node.children)

    def _enter(self, step, obj):
        """Opens `obj`; or is done with it at once, and returns False."""
        if id(obj) in self.open:
            self._refuse(step, obj, "is part of itself")
        is_plain = type(obj) in _LEAVES or _interlock.is_shared(obj)
        if is_plain or _interlock.is_frozen(obj):
            self.nodes[id(obj)] = node = _Node(obj, (), None)
            node.is_plain = is_plain
            return False
        steps, build = self._parts(step, obj)
        self.stack.append((_Node(obj, [], build), step, steps))
        self.open.add(id(obj))
        return True

    def _parts(self, step, obj):
        """An iterator of (step, part) and a function that builds the twin of `obj` from those of its parts."""
        cls = type(obj)
        if cls in (list, tuple):
            return ((f"[{i}]", item) for i, item in enumerate(tuple(obj))), _build_tuple
        if cls in (set, frozenset):
            return ((f".elements()[{i}]", item) for i, item in enumerate(tuple(obj))), _build_set
        if cls is bytearray:
            return iter([("", bytes(obj))]), _build_same
        if cls is types.MappingProxyType:
            return iter([("", dict(obj))]), lambda parts: parts[0]  # it may show more than a dict
        if cls in (dict, _Mapping):
            return _steps_of_mapping(dict(obj)), _build_mapping
        if isinstance(obj, enum.Enum) or _never_changes(cls):
            return iter(()), lambda parts: obj
        if isinstance(obj, tuple) and hasattr(cls, "_fields") and not getattr(obj, "__dict__", None):
            return ((f".{name}", item) for name, item in zip(cls._fields, obj, strict=True)), cls._make
        if dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen:
            return _parts_of_instance(obj)
        is_dataclass = dataclasses.is_dataclass(cls)
        self._refuse(step, obj, "belongs to a dataclass that is not frozen" if is_dataclass else "can change")

    def _refuse(self, step, obj, reason):
        path = "".join(each for _, each, _ in self.stack) + step
        name = type(obj).__name__
        article = "an" if name[:1] in "aeiouAEIOU" else "a"
        raise _interlock.TransferError(f"object{path}: {article} {name} cannot be frozen: it {reason}")

    def build(self, root, arena):
        nodes = self.nodes
        can_freeze = _interlock.can_freeze()
        if can_freeze:
            # Of the plain ones, those that others lead to; all at once, so that what they share stays shared.
            roots = {id(child): child for node in nodes.values() if not node.is_plain for child in node.children}
            roots[id(root)] = root
            plain = [obj for key, obj in roots.items() if nodes[key].is_plain]
            twins = (_interlock.freeze(plain) if arena is None else arena.freeze(plain)) if plain else ()
            for obj, twin in zip(plain, twins, strict=True):
                nodes[id(obj)].twin = twin
        for node in nodes.values():
            if node.build is None:
                node.twin = getattr(node, "twin", node.obj)
            elif not (can_freeze and node.is_plain):
                node.twin = node.build([nodes[id(child)].twin for child in node.children])
        twin = nodes[id(root)].twin
        if can_freeze and nodes[id(root)].children and not _interlock.is_frozen(twin):
            _interlock.add_frozen_shell(twin)
        return twin


def _build_same(parts):
    return parts[0]


def _build_tuple(parts):
    return tuple(parts)


def _build_set(parts):
    return frozenset(parts)


def _build_mapping(parts):
    return _Mapping(dict(zip(parts[::2], parts[1::2], strict=True)))


_PLAIN = {None, _build_same, _build_tuple, _build_set, _build_mapping}


def _steps_of_mapping(mapping):
    for i, (key, value) in enumerate(mapping.items()):
        yield f".keys()[{i}]", key
        yield f"[{_shown(key)}]", value


def _shown(key):
    text = repr(key)
    return text if len(text) <= 60 else text[:57] + "..."


def _never_changes(cls):
    return cls is range or cls.__name__ in _SPECIAL.get(getattr(cls, "__module__", None), ())


def _parts_of_instance(obj):
    """Of a frozen dataclass: its attributes, whatever they are."""
    cls = type(obj)
    slots = [name for each in cls.__mro__ for name in _slots_of(each) if hasattr(obj, name)]
    names = [*dict.fromkeys(slots), *getattr(obj, "__dict__", ())]
    values = [(f".{name}", getattr(obj, name)) for name in names]

    def build(parts):
        twin = object.__new__(cls)
        for name, part in zip(names, parts, strict=True):
            object.__setattr__(twin, name, part)
        return twin

    return iter(values), build


def _slots_of(cls):
    slots = cls.__dict__.get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else slots
    mangled = "_" + cls.__name__.lstrip("_")
    return [
        mangled + name if name.startswith("__") and not name.endswith("__") else name
        for name in names
        if name not in ("__dict__", "__weakref__")
    ]
