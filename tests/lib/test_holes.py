# SPDX-License-Identifier: MIT
"""Graphs that move although some of what is in them cannot: that is copied or rebuilt in its place."""

import collections
import copy
import datetime
import decimal
import enum
import gc
import math
import os
import random
import sys
import unittest
import weakref

import _interlock
import interlock
import support
from interlock import Channel


class Record:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Record) and self.value == other.value

    __hash__ = None


class Keyed:
    """Its hash is its address: another one elsewhere."""


class Colour(enum.IntEnum):
    RED = 1


class Asking:
    """Calls a function when it is to be copied."""

    def __init__(self, ask):
        self.ask = ask

    def __reduce_ex__(self, protocol):
        return Record, (self.ask(),)


class Unbuildable:
    def __reduce_ex__(self, protocol):
        return int, ("no number",)


class Meddler:
    """Changes, when it is rebuilt, what it refers to."""

    def __init__(self, target, way):
        self.target, self.way = target, way

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__ = state
        if self.way == "insert":
            self.target.insert(0, "new")
        elif self.way == "clear":
            self.target.clear()
        elif self.way == "grow":
            self.target.extend(range(1000))
        elif self.way == "update":
            self.target.update((n, n) for n in range(1000))
        elif self.way == "replace":
            self.target["hole"] = "other"
        elif self.way == "leave":
            self.target = len(self.target)


DAY = datetime.datetime(2024, 2, 28, 12)


def plain():
    """Enough that is plain for the holes to be worth it."""
    return [[n, "text" * n] for n in range(100)]


def forward(inbox, outbox):
    for item in inbox:
        outbox.send(item, move=True)


def result_with_holes():
    rest = plain()
    rest[0].append(id(rest[1]))
    return [DAY, rest]


def result_that_refers_to_itself():
    rest = plain()
    return [DAY, rest, Record(rest), {DAY: rest}]


KEPT = [1, [DAY]]


def result_that_something_holds():
    return [KEPT, Record(KEPT), plain(), KEPT]


def fail_if_empty(items):
    if not items:
        raise ValueError("it was emptied before it was copied")
    return list(items)


class Case(support.TestCase):
    def moved(self, obj):
        channel = Channel(1)
        channel.send(obj, move=True)
        return channel.recv()


class Contents(Case):
    def test_what_is_in_the_holes_arrives_in_its_place(self):
        made = {
            "instance": lambda: Record([1, Record(2)]),
            "datetime": lambda: DAY.replace(year=2025),
            "decimal": lambda: decimal.Decimal("1.5"),
            "enum": lambda: Colour.RED,
            "ordered": lambda: collections.OrderedDict(a=1, b=[2]),
            "class": lambda: datetime.date,
            "function": lambda: os.path.join,
            "deque": lambda: collections.deque([1, [2]], maxlen=5),
            "keys": lambda: {DAY: 1, (1, (DAY, Colour.RED)): [2]},
            "elements": lambda: {DAY, (1, DAY)},
            "frozen elements": lambda: frozenset({DAY, frozenset({DAY})}),
        }
        for name, make in made.items():
            for wrap in (lambda x: [x], lambda x: (x,), lambda x: {"k": x}, lambda x: {1: (2, x)}):
                with self.subTest(kind=name, wrapped=wrap(0)):
                    sent = [plain(), wrap(make()), wrap(make())]
                    kept = sent[1]
                    got = self.moved(sent)
                    self.assertEqual(got, [plain(), wrap(make()), wrap(make())])
                    self.assertEqual(sent, [])
                    self.assertEqual(kept, kept if isinstance(kept, tuple) else type(kept)())

    def test_handles(self):
        channel, lock = Channel(1), interlock.Lock()
        got = self.moved([channel, (lock, channel), {"c": channel}, plain()])
        self.assertEqual(got, [channel, (lock, channel), {"c": channel}, plain()])
        self.assertIs(got[0], got[1][1])
        self.assertIs(got[0], got[2]["c"])
        sent = {"c": channel, "rest": plain()}
        self.assertEqual(self.moved(sent), {"c": channel, "rest": plain()})

    def test_nan(self):
        nan = math.nan
        value, table, items, members = self.moved([nan, {nan: 1}, [nan, nan], {nan, 1}])
        self.assertTrue(math.isnan(value) and all(map(math.isnan, items)))
        self.assertEqual([each in table for each in table], [True])
        self.assertEqual([each in members for each in members], [True] * 2)
        table = self.moved([{complex(0, nan): 1, (1, nan): 2}, plain()])[0]
        self.assertEqual([each in table for each in table], [True, True])

    def test_a_key_with_another_hash(self):
        key = Keyed()
        got = self.moved([{key: 1}, {key}, {(1, (2, key)): 3}, {frozenset({key}): 4}, key, plain()])
        new = got[4]
        self.assertEqual(got[:4], [{new: 1}, {new}, {(1, (2, new)): 3}, {frozenset({new}): 4}])

    def test_an_empty_hole_is_none_and_none_is_no_hole(self):
        self.assertEqual(self.moved([None, DAY, None, plain()]), [None, DAY, None, plain()])


@unittest.skipUnless(_interlock.can_move(), "objects are copied")
class Handed(Case):
    def test_the_rest_is_not_copied(self):
        sent = [DAY, [Record(1)], {"k": DAY, "l": Channel(1)}, (DAY, [1]), *plain()]
        addresses = [id(each) for each in sent[1:]]
        channel = Channel(1)
        channel.send(sent, move=True)
        self.assertEqual([id(each) for each in channel.recv()[1:]], addresses)

    def test_the_result_of_a_call(self):
        got = self.interpreter().call(result_with_holes)
        self.assertEqual(id(got[1][1]), got[1][0].pop())
        self.assertEqual(got, [DAY, plain()])

    def test_a_result_that_refers_to_itself(self):
        got = self.interpreter().call(result_that_refers_to_itself)
        self.assertEqual(got, [DAY, plain(), Record(plain()), {DAY: plain()}])
        self.assertIs(got[1], got[2].value)
        self.assertIs(got[1], got[3][DAY])

    def test_many_holes_among_little_else_are_copied(self):
        sent = [[Record(n)] for n in range(100)]
        address = id(sent[0])
        kept = sent[0]
        self.assertEqual(self.moved(sent), [[Record(n)] for n in range(100)])
        self.assertEqual((sent, kept, id(kept)), ([], [], address))


class Identity(Case):
    def test_an_object_in_two_holes_is_one(self):
        record, day = Record([1]), DAY.replace(year=2025)
        got = self.moved([record, (record, day), {"k": day}, Record(record), plain()])
        self.assertIs(got[0], got[1][0])
        self.assertIs(got[1][1], got[2]["k"])
        self.assertIs(got[3].value, got[0])

    def test_what_a_hole_shares_with_the_graph_is_one(self):
        shared = [[1], {"k": [2]}, (3, [4]), {5}, frozenset({6}), bytearray(b"7")]
        kept = list(shared)
        sent = [*shared, Record(shared), [Record(each) for each in shared], plain()]
        got = self.moved(sent)
        for i, expected in enumerate([[1], {"k": [2]}, (3, [4]), {5}, frozenset({6}), bytearray(b"7")]):
            self.assertEqual(got[i], expected)
            self.assertIs(got[7][i].value, got[i])
            self.assertIs(got[6].value[i], got[i])
        self.assertEqual(kept, [[], {}, (3, []), set(), frozenset({6}), bytearray()])

    def test_a_key_that_has_a_hole_itself(self):
        """A set is filled when all that its keys' hashes are made of is there."""
        shapes = (
            lambda key: [key, {key}], lambda key: [{key}, key], lambda key: [DAY, (1, key), {(1, key)}, key],
            lambda key: [{(1, key): 2}, (0, key)], lambda key: [[key], Record({key})], lambda key: [Record({key}), key],
            lambda key: [{frozenset({key})}, key, frozenset({key})], lambda key: [key[1], [key], {key}],
        )  # fmt: skip
        for number, make in enumerate(shapes):
            with self.subTest(number=number):
                key = (1 << 40, DAY)
                got = self.moved([make(key), plain(), plain()])
                tables = []
                todo = [got[0]]
                while todo:
                    each = todo.pop()
                    if isinstance(each, (set, dict, frozenset)):
                        tables.append(each)
                    if isinstance(each, Record):
                        todo.append(each.value)
                    elif isinstance(each, (list, tuple, set, frozenset)):
                        todo += each
                self.assertTrue(tables)
                for table in tables:
                    self.assertTrue(all(each in table for each in table), table)

    def test_a_hole_that_refers_back(self):
        for make in (lambda: [], lambda: {}):
            sent = make()
            record = Record(sent)
            inner = (record, [sent])
            if isinstance(sent, list):
                sent += [record, inner, plain()]
            else:
                sent.update(record=record, inner=inner, rest=plain())
            got = self.moved(sent)
            first, second = (got[0], got[1]) if isinstance(got, list) else (got["record"], got["inner"])
            self.assertIs(first.value, got)
            self.assertIs(second[0], first)
            self.assertIs(second[1][0], got)

    def test_the_attributes_of_an_instance_beside_it(self):
        record = Record([1])
        got = self.moved([vars(record), record, plain()])
        self.assertEqual(got[0], {"value": [1]})
        self.assertEqual(got[1], Record([1]))

    def test_a_result_leaves_alone_what_something_else_holds(self):
        interpreter = self.interpreter()
        for _ in range(2):
            got = interpreter.call(result_that_something_holds)
            self.assertEqual(got, [KEPT, Record(KEPT), plain(), KEPT])
            self.assertIs(got[0], got[3])
            self.assertIs(got[1].value, got[0])

    def test_the_collector_sees_what_has_arrived(self):
        sent = [(1, Record(1)), {"k": Record(2)}, (1, DAY), plain()]
        gc.collect()
        got = self.moved(sent)
        self.assertTrue(all(map(gc.is_tracked, got[:2])))
        got[0][1].up = got[0]
        got[1]["k"].up = got[1]
        witnesses = [weakref.ref(got[0][1]), weakref.ref(got[1]["k"])]
        del got
        gc.collect()
        self.assertEqual([each() for each in witnesses], [None, None])


class CodeInTheSender(Case):
    """What is in the holes is copied before anything else has left."""

    def test_sees_everything_where_it_was(self):
        items = [1, [2]]
        got = self.moved([items, Asking(lambda: fail_if_empty(items)), plain()])
        self.assertEqual(got, [[1, [2]], Record([1, [2]]), plain()])

    def test_may_change_the_graph(self):
        items, late = [1], Asking(lambda: 0)
        for change in (
            lambda: items.append(2),
            lambda: items.append(late),
            lambda: items.append([Record(1)]),
            lambda: items.clear(),
            lambda: sent.__setitem__(0, 0),
            lambda: sent.append(Record(sent)),
        ):
            items[:] = [1]
            sent = [items, plain()]
            sent.insert(0, Asking(change))
            try:
                got = self.moved(sent)
            except RuntimeError as error:
                self.assertIn("changed size", str(error))
                self.assertIn(plain(), sent)
            else:
                self.assertIn(plain(), got)
                self.assertEqual(sent, [])

    def test_that_always_changes_the_graph(self):
        counts = []

        def change():
            counts.append(0)
            sent.append(Asking(int))

        sent = [Asking(change), plain()]
        with self.assertRaisesRegex(RuntimeError, "changed size"):
            self.moved(sent)
        self.assertLess(len(counts), 9)
        self.assertEqual(sent[1], plain())

    def test_that_is_interrupted(self):
        def interrupt():
            counts.append(0)
            raise KeyboardInterrupt

        counts = []
        sent = [[1], Asking(interrupt), plain()]
        with self.assertRaises(KeyboardInterrupt):
            self.moved(sent)
        self.assertEqual((sent[0], sent[2], len(counts)), ([1], plain(), 1))

    def test_a_refused_object(self):
        sent = [plain(), {"k": (1, [each for each in ()], (each for each in ()))}, Record(1)]
        kept = list(sent)
        with self.assertRaisesRegex(interlock.TransferError, r"^message\[1\]\['k'\]\[2\]: a generator"):
            self.moved(sent)
        self.assertTrue(all(now is before for now, before in zip(sent, kept, strict=True)))
        self.assertEqual(sent[0], plain())


class CodeInTheReceiver(Case):
    def test_that_raises(self):
        before = None
        for _ in range(3):
            channel = Channel(1)
            channel.send([plain(), Record(1), Unbuildable(), [Record(2)]], move=True)
            with self.assertRaisesRegex(ValueError, "no number"):
                channel.recv()
            del channel
            gc.collect()
            now = sys.getallocatedblocks()
            if before is not None:
                self.assertLess(now - before, 150)
            before = now

    def test_that_raises_while_the_graph_is_in_sight(self):
        shared = [1]
        channel = Channel(1)
        channel.send([shared, Record(shared), [Record(2)], Unbuildable(), plain()], move=True)
        with self.assertRaisesRegex(ValueError, "no number"):
            channel.recv()

    @unittest.skipUnless(_interlock.can_move(), "objects are copied")
    def test_that_changes_what_has_holes(self):
        for way in ("insert", "clear", "grow", "update", "replace", "leave"):
            with self.subTest(way=way):
                target = {"a": 1} if way in ("update", "replace") else [1]
                sent = [target, plain()]
                sent.append(Meddler(target, way))
                if isinstance(target, dict):
                    target["hole"] = Record(1)
                else:
                    target.append(Record(1))
                if way == "leave":
                    self.assertEqual(self.moved(sent)[2].target, 2)
                    continue
                with self.assertRaisesRegex(RuntimeError, "was changed before all that is in it was rebuilt"):
                    self.moved(sent)
                gc.collect()


class Failing(Case):
    def test_what_was_not_sent_is_where_it_was(self):
        shared = [1]
        sent = [
            shared,
            Record(shared),
            (DAY, shared),
            {"k": DAY, 1: Record(2), "s": {3}},
            {DAY: 1},
            Channel(1),
            plain(),
        ]
        items, expected = list(sent), copy.copy(sent)
        pair = sent[2]
        table = dict(sent[3])
        channel = Channel(1)
        channel.send(0)
        for _ in range(3):
            with self.assertRaises(interlock.ChannelFull):
                channel.try_send(sent, move=True)
            self.assertEqual(sent, expected)
            self.assertTrue(all(now is before for now, before in zip(sent, items, strict=True)))
            self.assertIs(sent[1].value, shared)
            self.assertIs(pair[1], shared)
            self.assertTrue(all(sent[3][key] is table[key] for key in table))
        channel.recv()
        channel.send(sent, move=True)
        self.assertEqual(channel.recv()[:4], [[1], Record([1]), (DAY, [1]), table | {"s": {3}}])

    def test_what_comes_in_meanwhile_stays(self):
        channel = Channel(0)
        sent = [Record(1), plain()]
        failed = []

        def send():
            try:
                channel.send(sent, move=True)
            except interlock.ChannelClosed:
                failed.append(True)

        thread = self.in_thread(send)
        while channel.stats()["send_waits"] == 0:
            pass
        sent.append("new")
        channel.close()
        thread.join(support.LIMIT)
        self.assertEqual((sent, failed), ([Record(1), plain(), "new"], [True]))

    def test_messages_that_nobody_receives_are_freed(self):
        def drop(count):
            channel = Channel(None)
            for n in range(count):
                shared = [n]
                channel.send(
                    [shared, Record(shared), DAY.replace(year=1 + n), {"k": Record("x" * n)}, channel], move=True
                )
            channel.cancel()
            gc.collect()
            return sys.getallocatedblocks()

        # One block of each message would be 490, every time.
        growth = [-drop(10) + drop(500) for _ in range(4)]
        self.assertLess(min(growth), 400)

    def test_a_message_outlives_its_interpreter(self):
        channel = Channel(None)

        def send(channel):
            shared = [1]
            channel.send([shared, [DAY, shared], {"k": DAY}, channel], move=True)

        interpreter = interlock.Interpreter()
        interpreter.call(send, channel)
        interpreter.close()
        got = channel.recv()
        self.assertEqual(got, [[1], [DAY, [1]], {"k": DAY}, channel])
        self.assertIs(got[0], got[1][1])


class Random(Case):
    def test_graphs_through_interpreters(self):
        seed = int(os.environ.get("INTERLOCK_TEST_SEED", random.randrange(10**9)))
        print(f"seed {seed}", file=sys.stderr)
        rng = random.Random(seed)
        first, second, third = (Channel(2) for _ in range(3))
        for each in ((first, second), (second, third)):
            self.interpreter().submit(forward, *each)
        threshold = gc.get_threshold()
        gc.set_threshold(20, 2, 2)
        self.addCleanup(gc.set_threshold, *threshold)
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        for _ in range(200):
            graph = self.graph(rng)
            expected = copy.deepcopy(graph)
            first.send([graph, plain()], move=True)
            self.assertEqual(describe(third.recv(support.LIMIT)), describe([expected, plain()]))

    def graph(self, rng):
        made = []

        def make(depth):
            if made and rng.random() < 0.2:
                return rng.choice(made)
            way = rng.randrange(12 if depth else 4)
            if way < 4:
                return (
                    rng.choice((n, f"text{n}", DAY, decimal.Decimal(n), None, 1.5 * n, self.handle))
                    if (n := rng.randrange(500))
                    else n
                )
            items = [make(depth - 1) for _ in range(rng.randrange(5))]
            if way == 4:
                result = tuple(items)
            elif way == 5:
                result = {rng.choice((f"key{n}", n, DAY.replace(year=1 + n))): each for n, each in enumerate(items)}
            elif way == 6:
                result = {rng.choice((n, f"e{n}", DAY.replace(year=1 + n), (n, DAY))) for n in range(len(items))}
            elif way == 7:
                result = Record(items)
            elif way == 8:
                result = collections.OrderedDict(enumerate(items))
            elif way == 9:
                result = Record(None)
                result.value = [result, items]
            elif way == 10:
                result = items
                items.append(items)
            else:
                result = items
            made.append(result)
            return result

        return make(5)

    handle = None


def describe(root):
    """A graph as a list of lines that two graphs share if they are equal, cycles and identity included."""
    numbers, lines, kept = {}, [], []

    def visit(obj):
        kept.append(obj)
        if isinstance(obj, (int, float, str, decimal.Decimal, datetime.datetime, type(None))):
            return repr(obj)
        if id(obj) in numbers:
            return f"#{numbers[id(obj)]}"
        number = numbers[id(obj)] = len(numbers)
        if isinstance(obj, Record):
            parts = [visit(obj.value)]
        elif isinstance(obj, dict):
            parts = [f"{key!r}: {visit(value)}" for key, value in obj.items()]
        elif isinstance(obj, (set, frozenset)):
            parts = sorted(map(repr, obj))
        elif isinstance(obj, tuple) and not obj:
            return "()"
        else:
            parts = [visit(each) for each in obj]
        lines.append(f"#{number} {type(obj).__name__} {parts}")
        return f"#{number}"

    visit(root)
    return lines


if __name__ == "__main__":
    if not _interlock.can_move() and "PYTHONMALLOC" not in os.environ:  # -X dev
        os.environ["PYTHONMALLOC"] = "mimalloc"
        os.execv(sys.executable, sys.orig_argv)
    support.main()
