# SPDX-License-Identifier: MIT
"""Random graphs of objects, and descriptions of them that are equal if the graphs are.

A description says type, value, order, and which places refer to the same object, for all objects but leaves that
nothing can tell apart. It is plain text, and making it changes nothing: instances keep their attributes inline.
"""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import struct
import sys
import types
import uuid

import interlock

FIELDS = ("value", "other", "link")


class Plain:
    """Attributes, of which any may be missing; hashed by its address."""

    def __init__(self, serial):
        self.serial = serial


class Slotted:
    __slots__ = ("link", "other", "serial", "value")

    def __init__(self, serial):
        self.serial = serial


@dataclasses.dataclass(eq=False)
class Record:
    serial: int
    value: object = None
    other: object = None
    link: object = None


@dataclasses.dataclass(frozen=True)
class Point:
    x: object
    y: object


class Color(enum.Enum):
    RED = 1
    BLUE = "blue"


class Flags(enum.IntFlag):
    A = 1
    B = 2


Pair = collections.namedtuple("Pair", "left right")


class MyList(list):
    pass


class MyDict(dict):
    pass


class MySet(set):
    pass


class MyTuple(tuple):
    pass


class MyText(str):
    pass


class MyInt(int):
    pass


class Failure(Exception):
    pass


def doubled(x):
    return 2 * x


def adder(n):
    return lambda x: x + n


INSTANCES = (Plain, Slotted, Record)
FIRST_NUMBER = 1 << 40
CONSTANTS = ("a constant of this module", b"bytes of this module", 1 << 80, 1.25, 2j, (1, "two", (3.5, b"4")))


# What is described by its type and text: nothing in it can be told apart.
BY_TEXT = (
    range, slice, decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath, datetime.date, datetime.timedelta,
    datetime.time,
)  # fmt: skip


def leaf_text(obj):
    """The text of a leaf, or None."""
    kind = type(obj)
    if obj is None or obj is ... or obj is NotImplemented or kind is bool:
        return repr(obj)
    if kind is int:
        return f"int {obj:x}"
    if kind is float:
        return f"float {struct.pack('<d', obj).hex()}"
    if kind is complex:
        return f"complex {struct.pack('<dd', obj.real, obj.imag).hex()}"
    if kind is str:
        return f"str {ascii(obj)}"
    if kind is bytes:
        return f"bytes {obj!r}"
    if isinstance(obj, enum.Enum) and not isinstance(obj, Flags):
        return f"member {kind.__qualname__} {obj.name} {kind.__members__[obj.name] is obj}"
    if isinstance(obj, Flags):
        return f"flags {kind.__qualname__} {obj.value}"
    if isinstance(obj, BY_TEXT):
        return f"{kind.__qualname__} {obj!r}"
    if isinstance(obj, (type, types.ModuleType, types.BuiltinFunctionType)):
        return f"named {obj.__name__}"
    if isinstance(obj, memoryview):
        return f"memoryview {obj.format} {obj.shape} {obj.readonly} {obj.tobytes()!r}"
    return None


def sort_key(element):
    """Of elements of a set, whose order is not theirs: tuples and frozensets have a number of their own."""
    text = leaf_text(element)
    if text is not None:
        return text
    if isinstance(element, tuple):
        return f"tuple {element[0]}"
    if isinstance(element, frozenset):
        return f"frozenset {min(each for each in element if is_number(each))}"
    if isinstance(element, Point):
        return f"Point {element.x}"
    return f"instance {element.serial}"


def is_number(obj):
    """One of Maker.number()."""
    return type(obj) is int and FIRST_NUMBER < obj < 2 * FIRST_NUMBER


def parts_of(obj):
    """(text, [the objects that it leads to])."""
    kind = type(obj).__qualname__
    if isinstance(obj, INSTANCES):
        there = [name for name in FIELDS if hasattr(obj, name)]
        return f"{kind} {obj.serial} {there}", [getattr(obj, name) for name in there]
    if isinstance(obj, Point):
        return kind, [obj.x, obj.y]
    if isinstance(obj, functools.partial):
        return kind, [obj.func, *obj.args, *obj.keywords.values()]
    if isinstance(obj, types.FunctionType):
        cells = obj.__closure__ or ()
        return f"function {obj.__qualname__} {obj.__code__.co_code.hex()}", [cell.cell_contents for cell in cells]
    if isinstance(obj, BaseException):
        return kind, [*obj.args, *getattr(obj, "__notes__", ()), *(getattr(obj, name, None) for name in FIELDS)]
    if isinstance(obj, types.SimpleNamespace):
        return kind, [part for item in vars(obj).items() for part in item]
    if isinstance(obj, bytearray):
        return f"{kind} {bytes(obj)!r}", []
    if isinstance(obj, array.array):
        return f"{kind} {obj.typecode} {obj.tobytes().hex()}", []
    children = []
    if isinstance(obj, (MyList, MyDict, MySet, MyTuple, MyText, MyInt)):
        children = [getattr(obj, name, None) for name in FIELDS]
    if isinstance(obj, dict):
        factory = getattr(obj, "default_factory", None)
        found = all(key in obj for key in obj)
        return f"{kind} {len(obj)} {factory} {found}", [part for item in obj.items() for part in item] + children
    if isinstance(obj, (set, frozenset)):
        found = all(element in obj for element in obj)
        return f"{kind} {len(obj)} {found}", sorted(obj, key=sort_key) + children
    if isinstance(obj, collections.deque):
        return f"{kind} {len(obj)} {obj.maxlen}", list(obj)
    if isinstance(obj, (list, tuple)):
        return f"{kind} {len(obj)}", list(obj) + children
    if isinstance(obj, (MyText, MyInt)):
        return f"{kind} {ascii(obj)}", children
    raise TypeError(f"cannot describe a {kind}")


def describe(root):
    """Lines of text. Depth first, without recursion."""
    numbers = {}
    lines = []
    todo = [root]
    while todo:
        obj = todo.pop()
        text = leaf_text(obj)
        if text is not None:
            lines.append(text)
        elif id(obj) in numbers:
            lines.append(f"again {numbers[id(obj)]}")
        else:
            text, children = parts_of(obj)
            if not (type(obj) in (tuple, frozenset) and len(obj) == 0):
                numbers[id(obj)] = len(numbers)
            lines.append(f"{numbers.get(id(obj), '-')}: {text}")
            todo += reversed(children)
    return "\n".join(lines)


def spoil(root):
    """Changes every container that can be changed."""
    seen = set()
    todo = [root]
    while todo:
        obj = todo.pop()
        if leaf_text(obj) is not None or id(obj) in seen:
            continue
        seen.add(id(obj))
        todo += parts_of(obj)[1]
        if isinstance(obj, (list, collections.deque)):
            obj.append("spoilt")
        elif isinstance(obj, dict):
            obj["spoilt"] = obj
        elif isinstance(obj, set):
            obj.add("spoilt")
        elif isinstance(obj, bytearray):
            obj += b"spoilt"
        elif isinstance(obj, Plain):
            obj.value = "spoilt"


class Maker:
    """Makes graphs. `nodes` are the objects of the last one, those that others contain before them."""

    def __init__(self, rng):
        self.rng = rng
        self.serial = FIRST_NUMBER
        self.nodes = []

    def number(self):
        self.serial += 1
        return self.serial

    def graph(self, size, is_plain=False):
        """A graph of about `size` objects; any of them may be what leads to the rest. Plain ones run no code."""
        rng = self.rng
        self.nodes = []
        self.keys = []  # those of them that can be hashed
        for _ in range(size):
            self.add(rng.choice(self.PLAIN_MAKERS if is_plain else self.MAKERS)(self))
        self.add_cycles()
        way = rng.randrange(8)
        if way == 0 and self.nodes:
            return self.nodes[-1]
        if way == 1:
            return tuple(self.nodes)
        if way == 2:
            return dict(enumerate(self.nodes))
        if way == 3:
            return collections.deque(self.nodes)
        if way == 4:
            root = Plain(self.number())
            root.value = self.nodes[:]
            return root
        return self.nodes[:]

    def add(self, node):
        self.nodes.append(node)
        if is_key(node):
            self.keys.append(node)

    def any(self):
        rng = self.rng
        if self.nodes and rng.random() < 0.7:
            return rng.choice(self.nodes[-8:] if rng.random() < 0.5 else self.nodes)
        return self.leaf()

    def key(self):
        if self.keys and self.rng.random() < 0.4:
            return self.rng.choice(self.keys)
        leaf = self.leaf()
        return leaf if is_key(leaf) else self.number()

    def some(self, source, most=6):
        return [source() for _ in range(self.rng.randrange(most))]

    def add_cycles(self):
        rng = self.rng
        for _ in range(rng.randrange(1 + len(self.nodes) // 4)):
            node = rng.choice(self.nodes)
            target = rng.choice(self.nodes)
            if isinstance(node, (MyTuple, MyText, MyInt)):
                node.other = target
            elif isinstance(node, (list, collections.deque)):
                node.append(target)
            elif isinstance(node, dict) and not isinstance(node, collections.Counter):
                node[rng.choice(("cycle", self.number()))] = target
            elif isinstance(node, INSTANCES):
                setattr(node, rng.choice(FIELDS), target)

    # One of each kind.

    def text(self):
        rng = self.rng
        letter = rng.choice(("a", "z", "\xe9", "\u20ac", "\U0001f600", "\ud800", "\0"))
        text = letter * rng.choice((0, 1, 2, 9, 300)) + str(rng.randrange(100)) * rng.randrange(2)
        return sys.intern(text) if rng.random() < 0.2 else text

    def integer(self):
        rng = self.rng
        sign = rng.choice((1, -1))
        return sign * rng.getrandbits(rng.choice((1, 8, 29, 31, 61, 63, 64, 65, 200, 5000)))

    def leaf(self):
        rng = self.rng
        way = rng.randrange(12)
        if way == 0:
            return rng.choice((None, True, False, ..., NotImplemented))
        if way < 4:
            return self.integer()
        if way < 7:
            return self.text()
        if way == 7:
            return bytes([rng.randrange(256)]) * rng.choice((0, 1, 2, 40))
        if way == 8:
            return rng.choice((0.0, -0.0, float("inf"), float("nan"), rng.random()))
        if way == 9:
            return complex(rng.random(), rng.choice((0.0, -0.0, float("nan"))))
        return rng.choice(CONSTANTS)

    def list(self):
        return self.rng.choice((list, list, MyList))(self.some(self.any))

    def tuple(self):
        if self.rng.random() < 0.2:
            return Pair(self.number(), self.any())
        return self.rng.choice((tuple, tuple, MyTuple))([self.number(), *self.some(self.any)] * self.rng.randrange(2))

    def dict(self):
        rng = self.rng
        made = rng.choice((dict, dict, dict, MyDict, collections.OrderedDict))()
        for _ in range(rng.choice((0, 1, 4, 12))):
            made[f"key{rng.randrange(20)}" if rng.random() < 0.6 else self.key()] = self.any()
        for key in list(made):
            if rng.random() < 0.2:
                del made[key]
        return made

    def dicts_of_a_shape(self):
        names = ["id", "name", *(f"field{n}" for n in range(self.rng.randrange(4)))]
        return [{name: self.any() for name in names} for _ in range(self.rng.randrange(1, 6))]

    def other_dict(self):
        if self.rng.random() < 0.5:
            return collections.Counter({self.text(): n for n in range(3)})
        return collections.defaultdict(list, {self.key(): self.any()})

    def set(self):
        rng = self.rng
        made = rng.choice((set, set, MySet))(self.some(self.key, 12))
        for element in list(made):
            if rng.random() < 0.2:
                made.discard(element)
        return made

    def frozenset(self):
        return frozenset([self.number(), *self.some(self.key)] * self.rng.randrange(2))

    def plain(self):
        way = self.rng.randrange(7)
        if way == 0:
            return {self.integer(): self.any(), self.text(): self.any()}
        if way == 1:
            return {self.text() for _ in range(3)}
        if way == 2:
            return Plain(self.leaf())  # alone, it may be told by a few words
        if way == 3:
            return Record(self.number(), *self.some(self.any, 4))
        return (list, tuple, tuple)[way - 4](self.some(self.any))

    def deque(self):
        if self.rng.random() < 0.5:  # so many that they move
            return collections.deque([*([each] for each in range(40)), *self.some(self.any)])
        return collections.deque(self.some(self.any), self.rng.choice((None, 3)))

    def bytearray(self):
        made = bytearray(self.rng.randbytes(self.rng.choice((0, 1, 50))))
        if self.rng.random() < 0.3:
            del made[:1]  # the bytes no longer begin where the storage does
        return made

    def array(self):
        return array.array(self.rng.choice("bBhiqfd"), [self.rng.randrange(100) for _ in range(self.rng.randrange(9))])

    def memoryview(self):
        rng = self.rng
        owner = rng.choice((bytes, bytearray))(rng.randbytes(24))
        view = memoryview(owner)
        return rng.choice((view, view[3:9], view[::2], view.cast("i"), view.cast("B", [4, 6]), view.toreadonly()))

    def instance(self):
        rng = self.rng
        made = rng.choice(INSTANCES)(self.number())
        for name in FIELDS:
            if rng.random() < 0.6:
                setattr(made, name, self.any())
        return made

    def point(self):
        leaf = self.leaf()  # nothing that leads back to it: a set would hash it before it is complete
        return Point(self.number(), leaf if is_leaf_key(leaf) else None)

    def attributes(self):
        """The dict of an instance that has gone: met before the instance, it would be a state still incomplete."""
        made = Plain(self.number())
        made.value = self.any()
        return vars(made)

    def subclassed_leaf(self):
        made = self.rng.choice((MyText(self.text()), MyInt(self.integer())))
        made.value = self.any()
        return made

    def exception(self):
        made = self.rng.choice((ValueError, Failure, KeyError))(*self.some(self.any, 3))
        if self.rng.random() < 0.5:
            made.add_note(self.text())
        made.value = self.any()
        return made

    def callable(self):
        return self.rng.choice((
            doubled, len, adder(self.number()), functools.partial(doubled, self.any()), Plain, Color, dict, collections,
        ))  # fmt: skip

    def standard(self):
        rng = self.rng
        return rng.choice((
            Color.RED, Color.BLUE, Flags.A | Flags.B, range(rng.randrange(9)), slice(1, rng.randrange(9)),
            decimal.Decimal("1.50"), fractions.Fraction(1, 3), uuid.UUID(int=rng.getrandbits(128)),
            pathlib.PurePosixPath("/a/b"), datetime.datetime(2020, 1, 2, 3, 4, 5, rng.randrange(10**6)),
            datetime.timedelta(rng.randrange(99)), types.SimpleNamespace(value=self.any(), link=self.any()),
        ))  # fmt: skip

    def frozen(self):
        """In an arena, which other interpreters share."""
        parts = [self.leaf() for _ in range(self.rng.randrange(6))]
        return interlock.freeze((self.number(), parts, b"bytes of the arena"))

    def nest(self):
        """Deeper than most code goes by recursion."""
        made = self.any()
        for _ in range(self.rng.choice((3, 3, 30, 300))):
            made = self.rng.choice((lambda inner: [inner], lambda inner: {"in": inner}, lambda inner: (0, inner)))(made)
        return made

    MAKERS = (
        *[leaf] * 4, *[list] * 3, *[tuple] * 3, *[dict] * 4, *[set] * 2, frozenset, dicts_of_a_shape, other_dict,
        deque, bytearray, array, memoryview, *[instance] * 3, point, attributes, subclassed_leaf, exception, callable,
        standard, nest, frozen,
    )  # fmt: skip
    PLAIN_MAKERS = (*[leaf] * 4, *[plain] * 6, dicts_of_a_shape)


def is_key(node):
    """Can be hashed, soon and alike everywhere. Nested tuples would hash what they share again and again."""
    if isinstance(node, tuple):
        return len(node) > 0 and all(map(is_leaf_key, node))
    return is_leaf_key(node) or isinstance(node, frozenset) and len(node) > 0 or type(node) in (Plain, Point)


def is_leaf_key(node):
    return type(node) in (int, str, bytes, float, bool, Color, type(None))
