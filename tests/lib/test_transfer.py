# SPDX-License-Identifier: MIT
"""What a message keeps of an object, through a channel to oneself and through an interpreter."""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import gc
import json
import math
import pathlib
import random
import re
import sys
import types
import unittest
import uuid
import weakref

import interlock
import support


def round_trip(obj):
    channel = interlock.Channel(1)
    channel.send(obj)
    return channel.recv()


@dataclasses.dataclass
class Record:
    name: str
    values: list = dataclasses.field(default_factory=list)
    link: object = None


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: int
    b: tuple


class Color(enum.Enum):
    RED = 1
    BLUE = "b"


class Plain:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Holder:
    def __init__(self, item):
        self.item = item


class WithState:
    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return [self.value]

    def __setstate__(self, state):
        self.value = state[0]


class OwnError(Exception):
    def __init__(self, a, b):
        super().__init__(a, b)
        self.a = a


Point = collections.namedtuple("Point", "x y")


class Values(support.TestCase):
    def check(self, obj):
        result = round_trip(obj)
        self.assertIs(type(result), type(obj))
        self.assertEqual(result, obj)
        return result

    def test_ints_that_are_held_keep_their_value(self):
        """Received ints that nobody has any more lend their memory to later ones."""
        rng = random.Random(7)
        channel = interlock.Channel(None)
        expected, kept = [], []
        for _ in range(300):
            values = [
                rng.choice((1, -1)) * rng.getrandbits(rng.choice((4, 12, 29, 30, 31, 54, 70))) for _ in range(100)
            ]
            channel.send_many(values)
            received = [channel.recv() for _ in range(rng.randrange(30))]
            while len(received) < len(values):
                received += channel.recv_many(rng.randrange(1, 80))
            self.assertEqual(received, values)
            for value, item in zip(values, received):
                if rng.random() < 0.1:
                    expected.append(str(value))
                    kept.append(item)
                elif kept and rng.random() < 0.1:
                    place = rng.randrange(len(kept))
                    del expected[place], kept[place]
        self.assertEqual([str(item) for item in kept], expected)
        self.assertEqual({hash(item) for item in kept}, {hash(int(text)) for text in expected})

    def test_atoms_arrive_equal(self):
        for obj in (None, True, False, ..., NotImplemented, 0, -1, 1.5, -0.0, math.inf, 2 - 3j, "", "a"):
            with self.subTest(obj=obj):
                self.check(obj)
        self.assertEqual(math.copysign(1, round_trip(-0.0)), -1)
        self.assertTrue(math.isnan(round_trip(math.nan)))

    def test_integers_of_every_size(self):
        for bits in (*range(0, 70), 127, 128, 255, 256, 1000, 100_000):
            for number in (1 << bits, (1 << bits) - 1, -(1 << bits), -(1 << bits) - 1):
                self.assertEqual(round_trip(number), number)

    def test_text_of_every_kind(self):
        for text in ("abc", "äöü", "\xff" * 99, "日本語", "😀" * 7, "\ud800", "a\udfffb", "\0", "x" * 100_000):
            self.check(text)

    def test_bytes(self):
        for size in (0, 1, 7, 8, 9, 100_000):
            self.check(bytes(range(256)) * (size // 256) + bytes(size % 256))
            self.check(bytearray(size))

    def test_containers(self):
        self.check([1, [2, (3, {4: {5, 6}})], frozenset([7, (8,)])])
        self.check({})
        self.check({"a": 1, 2: "b", (3,): None, frozenset([4]): 5.0})
        self.check({i: str(i) for i in range(10_000)})

    def many_containers(self):
        return [[[i], {"a": [i]}, ({}, [i]), {i}, frozenset({(i,)}), Holder([i])] for i in range(1000)]

    def test_the_collector_knows_what_a_large_message_brought(self):
        self.addCleanup(gc.enable)
        for is_enabled in (True, False):
            things = self.many_containers()
            (gc.enable if is_enabled else gc.disable)()
            twins = round_trip(things)
            self.assertIs(gc.isenabled(), is_enabled)
            self.assertTrue(gc.is_tracked(twins))
            for one, other in zip(things, twins, strict=True):
                self.assertTrue(gc.is_tracked(other))
                self.assertEqual([gc.is_tracked(each) for each in other], [gc.is_tracked(each) for each in one])
            references = [weakref.ref(each[-1]) for each in twins]
            for each in twins:
                each[0].append(each)
                each[-1].itself = each[-1]
            del twins, each, other
            gc.collect()
            self.assertFalse([each for each in references if each() is not None])

    def test_large_message_that_cannot_be_rebuilt(self):
        class Key:
            may_be_hashed = True

            def __hash__(self):
                if not self.may_be_hashed:
                    raise ValueError("not now")
                return 1

        kept, enabled = [], []

        class Keeps(Key):
            def __hash__(self):
                kept.append(self)
                enabled.append(gc.isenabled())
                return 2

        round_trip([Holder(1), Keeps(), Key()])  # their classes run no code from now on
        channel = interlock.Channel(1)
        channel.send([self.many_containers(), {Keeps(): 1}, {Key(): 1}])
        Key.may_be_hashed = False
        kept.clear()
        with self.assertRaisesRegex(ValueError, "not now"):
            channel.recv()
        self.assertTrue(gc.isenabled())
        self.assertEqual(enabled, [True, False])
        self.assertTrue(kept and gc.is_tracked(kept[0]))

    def test_order_of_a_dict_is_kept(self):
        self.assertEqual(list(round_trip(dict.fromkeys("zyxabc"))), list("zyxabc"))

    def test_changes_after_sending_are_invisible(self):
        channel = interlock.Channel(1)
        sent = [1]
        channel.send(sent)
        sent.append(2)
        self.assertEqual(channel.recv(), [1])

    def test_shared_references_stay_shared(self):
        inner = [1]
        text = "".join(["sh", "ared"])
        a, b, c, d = round_trip([inner, inner, text, text])
        self.assertIs(a, b)
        self.assertIs(c, d)

    def test_cycles(self):
        loop = []
        loop.append(loop)
        result = round_trip(loop)
        self.assertIs(result[0], result)
        table = {}
        table["self"] = (table,)
        result = round_trip(table)
        self.assertIs(result["self"][0], result)

    def test_a_cycle_through_a_frozen_set(self):
        node = Plain()
        node.owner = frozenset([node, 1])
        result = round_trip(node)
        self.assertIn(result, result.owner)
        result = round_trip(node.owner)
        (twin,) = (each for each in result if each != 1)
        self.assertIs(twin.owner, result)

    def test_a_cycle_through_a_tuple(self):
        inner = []
        outer = (inner, 1)
        inner.append(outer)
        result = round_trip(outer)
        self.assertIs(result[0][0], result)

    def test_cycles_of_tuples_that_end_together(self):
        """Nothing stands in the message between the end of a tuple and those of the ones around it."""
        for wrap in (list, Plain, collections.deque):
            for depth in range(4):
                inner = wrap()
                outer = functools.reduce(lambda x, _: (x, x), range(depth), (inner,))
                add = getattr(inner, "append", lambda x: setattr(inner, "x", x))
                add(outer)
                result = round_trip(outer)
                steps = result
                for _ in range(depth):
                    self.assertIs(steps[0], steps[1])
                    steps = steps[1]
                self.assertIs(steps[0].x if wrap is Plain else steps[0][0], result)

    def test_a_list_that_only_its_tuple_holds_closes_a_cycle(self):
        outer = ([], {}, {1})
        outer[0].append(outer)
        outer[1]["outer"] = [outer]
        result = round_trip(outer)
        self.assertIs(result[0][0], result)
        self.assertIs(result[1]["outer"][0], result)

    def test_code_that_leads_back_to_what_only_one_place_held(self):
        holder = [[1], {"k": 2}, (3, [])]

        class Lazy:
            def __reduce__(self):
                return Plain, (), {"seen": [*holder, holder[2][1]]}

        result = round_trip([*[[each] for each in range(20)], holder, Lazy()])
        self.assertEqual(result[20], holder)
        for seen, there in zip(result[21].seen, [*result[20], result[20][2][1]]):
            self.assertIs(seen, there)

    def test_rows_with_the_same_keys(self):
        names = ["a", "bcd", "é", "日本"]
        rows = [dict.fromkeys(names, [each]) | {"n": each, "t": (each, {"n": 1})} for each in range(50)]
        rows += [dict(reversed(row.items())) for row in rows] + [{}, {1: 2}, {"a": 1}, {"a": 2}, {"b": 3}]
        for sent in (rows, [*rows, Record("late", [])]):
            result = round_trip(sent)
            self.assertEqual(result, sent)
            self.assertEqual([list(row) for row in result[:100]], [list(row) for row in rows[:100]])
            result[3]["n"] = "changed"
            del result[4]["a"]
            self.assertEqual(result[5], rows[5])
        gc.collect()
        self.assertEqual(result[5], rows[5])

    def test_a_row_that_is_changed_while_it_is_filled(self):
        """Whatever it is then, the values of the message come into it by their keys."""
        for change in (clear, exchange, grow, shrink, fill):
            rows = [{"x": 1, "y": 2}, {"x": 1, "y": 2}, {"x": None, "y": 2}]
            rows[2]["x"] = Changer(rows[2], change)
            result = round_trip(rows)
            expected = {"x": None, "y": None}
            change(expected)
            expected |= {"x": result[2]["x"], "y": 2}
            self.assertEqual(list(result[2].items()), list(expected.items()), change)
            self.assertIs(type(result[2]["x"]), Changer)
            self.assertEqual(result[1], {"x": 1, "y": 2})
            expected = None
            gc.collect()
            self.assertFalse([each for each in gc.get_objects() if type(each) is Passing], change)

    def test_nesting_without_a_limit(self):
        for wrap in (lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: Plain(x=x)):
            deep = None
            for _ in range(100_000):
                deep = wrap(deep)
            self.assertIsNotNone(round_trip(deep))

    def test_instances(self):
        record = Record("n", [1, 2])
        record.link = record
        result = round_trip(record)
        self.assertIs(type(result), Record)
        self.assertIs(result.link, result)
        self.check(Slotted(1, (2,)))
        self.assertEqual(round_trip(WithState([1])).value, [1])
        self.assertIs(round_trip(Color.RED), Color.RED)
        self.check(Point(1, [2]))

    def test_the_standard_library(self):
        zone = datetime.timezone(datetime.timedelta(hours=2))
        for obj in (
            datetime.datetime(2026, 1, 2, 3, 4, 5, 6, zone), datetime.timedelta(days=3), decimal.Decimal("1.10"),
            fractions.Fraction(1, 3), uuid.uuid4(), pathlib.Path("/a/b"), re.compile("a+", re.I), range(1, 9, 2),
            slice(1, None, 2), collections.deque([1, 2], maxlen=3), collections.OrderedDict(b=1, a=2),
            collections.Counter("hello"), array.array("d", [1.5]), types.SimpleNamespace(a=1),
        ):  # fmt: skip
            with self.subTest(obj=obj):
                self.check(obj)
        table = round_trip(collections.defaultdict(list, a=[1]))
        self.assertEqual(table["b"], [])
        self.assertEqual(round_trip(functools.partial(int, base=2))("11"), 3)

    def test_by_reference(self):
        for obj in (len, int, json, json.dumps, collections.OrderedDict, "".join.__class__, os_path()):
            self.assertIs(round_trip(obj), obj)
        self.assertEqual(round_trip("abc".upper)(), "ABC")

    def test_exceptions(self):
        error = round_trip(OwnError(1, [2]))
        self.assertEqual((error.args, error.a), ((1, [2]), 1))
        group = round_trip(ExceptionGroup("g", [ValueError(1), KeyError("k")]))
        self.assertEqual([type(each) for each in group.exceptions], [ValueError, KeyError])

    def test_random_graphs_arrive_equal(self):
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        leaves = [None, 1, 1 << 80, "x", "é", b"b", 2.5, True]

        def grow(depth):
            kind = rng.randrange(6) if depth else 0
            if kind == 0:
                return rng.choice(leaves)
            items = [grow(depth - 1) for _ in range(rng.randrange(4))]
            if kind == 1:
                return items
            if kind == 2:
                return tuple(items)
            if kind == 3:
                return dict(zip(map(str, range(9)), items))
            if kind == 4:
                return Record(str(depth), items)
            return {repr(each) for each in items}

        for _ in range(300):
            obj = grow(5)
            self.assertEqual(round_trip(obj), obj, f"seed {seed}")

    def test_random_graphs_keep_their_shape(self):
        """Shared references and cycles: the twin is walked as the original is."""
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)
        for with_code in (False, True):
            for _ in range(300):
                made = [[]]
                for _ in range(rng.randrange(40)):
                    items = [rng.choice(made) if rng.random() < 0.7 else str(rng.randrange(3)) for _ in range(3)]
                    make = rng.choice([list, tuple, by_key, *([as_plain] if with_code else [])])
                    made.append(make(items[: rng.randrange(4)]))
                mutable = [each for each in made if isinstance(each, list)]
                for each in mutable[: rng.randrange(4)]:
                    each.append(rng.choice(made))
                obj = made[-1] if rng.random() < 0.5 else made
                self.assertEqual(walk(round_trip(obj)), walk(obj), f"seed {seed}")


def by_key(items):
    return dict(zip(("a", "long", "ü"), items))


def as_plain(items):
    return Plain(**by_key(items))


def walk(root):
    """What a walk meets: texts, types, sizes, and the numbers of what it has met before."""
    met, numbers, left = [], {}, [root]
    while left:
        obj = left.pop()
        if isinstance(obj, str) or (isinstance(obj, tuple) and not obj):
            met.append(obj)
            continue
        is_new = id(obj) not in numbers
        met.append((type(obj), numbers.setdefault(id(obj), len(numbers))))
        if is_new:
            parts = vars(obj) if isinstance(obj, Plain) else obj
            children = [part for item in parts.items() for part in item] if isinstance(parts, dict) else parts
            met.append(len(children))
            left += children
    return met


class Changer:
    """Changes the dict that it stands in when it is rebuilt."""

    def __init__(self, row, change):
        self.row, self.change = row, change

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.change(self.row)


class Passing:
    """Is replaced by what the message carries."""


def clear(row):
    row.clear()


def exchange(row):
    row.clear()
    row.update(y=None, x=None)


def grow(row):
    row.update(dict.fromkeys("abcdefghi"))


def shrink(row):
    del row["x"]


def fill(row):
    row["y"] = Passing()


def os_path():
    import os.path

    return os.path


class Refused(support.TestCase):
    def refused(self, obj, path, kind):
        channel = interlock.Channel(1)
        with self.assertRaises(interlock.TransferError) as caught:
            channel.send(obj)
        self.assertTrue(
            str(caught.exception).startswith(f"{path}: {kind} cannot leave its interpreter"), caught.exception
        )
        self.assertEqual(len(channel), 0)

    def test_the_error_names_the_path(self):
        generator = (x for x in "a")
        self.refused(generator, "message", "a generator")
        self.refused([1, {"conn": generator}], "message[1]['conn']", "a generator")
        self.refused(Plain(a=[generator]), "message.a[0]", "a generator")
        self.refused({(1, generator): 2}, "message.keys()[0][1]", "a generator")
        with open(__file__) as file:
            self.refused((file,), "message[0]", "a TextIOWrapper")
        self.refused(sys._getframe(), "message", "a frame")

    def test_the_error_names_the_argument_of_a_call(self):
        interpreter = self.interpreter()
        generator = (x for x in "a")
        for args, kwargs, path in (((1, generator), {}, "args[1]"), ((), {"k": generator}, "kwargs['k']")):
            with self.assertRaisesRegex(interlock.TransferError, re.escape(path) + ": a generator"):
                interpreter.call(print, *args, **kwargs)

    def test_a_refused_result(self):
        with self.assertRaisesRegex(interlock.TransferError, "^result: a generator"):
            self.interpreter().call(lambda: (x for x in "a"))

    def test_what_an_object_raises_is_raised(self):
        class Bad:
            def __reduce_ex__(self, protocol):
                raise LookupError("mine")

        with self.assertRaisesRegex(LookupError, "mine") as caught:
            round_trip([Bad()])
        self.assertEqual(caught.exception.__notes__, ["while copying message[0]"])

    def test_an_object_inside_its_own_arguments(self):
        class Endless:
            def __reduce__(self):
                return Endless, ([self],)

        with self.assertRaisesRegex(interlock.TransferError, "its own constructor arguments"):
            round_trip(Endless())

    def test_a_container_that_changes_meanwhile(self):
        items = []

        class Sly:
            def __reduce__(self):
                items.append(1)
                return int, ()

        items += [Sly(), 2]
        with self.assertRaisesRegex(RuntimeError, "changed size"):
            round_trip(items)


class Lifetime(support.TestCase):
    def test_what_is_in_flight_survives_its_sender(self):
        channel = interlock.Channel(4)
        interpreter = interlock.Interpreter()
        interpreter.call(channel.send, {"a": [1, "text", 1 << 90]})
        interpreter.close()
        self.assertEqual(channel.recv(), {"a": [1, "text", 1 << 90]})

    def test_nothing_is_kept_of_what_was_sent(self):
        obj = Plain(data=[1])
        before = sys.getrefcount(obj), sys.getrefcount(obj.data), sys.getrefcount(Plain)
        for _ in range(100):
            round_trip(obj)
        gc.collect()
        self.assertEqual((sys.getrefcount(obj), sys.getrefcount(obj.data), sys.getrefcount(Plain)), before)


if __name__ == "__main__":
    unittest.main()
