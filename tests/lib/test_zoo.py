# SPDX-License-Identifier: MIT
"""The objects of zoo.py, sent to another interpreter and back, copied and moved; their classes by value and by name."""

import contextlib
import contextvars
import copyreg
import csv
import ctypes
import enum
import functools
import hashlib
import operator
import pathlib
import queue
import re
import struct
import sys
import threading
import types
import unittest
import weakref

import interlock
import support
import zoo as by_name

# The same definitions, of the main program.
by_value = sys.modules[__name__]
_source = pathlib.Path(__file__).with_name("zoo.py")
exec(compile(_source.read_text(), str(_source), "exec"), vars(by_value))


# What does not cross, and the name of its type.
REFUSED = {
    "ReferenceType": lambda: weakref.ref(by_value.Record),
    "generator": by_value.generate,
    "async_generator": by_value.generate_later,
    "frame": sys._getframe,
    "traceback": lambda: by_value.caught().__traceback__,
    "dict_keys": lambda: {1: 2}.keys(),
    "Match": lambda: re.match("a", "a"),
    "KeyWrapper": lambda: functools.cmp_to_key(operator.sub)(1),
    "ContextVar": lambda: contextvars.ContextVar("a"),
    "Context": contextvars.copy_context,
    "SimpleQueue": queue.SimpleQueue,
    "lock": threading.Lock,
    "_local": threading.local,
    "Struct": lambda: struct.Struct("<i"),
    type(hashlib.sha256()).__name__: lambda: hashlib.sha256(b"a"),  # OpenSSL's, if that is there
    "Dialect": lambda: csv.get_dialect("excel"),
    "c_void_p": lambda: ctypes.c_void_p(1),
    "LP_c_int": lambda: ctypes.pointer(ctypes.c_int(1)),
    "TextIOWrapper": lambda: sys.stdout,
}

# Of types that CPython does not take apart.
SEEN_BY = {
    types.MappingProxyType: dict,
    types.CodeType: lambda code: [code.co_name, code.co_code, repr(code.co_consts), list(code.co_lines())],
    property: lambda prop: [prop.fget, prop.fset, prop.__doc__],
    staticmethod: lambda method: method.__func__,
    classmethod: lambda method: method.__func__,
}


def picture(obj, met):
    """What `obj` is: types, values, identities of what is one of its kind, and what has been met before.

    `met` keeps all that was met, by id.
    """
    if obj is None or type(obj) in (bool, int, float, complex, str, bytes, bytearray, range):
        return type(obj), repr(obj)
    if isinstance(obj, (type, types.FunctionType, types.ModuleType, enum.Enum)):
        return type(obj), id(obj)
    if id(obj) in met:
        return "again", met[id(obj)][0]
    met[id(obj)] = len(met), obj
    if isinstance(obj, (ctypes.Array, ctypes.Structure, ctypes.Union, ctypes._SimpleCData)):
        return type(obj), bytes(obj)
    kind = type(obj)
    if kind in (list, tuple):
        return kind, [picture(each, met) for each in obj]
    if kind in (set, frozenset):
        return kind, sorted(map(repr, obj))
    if kind is dict:
        return kind, [(picture(key, met), picture(value, met)) for key, value in obj.items()]
    if kind in SEEN_BY:
        return kind, picture(SEEN_BY[kind](obj), met)
    reduce = copyreg.dispatch_table.get(kind)
    parts = reduce(obj) if reduce else obj.__reduce_ex__(5)
    if isinstance(parts, str):
        return kind, parts, id(obj)
    items = [list(each) if index in (3, 4) and each is not None else each for index, each in enumerate(parts)]
    return kind, [picture(each, met) for each in items]


def look(obj):
    return picture(obj, {})


def pass_on(inbox, outbox, move):
    """Sends back what it receives, and what it looked like."""
    for item in inbox:
        outbox.send(shown(item))
        outbox.send(item, move=move)


def shown(obj):
    return type(obj).__qualname__, re.sub("0x[0-9a-fA-F]+|<[^<]*method .*>|<[^ ]*_Array_", "", repr(obj))


class Zoo(support.TestCase):
    zoo = by_value
    move = False

    @classmethod
    def setUpClass(cls):
        cls.interpreter = interlock.Interpreter()
        cls.addClassCleanup(cls.interpreter.close)

    def setUp(self):
        self.there, self.back = interlock.Channel(), interlock.Channel(2)
        self.future = self.interpreter.submit(pass_on, self.there, self.back, self.move)
        self.future.add_done_callback(lambda _: self.back.close())  # wakes who would wait for what failed there
        self.addCleanup(self.future.exception, support.LIMIT)
        self.addCleanup(self.there.close)

    def there_and_back(self, obj, look_there=True):
        expected = shown(obj)
        self.there.send(obj, move=self.move)
        try:
            seen = self.back.recv(support.LIMIT)
            result = self.back.recv(support.LIMIT)
        except interlock.ChannelClosed:
            self.future.result(support.LIMIT)
            raise
        if look_there:
            self.assertEqual(seen, expected)
        return result

    @contextlib.contextmanager
    def case(self, name):
        with self.subTest(name):
            if self.future.done():  # what failed there has ended it
                self.setUp()
            yield

    def test_what_arrives_is_equal_and_of_the_same_type(self):
        for name, make in self.zoo.ZOO.items():
            with self.case(name):
                expected = look(make())
                sent = make()
                self.assertEqual(look(sent), expected, "the picture of an object is not one of its value")
                result = self.there_and_back(sent)
                self.assertIs(type(result), type(sent))
                self.assertEqual(look(result), expected)
                if not self.move:
                    self.assertEqual(look(sent), expected, "sending it has changed it")

    def test_an_object_sent_twice_in_a_message_arrives_once(self):
        for name, make in self.zoo.ZOO.items():
            with self.case(name):
                obj = make()
                first, second = self.there_and_back([obj, obj], look_there=False)
                self.assertIs(first, second)

    def test_what_there_is_one_of_is_the_same_when_it_returns(self):
        for name, make in self.zoo.IDENTICAL.items():
            with self.case(name):
                sent = make()
                for result, original in zip(self.there_and_back(sent[:], look_there=False), sent, strict=True):
                    self.assertIs(result, original)

    def test_parts_that_objects_share_stay_shared(self):
        for name, (make, part_of) in self.zoo.HOLDERS.items():
            with self.case(name):
                part = [1, "part"]
                obj = make(part)
                result, other, again = self.there_and_back([obj, part, [obj, part]], look_there=False)
                self.assertIs(type(result), type(obj))
                self.assertIs(part_of(result), other)
                self.assertIs(again[0], result)
                self.assertIs(again[1], other)
                self.assertEqual(other, [1, "part"])

    def test_an_object_in_a_cycle(self):
        for name, (make, part_of) in self.zoo.HOLDERS.items():
            if name in ("slice", "partial", "mappingproxy"):
                continue  # they exist only after their part does
            with self.case(name):
                part = []
                part.append(make(part))
                result = self.there_and_back(part, look_there=False)
                self.assertIs(part_of(result[0]), result)

    def test_what_does_not_cross_is_refused_by_name(self):
        for name, make in REFUSED.items():
            with self.subTest(name), self.assertRaises(interlock.TransferError) as caught:
                self.there.send(["x", {"key": make()}], move=self.move)
            self.assertRegex(str(caught.exception), rf"^message\[1\]\['key'\]: an? {name} cannot leave its interpreter")


class Moved(Zoo):
    move = True


class ByName(Zoo):
    zoo = by_name


class MovedByName(Zoo):
    zoo = by_name
    move = True


class There(support.TestCase):
    """Definitions of the other interpreter keep their identity, too."""

    def test_what_another_interpreter_defines(self):
        interpreter = self.interpreter()
        interpreter.exec(
            "import ctypes, dataclasses, enum, typing\n"
            "class Pair(ctypes.Structure): _fields_ = [('x', ctypes.c_int)]\n"
            "@dataclasses.dataclass(slots=True)\n"
            "class Item: n: int\n"
            "class Kind(enum.Enum): A = 1\n"
            "class Film(typing.TypedDict): name: str\n"
            "def twice(x): return 2 * x\n"
            "V = typing.TypeVar('V')\n"
            "Id = typing.NewType('Id', int)\n"
            "type Tree = list[Tree]\n"
            "mine = [Pair, Item, Kind, Kind.A, Film, twice, V, Id, Tree]\n"
        )
        got = interpreter.call(lambda: sys.modules["__main__"].mine)
        again = interpreter.call(lambda: sys.modules["__main__"].mine)
        for first, second in zip(got, again, strict=True):
            self.assertIs(first, second)
        same = interpreter.call(lambda got: list(map(operator.is_, got, sys.modules["__main__"].mine)), got)
        self.assertEqual(same, [True] * len(got))
        pair, item, kind, a, film, twice, _, _, tree = got
        self.assertEqual((pair(3).x, item(4).n, kind(1), film(name="x"), twice(2)), (3, 4, a, {"name": "x"}, 4))
        self.assertEqual(tree.__value__, list[tree])

    def test_structures_work_there(self):
        interpreter = self.interpreter()
        self.assertEqual(
            interpreter.call(lambda pair: (pair.total(), type(pair)(1, 2).total()), by_value.Pair(3, 4)), (7.0, 3.0)
        )
        nested = by_value.Nested(by_value.Pair(1, 2), (ctypes.c_int * 3)(1, 2, 3), by_value.Either(7))
        self.assertEqual(
            interpreter.call(lambda nested: (nested.x, nested.pair.x, nested.numbers[2]), nested), (7, 1, 3)
        )
        self.assertEqual(interpreter.call(lambda packed: (packed.b, packed.c), by_value.Packed(b"a", 1, 2)), (1, 2))
        self.assertEqual(interpreter.call(bytes, by_value.Swapped(3)), b"\0\0\0\3")
        kinds = [by_value.Pair, by_value.Nested, by_value.Longer, by_value.Packed]
        sizes = interpreter.call(lambda kinds: list(map(ctypes.sizeof, kinds)), kinds)
        self.assertEqual(sizes, list(map(ctypes.sizeof, kinds)))

    def test_a_function_dispatches_there_by_what_is_registered_here(self):
        interpreter = self.interpreter()

        @functools.singledispatch
        def name(x):
            return "object"

        self.assertEqual([interpreter.call(name, each) for each in (1, [])], ["object"] * 2)
        name.register(int, lambda x: "int")
        self.assertEqual([interpreter.call(name, each) for each in (1, [])], ["int", "object"])
        self.assertIs(interpreter.call(lambda: name), name)
        self.assertEqual(interpreter.call(by_value.measure, [[], [[]]]), 4)

    def test_a_refusal_inside_a_definition_says_where_it_is(self):
        stream = by_value.generate()

        def reads():
            return stream

        with self.assertRaises(interlock.TransferError) as caught:
            interlock.Channel(1).send({"f": [reads]})
        self.assertRegex(
            str(caught.exception),
            r"^message\['f'\]\[0\]: a function cannot leave its interpreter: function\..*: a generator cannot leave",
        )


if __name__ == "__main__":
    unittest.main()
