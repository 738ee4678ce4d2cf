# SPDX-License-Identifier: MIT
"""Objects of every kind that programs have, and definitions of every kind: what test_zoo.py sends.

Each is made anew for every crossing.
"""

import abc
import argparse
import array
import ast
import collections
import configparser
import ctypes
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import inspect
import io
import ipaddress
import json
import logging
import operator
import os
import pathlib
import random
import re
import socket
import string
import subprocess
import sys
import time
import traceback
import types
import typing
import uuid
import xml.etree.ElementTree as ElementTree
import zoneinfo


class Pair(ctypes.Structure):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_double))

    def total(self):
        return self.x + self.y


class Either(ctypes.Union):
    _fields_ = (("x", ctypes.c_int), ("y", ctypes.c_double))


class Nested(ctypes.Structure):
    _anonymous_ = ("either",)
    _fields_ = (("pair", Pair), ("numbers", ctypes.c_int * 3), ("either", Either))


class Longer(Pair):
    _fields_ = (("z", ctypes.c_int),)


class Swapped(ctypes.BigEndianStructure):
    _fields_ = (("x", ctypes.c_int),)


class Packed(ctypes.Structure):
    _layout_ = "ms"
    _pack_ = 1
    _fields_ = (("a", ctypes.c_char), ("b", ctypes.c_int, 3), ("c", ctypes.c_int, 5))


class Linked(ctypes.Structure): ...


Linked._fields_ = [("next", ctypes.POINTER(Linked))]


class Color(enum.Enum):
    RED = 1
    BLUE = "b"
    CRIMSON = 1


class Right(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Bit(enum.IntFlag):
    A = 1
    B = 2


class Level(enum.IntEnum):
    LOW = 1


class Word(enum.StrEnum):
    YES = "yes"


class Planet(enum.Enum):
    EARTH = (5.9, 6.3)

    def __init__(self, mass, radius):
        self.mass = mass
        self.radius = radius

    @property
    def ratio(self):
        return self.mass / self.radius


class Measure(int, enum.Enum):
    ONE = 1

    def __new__(cls, value):
        made = int.__new__(cls, value)
        made._value_ = value
        made.unit = ["m"]
        return made


@dataclasses.dataclass
class Record:
    a: int
    b: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int
    b: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True, weakref_slot=True)
class Slotted:
    a: int
    b: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Strict:
    a: int
    b: tuple = ()


@dataclasses.dataclass
class Derived(Record):
    c: dataclasses.InitVar[int] = 0
    d: typing.ClassVar[int] = 4

    def __post_init__(self, c):
        self.e = c


class Slots:
    __slots__ = ("__b", "a", "unset")

    def __init__(self):
        self.a = 1
        self.__b = 2


class SlotsAndDict(Slots):
    def __init__(self):
        super().__init__()
        self.c = [3]


class OneSlot:
    __slots__ = "only"

    def __init__(self):
        self.only = 1


Point = collections.namedtuple("Point", "x y")


class Size(typing.NamedTuple):
    width: int
    unit: str = "m"


class Vector(Point):
    @property
    def length(self):
        return abs(self.x) + abs(self.y)


class Movie(typing.TypedDict, total=False):
    name: typing.Required[str]
    year: int


class Sequel(Movie):
    number: int


class NewArgs:
    def __new__(cls, a):
        made = super().__new__(cls)
        made.a = a
        return made

    def __getnewargs__(self):
        return (self.a,)


class NewArgsEx:
    def __new__(cls, a, *, b):
        made = super().__new__(cls)
        made.args = a, b
        return made

    def __getnewargs_ex__(self):
        return self.args[:1], {"b": self.args[1]}


class Stateful:
    def __init__(self):
        self.kept, self.dropped = [1], object()

    def __getstate__(self):
        return self.kept

    def __setstate__(self, state):
        self.kept = state
        self.dropped = None


class Reduced:
    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return Reduced, (self.value,)


class My:
    """Subclasses."""

    class Int(int): ...

    class Str(str): ...

    class Float(float): ...

    class Complex(complex): ...

    class Bytes(bytes): ...

    class ByteArray(bytearray): ...

    class Tuple(tuple): ...

    class List(list): ...

    class Dict(dict): ...

    class Set(set): ...

    class FrozenSet(frozenset): ...

    class Deque(collections.deque): ...

    class DefaultDict(collections.defaultdict): ...

    class Array(array.array): ...

    class UserDict(collections.UserDict): ...

    class Date(datetime.datetime): ...

    class Path(pathlib.PurePosixPath): ...


class OwnError(Exception):
    def __init__(self, a, *, b=1):
        super().__init__(a)
        self.b = b


class Meta(type):
    @property
    def shown(cls):
        return cls.__name__


class WithMeta(metaclass=Meta):
    pass


T = typing.TypeVar("T", bound=Record)
P = typing.ParamSpec("P")
Ts = typing.TypeVarTuple("Ts")
UserId = typing.NewType("UserId", int)
type Numbers = list[int]
type Json = dict[str, Json] | list[Json] | str | float | None
type Table[K] = dict[K, Record]


class Box(typing.Generic[T]):  # noqa: UP046
    pass


class Crate[X]:
    content: X


class Runs(typing.Protocol):
    def run(self) -> int: ...


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Square(Shape):
    def area(self):
        return 1


class Tools:
    @property
    def prop(self):
        return 1

    @classmethod
    def make(cls):
        return cls()

    @staticmethod
    def plain():
        return 3

    @functools.cached_property
    def cached(self):
        return [1]

    def method(self):
        return self

    class Inner:
        pass


def function(a, /, b=2, *args, c: int = 1, **kwargs):
    """Its docstring."""
    return a, b, args, c, kwargs


def generic[X](x: X) -> X:
    return x


@functools.lru_cache
def cached(x):
    return x


@functools.wraps(function)
def wrapped(*args):
    return function(*args)


@functools.singledispatch
def measure(x):
    return 0


@measure.register
def measure_list(x: list):
    return 1 + sum(map(measure, x))


def closure(n):
    def add(x):
        return x + n

    return add


def generate():
    yield 1


async def coroutine():
    pass


async def generate_later():
    yield 1


def attributes(obj, **values):
    for name, value in values.items():
        setattr(obj, name, value)
    return obj


def noted():
    error = ValueError("text", [1])
    error.add_note("first")
    error.add_note("second")
    return error


def caught():
    try:
        return 1 / 0
    except ZeroDivisionError as error:
        return error


# What arrives equal, and of the same type. Each is made anew for every crossing.
ZOO = {
    "ctypes structure": lambda: Pair(1, 2.0),
    "ctypes union": lambda: Either(3),
    "ctypes structure in one": lambda: Nested(Pair(1, 2), (ctypes.c_int * 3)(1, 2, 3), Either(7)),
    "ctypes structure derived": lambda: Longer(1, 2, 3),
    "ctypes structure swapped": lambda: Swapped(3),
    "ctypes structure packed": lambda: Packed(b"a", 1, 2),
    "ctypes array": lambda: (ctypes.c_int * 3)(1, 2, 3),
    "ctypes array of structures": lambda: (Pair * 2)(Pair(1, 2), Pair(3, 4)),
    "ctypes int": lambda: ctypes.c_int(4),
    "ctypes bool": lambda: ctypes.c_bool(True),
    "ctypes string buffer": lambda: ctypes.create_string_buffer(b"abc"),
    "enum": lambda: [Color.RED, Color.BLUE, Color.CRIMSON],
    "flags": lambda: [Right.READ | Right.WRITE, Right(0), Bit.A | Bit.B, Bit(8 | 1)],
    "int enum, str enum": lambda: [Level.LOW, Word.YES],
    "enum with __init__, with __new__": lambda: [Planet.EARTH, Measure.ONE],
    "functional enum": lambda: Shade.DARK,
    "dataclass": lambda: Record(1, [2]),
    "frozen dataclass": lambda: Frozen(1, [2]),
    "slotted dataclass": lambda: Slotted(1, [2]),
    "strict dataclass": lambda: Strict(a=1, b=(2,)),
    "derived dataclass": lambda: Derived(1, c=5),
    "dataclass made at run time": lambda: Made(1),
    "slots": Slots,
    "slots and dict": SlotsAndDict,
    "one slot": OneSlot,
    "namedtuples": lambda: [Point(1, [2]), Size(1), Vector(1, 2)],
    "TypedDict": lambda: Movie(name="x"),
    "__getnewargs__": lambda: NewArgs([1]),
    "__getnewargs_ex__": lambda: NewArgsEx(1, b=[2]),
    "__getstate__": lambda: Stateful().kept,
    "__reduce__": lambda: Reduced([1]),
    "subclass of int": lambda: attributes(My.Int(5), x=[1]),
    "subclass of str": lambda: attributes(My.Str("5"), x=[1]),
    "subclass of float": lambda: attributes(My.Float(5), x=[1]),
    "subclass of complex": lambda: My.Complex(5j),
    "subclass of bytes": lambda: My.Bytes(b"5"),
    "subclass of bytearray": lambda: attributes(My.ByteArray(b"5"), x=[1]),
    "subclass of tuple": lambda: attributes(My.Tuple((1, [2])), x=[1]),
    "subclass of list": lambda: attributes(My.List([1, [2]]), x=[1]),
    "subclass of dict": lambda: attributes(My.Dict(a=[1]), x=[1]),
    "subclass of set": lambda: attributes(My.Set({1}), x=[1]),
    "subclass of frozenset": lambda: attributes(My.FrozenSet({1}), x=[1]),
    "subclass of deque": lambda: attributes(My.Deque([1], 4), x=[1]),
    "subclass of defaultdict": lambda: My.DefaultDict(list, a=[1]),
    "subclass of array": lambda: attributes(My.Array("d", [1.5]), x=[1]),
    "subclass of UserDict": lambda: My.UserDict(a=1),
    "subclass of datetime": lambda: My.Date(2026, 1, 2, fold=1),
    "subclass of path": lambda: My.Path("a/b"),
    "own error": lambda: OwnError([1], b=[2]),
    "error with notes": noted,
    "error that was raised": caught,
    "group": lambda: ExceptionGroup("g", [noted(), ExceptionGroup("h", [KeyError("k")])]),
    "base group": lambda: BaseExceptionGroup("b", [KeyboardInterrupt(), SystemExit(3)]),
    "OSError": lambda: OSError(2, "no", "one", None, "two"),
    "Unicode errors": lambda: [UnicodeDecodeError("utf8", b"a", 0, 1, "r"), UnicodeEncodeError("a", "b", 0, 1, "r")],
    "StopIteration": lambda: StopIteration([3]),
    "ImportError": lambda: ImportError("m", name="n", path="p"),
    "AttributeError": lambda: AttributeError("m", name="n", obj=[1]),
    "SyntaxError": lambda: SyntaxError("m", ("f", 1, 2, "t", 1, 3)),
    "JSONDecodeError": lambda: json.JSONDecodeError("m", "doc", 1),
    "CalledProcessError": lambda: subprocess.CalledProcessError(1, "x", "o", "e"),
    "partial": lambda: functools.partial(int, base=2),
    "partial of own": lambda: attributes(functools.partial(function, 1, c=3), x=[1]),
    "partialmethod": lambda: functools.partialmethod(function, 1),
    "date": lambda: datetime.date(2026, 1, 2),
    "time": lambda: datetime.time(1, 2, 3, 4, datetime.UTC, fold=1),
    "datetime": lambda: datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.timezone(datetime.timedelta(hours=2), "X")),
    "timedelta": lambda: datetime.timedelta(1, 2, 3),
    "timezone": lambda: datetime.timezone(datetime.timedelta(hours=-2), "Y"),
    "ZoneInfo": lambda: datetime.datetime(2026, 7, 1, tzinfo=utc_zone()),
    "Decimal": lambda: [decimal.Decimal("1.10"), decimal.Decimal("-Infinity"), decimal.Decimal("NaN123")],
    "decimal context": lambda: decimal.Context(prec=5),
    "Fraction": lambda: fractions.Fraction(1, 3),
    "UUID": lambda: uuid.UUID(int=5, is_safe=uuid.SafeUUID.safe),
    "paths": lambda: [pathlib.Path("/a/b"), pathlib.PurePosixPath("a"), pathlib.PureWindowsPath("c:/a")],
    "patterns": lambda: [re.compile("a+", re.I), re.compile(b"a+")],
    "ranges": lambda: [range(1, 9, 2), range(10**30)],
    "slice": lambda: slice(1, [2], None),
    "deque": lambda: collections.deque([1, [2]], maxlen=3),
    "OrderedDict": lambda: collections.OrderedDict(b=1, a=[2]),
    "defaultdict": lambda: collections.defaultdict(list, a=[1]),
    "defaultdict of own": lambda: collections.defaultdict(closure, a=[1]),
    "Counter": lambda: collections.Counter("hello"),
    "ChainMap": lambda: collections.ChainMap({"a": 1}, {"b": 2}),
    "arrays": lambda: [array.array("d", [1.5]), array.array("b", b"ab")],
    "mappingproxy": lambda: types.MappingProxyType({"a": [1]}),
    "SimpleNamespace": lambda: types.SimpleNamespace(a=[1]),
    "user containers": lambda: [collections.UserDict(a=1), collections.UserList([1]), collections.UserString("a")],
    "addresses": lambda: [ipaddress.ip_address("1.2.3.4"), ipaddress.ip_address("::1"), ipaddress.ip_interface("::1/8")],
    "networks": lambda: [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::/8")],
    "generic aliases": lambda: [list[int], dict[str, Record], tuple[*tuple[int, ...]], Crate[int], Box[Record]],
    "unions": lambda: [int | None, typing.Optional[Record], Record | Frozen],  # noqa: UP045
    "typing": lambda: [
        list[int], typing.Callable[[int], str], typing.Any, typing.Literal["a", 1], typing.Annotated[int, "x"],
        typing.Unpack[tuple[int]], typing.Self, typing.Never, typing.Final[int],
        typing.ClassVar[int], typing.Concatenate[int, ...], typing.TypeGuard[int], typing.AnyStr,
        list[T], typing.Callable[P, int], Table[int], Numbers, Json,
    ],  # fmt: skip
    "generic instances": lambda: [Box(), Box[Record](), Crate()],
    "bound method": lambda: Tools().method,
    "builtin bound method": lambda: [1].append,
    "descriptors": lambda: [vars(Tools)[name] for name in ("prop", "make", "plain", "cached")],
    "operator": lambda: [operator.attrgetter("a.b", "c"), operator.itemgetter(1, [2]), operator.methodcaller("f", 1, a=2)],
    "iterators": lambda: [iter([1, 2]), iter("ab"), iter(range(3)), zip([1], [2]), map(str, [1]), enumerate([1])],
    "StringIO, BytesIO": lambda: [io.StringIO("abc"), io.BytesIO(b"abc")],
    "string.Template": lambda: string.Template("$a"),
    "LogRecord": lambda: logging.makeLogRecord({"msg": "a", "created": 1.0, "msecs": 0, "relativeCreated": 2.0}),
    "Random": lambda: random.Random(4),
    "signature": lambda: inspect.signature(function),
    "syntax tree": lambda: ast.parse("a = [1]"),
    "struct_time": lambda: time.gmtime(0),
    "stat_result": lambda: os.stat_result(range(10)),
    "argparse": lambda: argparse.Namespace(a=[1]),
    "ConfigParser": configparser.ConfigParser,
    "element tree": lambda: ElementTree.fromstring("<a b='1'><c/>t</a>"),
    "FrameSummary": lambda: traceback.FrameSummary("file", 1, "name", lookup_line=False),
    "CompletedProcess": lambda: subprocess.CompletedProcess("a", 1),
    "socket constant": lambda: [socket.AF_INET, socket.SOCK_STREAM],
    "code": lambda: function.__code__,
}  # fmt: skip
if sys.version_info >= (3, 14):
    ZOO["template string"] = lambda: eval('(lambda name: t"a{name!r:>5}b{1}")')("x")

# What is the same object when it returns.
IDENTICAL = {
    "classes": lambda: [
        Record, Frozen, Slotted, Strict, Derived, Slots, SlotsAndDict, Point, Size, Vector, Movie, Sequel, My.List,
        WithMeta, Meta, Box, Crate, Runs, Shape, Square, Tools, Tools.Inner, OwnError, Made, Packed,
    ],
    "enums": lambda: [Color, Color.RED, Right, Bit, Level, Word, Planet, Planet.EARTH, Measure, Shade],
    "ctypes types": lambda: [
        Pair, Either, Nested, Longer, Swapped, Linked, Pair * 3, ctypes.c_int * 3 * 2, ctypes.POINTER(Pair),
        ctypes.POINTER(ctypes.c_int), ctypes.c_int, type(Pair), ctypes.c_int.__ctype_be__, ctypes.c_int.__ctype_le__,
    ],
    "functions": lambda: [function, generic, wrapped, closure, generate, coroutine, generate_later, ADD_ONE, measure],
    "typing": lambda: [T, P, Ts, UserId, Numbers, Json, Table, typing.AnyStr, typing.Any],
    "sentinels": lambda: [dataclasses.MISSING, dataclasses.KW_ONLY, inspect.Parameter.empty, ..., NotImplemented, None],
    "builtin": lambda: [len, int, str.upper, int.__add__, type, object, type(None), types.FunctionType, os.path, json],
    "loggers": lambda: [logging.getLogger(), logging.getLogger("a.b")],
    "time zone": lambda: [datetime.UTC, utc_zone()],
}  # fmt: skip

# Containers: how one is made around a part, and where the part is then. Functions are none: their definitions
# are messages of their own.
HOLDERS = {
    "dataclass": (lambda part: Record(1, part), lambda obj: obj.b),
    "slots": (lambda part: Slotted(1, part), lambda obj: obj.b),
    "namedtuple": (lambda part: Point(1, part), lambda obj: obj.y),
    "deque": (lambda part: collections.deque([part]), lambda obj: obj[0]),
    "OrderedDict": (lambda part: collections.OrderedDict(a=part), lambda obj: obj["a"]),
    "defaultdict": (lambda part: collections.defaultdict(list, a=part), lambda obj: obj["a"]),
    "ChainMap": (lambda part: collections.ChainMap({"a": part}), lambda obj: obj["a"]),
    "mappingproxy": (lambda part: types.MappingProxyType({"a": part}), lambda obj: obj["a"]),
    "SimpleNamespace": (lambda part: types.SimpleNamespace(a=part), lambda obj: obj.a),
    "partial": (lambda part: functools.partial(function, part), lambda obj: obj.args[0]),
    "exception": (lambda part: ValueError(part), lambda obj: obj.args[0]),
    "slice": (lambda part: slice(part), lambda obj: obj.stop),
    "bound method": (lambda part: attributes(Tools(), a=part).method, lambda obj: obj.__self__.a),
    "subclass of list": (lambda part: My.List([part]), lambda obj: obj[0]),
}

Shade = enum.Enum("Shade", "DARK LIGHT")
Made = dataclasses.make_dataclass("Made", ["a"], namespace={"__module__": "__main__"})
ADD_ONE = closure(1)


def utc_zone():
    """UTC without the system's files, which not every system has."""
    try:
        return zoneinfo.ZoneInfo("UTC")
    except zoneinfo.ZoneInfoNotFoundError:
        return datetime.UTC
