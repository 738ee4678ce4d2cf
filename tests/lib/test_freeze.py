# SPDX-License-Identifier: MIT
"""freeze() and Arena: what the twin is, that it is the same in every interpreter, and that nothing writes to it."""

import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import gc
import math
import operator
import os
import sys
import types
import unittest
import uuid
from unittest import mock

import _interlock
import interlock
import support
from frozen import MAPPING, Open, new, plain, sample
from interlock import freeze

needs_freeze = unittest.skipUnless(interlock.features["freeze"], "nothing can be frozen here")
needs_maps = unittest.skipUnless(os.path.exists("/proc/self/smaps_rollup"), "needs /proc of Linux")


class Colour(enum.Enum):
    RED = 1
    BLUE = (2, "deep")


class Level(enum.IntEnum):
    LOW = 10_000


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: object


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: object
    __hidden: int = 4

    def hidden(self):
        return self.__hidden


Pair = collections.namedtuple("Pair", "first second")


def show(obj):
    return repr(obj), id(obj)


def keep(obj):
    sys.kept = obj
    return id(obj)


def is_kept(obj):
    return obj is sys.kept


def freeze_here(obj, arena=None):
    sys.kept = freeze(obj) if arena is None else arena.freeze(obj)
    return sys.kept


class Twins(support.TestCase):
    def test_it_is_equal_and_of_the_immutable_type(self):
        for obj in sample():
            with self.subTest(obj=ascii(obj)[:40]):
                twin = freeze(obj)
                kinds = {list: tuple, set: frozenset, bytearray: bytes, dict: MAPPING}
                self.assertIs(type(twin), kinds.get(type(obj), type(obj)))
                self.assertEqual(plain(twin), plain(obj))
                if not isinstance(twin, frozenset):  # their order may differ
                    self.assertEqual(ascii(plain(twin)), ascii(plain(obj)))

    def test_the_original_is_left_alone(self):
        obj = sample()
        freeze(obj)
        self.assertEqual(obj, sample())
        obj[-1]["new"] = 1

    def test_what_is_shared_stays_shared(self):
        text, inner = new(["sha", "red"]), [1, new("ab")]
        twin = freeze([text, inner, {text: inner}, (inner, text)])
        self.assertIs(twin[1], twin[2][text])
        self.assertIs(twin[1], twin[3][0])
        self.assertIs(twin[0], twin[3][1])
        self.assertIs(twin[0], next(iter(twin[2])))

    def test_what_is_frozen_is_used_as_it_is(self):
        inner = freeze([new("ab"), {1: 2}])
        self.assertIs(freeze(inner), inner)
        self.assertIs(freeze([inner, 1])[0], inner)
        self.assertIs(freeze({1: inner})[1], inner)
        self.assertIs(interlock.Arena().freeze([inner])[0], inner)

    def test_the_order_of_dicts_is_kept(self):
        keys = [str(i * 7919 % 1000) for i in range(1000)]
        self.assertEqual(list(freeze(dict.fromkeys(keys))), keys)
        table = dict.fromkeys(keys)
        for key in keys[::3]:
            del table[key]
        self.assertEqual(list(freeze(table)), list(table))

    def test_sets_and_dicts_that_have_lost_items(self):
        members = set(range(2000))
        members -= set(range(0, 2000, 3))
        self.assertEqual(freeze(members), members)
        table = {(i, "x"): i for i in range(100)}
        for i in range(50):
            del table[i, "x"]
        self.assertEqual(dict(freeze(table)), table)

    def test_dicts_of_instances(self):
        obj = Open(5)
        obj.other = [1]
        twin = freeze(vars(obj))
        obj.x = 6
        self.assertEqual(dict(twin), {"x": 5, "other": (1,)})

    def test_nan_is_found_where_it_is_a_key(self):
        for nan in (float("nan"), complex(0, math.nan), (float("nan"),)):
            twin = freeze({nan: 1, "set": {nan}})
            key = next(iter(twin))
            self.assertEqual(twin[key], 1)
            self.assertIn(next(iter(twin["set"])), twin["set"])

    def test_nesting_without_a_limit(self):
        obj = []
        for _ in range(200_000):
            obj = [obj]
        channel = interlock.Channel(1)
        twin = freeze(obj)
        channel.send(twin)
        self.assertIs(channel.recv(), twin) if interlock.features["freeze"] else channel.recv()
        depth = 0
        while twin:
            twin = twin[0]
            depth += 1
        self.assertEqual(depth, 200_000)

    def test_a_view_of_another_mapping(self):
        for mapping in (collections.OrderedDict(a=[1]), collections.ChainMap({"a": [1]}), {"a": [1]}):
            self.assertEqual(dict(freeze(types.MappingProxyType(mapping))), {"a": (1,)})

    def test_a_list_that_is_being_sorted_looks_empty(self):
        obj, twins = [3, 1, 2], []
        obj.sort(key=lambda each: twins.append(freeze(obj)) or each)
        self.assertEqual(twins, [()] * 3)


class Refusals(support.TestCase):
    def refused(self, obj, message):
        with self.assertRaises(interlock.TransferError) as caught:
            freeze(obj)
        self.assertEqual(str(caught.exception), message)

    def test_they_name_the_culprit(self):
        generator = (each for each in ())
        self.refused(generator, "object: a generator cannot be frozen: it can change")
        self.refused([1, {"a": [2, generator]}], "object[1]['a'][1]: a generator cannot be frozen: it can change")
        self.refused({(1, generator): 1}, "object.keys()[0][1]: a generator cannot be frozen: it can change")
        self.refused([{generator}], "object[0].elements()[0]: a generator cannot be frozen: it can change")
        self.refused([Point(1, [object()])], "object[0].y[0]: an object cannot be frozen: it can change")
        self.refused([Pair(1, object())], "object[0].second: an object cannot be frozen: it can change")
        self.refused(Open(1), "object: an Open cannot be frozen: it belongs to a dataclass that is not frozen")
        self.refused({1: collections.OrderedDict()}, "object[1]: an OrderedDict cannot be frozen: it can change")

    def test_cycles(self):
        cycle = [1]
        cycle.append({"me": (cycle,)})
        self.refused(cycle, "object[1]['me'][0]: a list cannot be frozen: it is part of itself")
        table = {}
        table["me"] = table
        self.refused([table], "object[0]['me']: a dict cannot be frozen: it is part of itself")

    def test_subclasses_of_plain_types(self):
        for base in (list, dict, set, frozenset, tuple, str, bytes, int, float):
            with self.assertRaises(interlock.TransferError):
                freeze([type("Sub", (base,), {})()])

    def test_nothing_has_changed(self):
        arena = interlock.Arena()
        arena.freeze([new("ab")])
        size = arena.size
        for _ in range(100):
            with self.assertRaises(interlock.TransferError):
                arena.freeze([["x" * 10_000] * 10, ["y" * 10_000], object()])
        self.assertEqual(arena.size, size)


@needs_freeze
class Sharing(support.TestCase):
    def test_a_receiver_gets_the_very_object(self):
        channel = interlock.Channel(1)
        for obj in sample():
            if isinstance(obj, int):
                continue  # small enough for a message of its own
            twin = freeze(obj)
            for around in (
                lambda twin: twin,
                lambda twin: [twin],
                lambda twin: {"k": (twin, twin)},
                lambda twin: Open(twin),
            ):
                for move in (False, True):
                    channel.send(around(twin), move=move)
                    got = channel.recv()
                    while got is not twin:
                        got = got.x if isinstance(got, Open) else got["k"] if isinstance(got, dict) else got[0]

    def test_in_every_interpreter(self):
        twin = freeze(sample())
        for _ in range(2):
            self.assertEqual(self.interpreter().call(show, twin), show(twin))

    def test_what_it_cost_to_send_does_not_depend_on_its_size(self):
        channel = interlock.Channel(1)
        small, large = freeze([new("ab")]), freeze([[str(i), {"k": i}] for i in range(20_000)])
        channel.send([small])
        needed = self.allocated_by(lambda: channel.recv())
        channel.send([large])
        self.assertEqual(self.allocated_by(lambda: channel.recv()), needed)

    def allocated_by(self, function):
        gc.collect()
        before = sys.getallocatedblocks()
        kept = function()
        gc.collect()
        count = sys.getallocatedblocks() - before
        del kept
        return count

    def test_results_and_what_is_moved(self):
        worker = self.interpreter()
        twin = worker.call(freeze_here, sample())
        self.assertEqual(plain(twin), plain(sample()))
        self.assertTrue(_interlock.is_frozen(twin))
        channel = interlock.Channel(None)
        sent = [twin, [new("mine"), twin], {"k": twin}]
        channel.send(sent, move=True)
        self.assertEqual(sent, [])
        got = channel.recv()
        self.assertIs(got[0], twin)
        self.assertIs(got[1][1], twin)
        self.assertIs(got[2]["k"], twin)

    def test_messages_that_nobody_receives(self):
        channel = interlock.Channel(None)
        twin = freeze([new("ab")])
        for around in (twin, [twin], {"k": twin}):
            channel.send(around)
            channel.send([around], move=True)
        del channel
        gc.collect()
        self.assertEqual(twin, ("ab",))

    def test_it_is_read_in_parallel(self):
        twin = freeze([sample(), {str(i): [i, {i}] for i in range(500)}])
        with interlock.Pool(4) as pool:
            self.assertEqual(set(pool.map(read_all, [twin] * 8)), {read_all(twin)})

    def test_arenas_cross_as_handles(self):
        arena = interlock.Arena()
        twin = self.interpreter().call(freeze_here, [new("ab"), {1: [2]}], arena)
        self.assertEqual(plain(twin), ("ab", {1: (2,)}))
        self.assertGreater(arena.size, 0)
        worker = self.interpreter()
        self.assertEqual(worker.call(keep, arena) and worker.call(operator.attrgetter("size"), arena), arena.size)

    @needs_maps
    def test_its_pages_are_read_only(self):
        for obj in (sample(), new("ab"), {str(i): i for i in range(100_000)}):
            twin = freeze(obj)
            self.assertEqual(permissions(id(twin)), "r--p")

    @needs_maps
    def test_readers_need_no_memory(self):
        twin = freeze({str(i): (i, str(i) * 3) for i in range(200_000)})
        workers = [self.interpreter() for _ in range(3)]
        for worker in workers:
            worker.call(read_lengths, {"a": ("b",)})
        before = memory_in_use()
        for worker in workers:
            worker.call(keep, twin)
            worker.call(read_lengths, twin)
        for kind, size in memory_in_use().items():
            self.assertLess(size - before[kind], 4 << 20, kind)  # the dict takes 60 MB

    def test_a_write_ends_the_process(self):
        program = "import ctypes, interlock; ctypes.memset(id(interlock.freeze([1, 2])), 0, 1)"
        _, errors = self.run_program(program, status=None, options=("-X", "faulthandler"))
        self.assertIn("Segmentation fault" if not support.ADDRESS_SANITIZER else "SEGV", errors)


def read_all(obj):
    """Reads whatever there is to read, with a collector that never rests; a number."""
    gc.set_threshold(1)
    found = 0
    try:
        for _ in range(3):
            todo = [obj]
            while todo:
                each = todo.pop()
                found += len(ascii(each))
                copy.copy(todo)
                if isinstance(each, MAPPING):
                    todo.extend(each.items())
                    dict(each)
                elif isinstance(each, tuple | frozenset):
                    todo.extend(each)
                elif isinstance(each, str):
                    found += len(each + "x") + hash(each) % 2 + len(each.encode("utf-8", "surrogatepass"))
                elif isinstance(each, bytes):
                    found += len(memoryview(each)) + hash(each) % 2
            gc.collect()
    finally:
        gc.set_threshold(700)
    return found


def read_lengths(mapping):
    return sum(len(key) + len(value) for key, value in mapping.items())


def permissions(address):
    with open("/proc/self/maps") as maps:
        for line in maps:
            begin, end = (int(each, 16) for each in line.split()[0].split("-"))
            if begin <= address < end:
                return line.split()[1]
    return None


def memory_in_use():
    with open("/proc/self/smaps_rollup") as rollup:
        lines = [line.split() for line in rollup]
    return {line[0]: int(line[1]) * 1024 for line in lines if line[0] in ("Rss:", "Pss:", "Private_Dirty:")}


@needs_freeze
class Lifetime(support.TestCase):
    def test_a_closed_arena_takes_nothing(self):
        with interlock.Arena() as arena:
            self.assertFalse(arena.closed)
            twin = arena.freeze([new("ab")])
            self.assertGreater(arena.size, 0)
        self.assertTrue(arena.closed)
        self.assertEqual(arena.size, 0)
        for obj in ([1], new("ab"), [Point(1, 2)]):
            with self.assertRaisesRegex(ValueError, "the arena is closed"):
                arena.freeze(obj)
        arena.close()
        self.assertEqual(twin, ("ab",))

    def test_a_limit(self):
        arena = interlock.Arena(limit=10_000)
        twin = arena.freeze(["x" * 5000])
        with self.assertRaisesRegex(MemoryError, "the arena would exceed its limit"):
            arena.freeze(["y" * 5000])
        with self.assertRaises(MemoryError):
            arena.freeze([Point(1, "y" * 5000)])
        self.assertEqual(twin, ("x" * 5000,))
        self.assertEqual(arena.freeze([new("ab")]), ("ab",))
        for wrong in ("1", 1.5, -1, 1 << 64):
            with self.assertRaises((TypeError, OverflowError)):
                interlock.Arena(limit=wrong)

    @needs_maps
    def test_memory_is_given_back_after_the_last_interpreter(self):
        for around in (lambda obj: obj, lambda obj: [obj, Colour.RED]):
            first, second = interlock.Interpreter(), interlock.Interpreter()
            channel = interlock.Channel(1)
            address = first.call(send_frozen, channel, around([new("ab"), {1: 2}]))
            first.close()
            self.assertEqual(permissions(address), "r--p", "the message has it")
            second.call(receive, channel)
            self.assertEqual(permissions(address), "r--p", "the second interpreter has it")
            second.close()
            self.assertIsNone(permissions(address))

    @needs_maps
    def test_an_arena_that_is_open_keeps_its_memory(self):
        arena = interlock.Arena()
        with interlock.Interpreter() as worker:
            address = worker.call(freeze_for_address, arena)
        self.assertEqual(permissions(address), "r--p")
        arena.close()
        self.assertIsNone(permissions(address))

    @needs_maps
    def test_what_it_refers_to_lives_as_long(self):
        arena = interlock.Arena()
        with interlock.Interpreter() as worker:
            address = worker.call(freeze_around, arena)
        self.assertEqual(permissions(address), "r--p")
        arena.close()
        self.assertIsNone(permissions(address))

    @needs_maps
    @unittest.skipIf(support.ADDRESS_SANITIZER or support.THREAD_SANITIZER, "freed memory is kept, or has a shadow")
    def test_small_ones_share_pages(self):
        with interlock.Interpreter() as worker:
            before, after = worker.call(freeze_many, 100_000)
        self.assertLess(after - before, 100_000 * 200)

    @unittest.skipUnless(hasattr(os, "fork"), "needs os.fork")
    def test_in_the_child_of_a_fork(self):
        program = """if True:
            import os, interlock
            arena = interlock.Arena()
            twin = interlock.freeze(["a" * 3]), arena.freeze({"b" * 3: 1})
            child = os.fork()
            if child == 0:
                assert twin[0] == ("aaa",) and twin[1]["bbb"] == 1
                assert interlock.freeze([twin, "c" * 3]) == (twin, "ccc")
                try:
                    arena.freeze(1)
                except RuntimeError as error:
                    assert "fork" in str(error), error
                else:
                    assert False
                with interlock.Interpreter() as worker:
                    assert worker.call(len, twin[0]) == 1
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        """
        self.run_program(program, options=("-W", "ignore"))


def send_frozen(channel, obj):
    twin = freeze(obj)
    channel.send(twin)
    return id(twin[0])


def receive(channel):
    sys.kept = channel.recv()


def freeze_for_address(arena):
    return id(arena.freeze([new("ab")]))


def freeze_around(arena):
    inner = freeze([new("inner")])
    assert arena.freeze([inner])[0] is inner
    return id(inner)


def freeze_many(count):
    before = memory_in_use()["Rss:"]
    for i in range(count):
        freeze([str(i)])
    return before, memory_in_use()["Rss:"]


class Instances(support.TestCase):
    def structure(self):
        return {
            "points": [Point(1, ["a" * 3] * 2), Slotted({"k" * 2: Colour.RED})],
            "enum": {Colour.BLUE: Level.LOW, "set": {Colour.RED, Point(3, 4)}},
            "pair": Pair([1], "b" * 3),
            "values": [datetime.date(2020, 1, 1), decimal.Decimal("1.5"), uuid.UUID(int=5), range(9)],
            "plain": ["p" * 3, ["q" * 3], bytearray(b"xyz")],
        }

    def check(self, twin):
        points, pair = twin["points"], twin["pair"]
        self.assertEqual(points[0], Point(1, ("aaa", "aaa")))
        self.assertIs(points[0].y[0], points[0].y[1])
        self.assertEqual(dict(points[1].a), {"kk": Colour.RED})
        self.assertEqual(points[1].hidden(), 4)
        self.assertIs(twin["enum"][Colour.BLUE], Level.LOW)
        self.assertEqual(twin["enum"]["set"], {Colour.RED, Point(3, 4)})
        self.assertIs(type(pair), Pair)
        self.assertEqual(pair, ((1,), "bbb"))
        self.assertEqual(
            twin["values"], (datetime.date(2020, 1, 1), decimal.Decimal("1.5"), uuid.UUID(int=5), range(9))
        )
        self.assertEqual(twin["plain"], ("ppp", ("qqq",), b"xyz"))

    def test_they_stay_what_they_are(self):
        obj = self.structure()
        self.check(freeze(obj))
        self.assertEqual(plain(obj["plain"]), ("ppp", ("qqq",), b"xyz"))
        self.assertIs(freeze(Colour.RED), Colour.RED)
        self.assertEqual(freeze(Point([1], 2)), Point((1,), 2))
        self.assertIsNot(freeze(obj)["points"][0], obj["points"][0])

    @needs_freeze
    def test_each_interpreter_builds_them_once(self):
        twin = freeze(self.structure())
        self.check(twin)
        self.assertIs(freeze(twin), twin)
        channel = interlock.Channel(1)
        for _ in range(2):
            channel.send(twin)
            self.assertIs(channel.recv(), twin)
            channel.send([twin])
            self.assertIs(channel.recv()[0], twin)
            worker = self.interpreter()
            shared, own = worker.call(ids, twin)
            self.assertEqual(shared, ids(twin)[0])
            self.assertNotEqual(own, ids(twin)[1])
            self.assertTrue(worker.call(is_kept, twin))
            self.assertTrue(worker.call(is_member, twin, Colour.RED))
            self.assertIs(worker.call(operator.itemgetter(0), [twin]), twin)

    @needs_freeze
    def test_inside_another_that_is_frozen(self):
        inner = freeze(self.structure())
        outer = freeze([inner, [1, new("ab")]])
        self.assertIs(outer[0], inner)
        worker = self.interpreter()
        worker.call(keep, inner)
        self.assertTrue(worker.call(is_kept, freeze([outer, 1])[0][0]))

    def test_where_nothing_can_be_shared_they_are_copied(self):
        with mock.patch.object(_interlock, "can_freeze", return_value=False):
            from interlock import _freeze

            twin = _freeze.freeze(self.structure(), None)
            self.check(twin)
            self.assertFalse(_interlock.is_frozen(twin))
            for obj in sample():
                self.assertEqual(plain(_freeze.freeze(obj, None)), plain(obj))
        channel = interlock.Channel(1)
        channel.send(twin)
        self.check(channel.recv())


def ids(twin):
    """Of what is shared, and of what is not."""
    sys.kept = twin
    return id(twin["plain"]), id(twin["points"])


def is_member(twin, member):
    return member in twin["enum"]["set"] and twin["points"][1].a["kk"] is member


if __name__ == "__main__":
    support.main()
