# SPDX-License-Identifier: MIT
"""Names that come in message after message: keys of dicts, attributes, where classes are found. Few leaves in a container."""

import fractions
import gc
import math
import os
import sys
import types
import unittest
import weakref

import interlock
import support

TIMES = 4  # the process knows a list of names when it comes for the second time


class Record:
    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Outer:
    class Inner:
        def __init__(self, value):
            self.value = value


def sent(obj):
    channel = interlock.Channel(1)
    channel.send(obj)
    return channel.recv()


def relay(inbox, outbox):
    for obj in inbox:
        outbox.send(obj)
    outbox.close()


def make_module(name, **attributes):
    module = types.ModuleType(name)
    module.__spec__ = "anything"
    vars(module).update(attributes)
    sys.modules[name] = module


def drop_module(name):
    del sys.modules[name]


def marks(items):
    return [getattr(type(each), "mark", None) for each in items]


class Dicts(support.TestCase):
    def test_equal_dicts_arrive_and_belong_to_the_receiver(self):
        for _ in range(TIMES):
            for original in (
                {"id": 1, "name": "a", "score": 1.5},
                {"id": 2, "name": [1], "tags": {"id": {}}},
                {"id": 3},
            ):
                got = sent(original)
                self.assertEqual((got, list(got)), (original, list(original)))
                got["id"] = "changed"
                got["more"] = got
                del got["id"]

    def test_the_order_of_keys_is_kept(self):
        for _ in range(TIMES):
            for keys in ("ab", "ba", "abc", "acb", "bca"):
                self.assertEqual(list(sent(dict.fromkeys(keys, 1))), list(keys))

    def test_keys_are_interned_where_they_were(self):
        for _ in range(TIMES):
            for key in sent({"some_name": 1, "other_name": []}):
                self.assertIs(sys.intern(key), key)

    def test_keys_of_other_kinds(self):
        made = "".join(["made ", "here"])
        for _ in range(TIMES):
            for original in (
                {"a b": 1, made: 2}, {"\xe9\u20ac\U0001f600": 1, "\ud800": 2, "": 3, "x\0y": 4}, {1: "a", "b": 2},
                {"x" * 5000: 1}, {sys.intern("y" * 5000): 1}, dict.fromkeys(map(str, range(100)), 0),
                {interlock.freeze(["frozen key"])[0]: 1},
            ):  # fmt: skip
                self.assertEqual(list(sent(original).items()), list(original.items()))

    def test_more_shapes_than_have_a_number(self):
        for number in range(3000):
            original = {sys.intern(f"first {number}"): number, sys.intern(f"second {number}"): [number]}
            for _ in range(3):
                self.assertEqual(sent(original), original)

    def test_the_collector_knows_what_may_be_in_a_cycle(self):
        for _ in range(TIMES):
            got = sent({"itself": [], "value": 1})
            got["itself"].append(got)
            self.assertTrue(gc.is_tracked(got["itself"]))
            got["object"] = Record()
            ended = weakref.ref(got["object"])
            del got
            gc.collect()
            self.assertIsNone(ended())

    def test_through_other_interpreters(self):
        channels = [interlock.Channel(None) for _ in range(4)]
        for inbox, outbox in zip(channels, channels[1:], strict=False):
            self.interpreter().submit(relay, inbox, outbox)
        items = [{"key": n, "nested": {"k": str(n)}} for n in range(50)] + [Record(a=n, b=[n]) for n in range(50)]
        for each in items:
            channels[0].send(each)
        got = [channels[-1].recv(support.LIMIT) for _ in items]
        channels[0].close()
        self.assertEqual(got[:50], items[:50])
        self.assertEqual([vars(each) for each in got[50:]], [vars(each) for each in items[50:]])

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_in_the_child_of_a_fork(self):
        out, _ = self.run_program(
            """
import os, interlock
channel = interlock.Channel(1)
def send(obj):
    channel = interlock.Channel(1)
    channel.send(obj)
    return channel.recv()
for _ in range(3): send({"before": 1})
if (child := os.fork()) == 0:
    for _ in range(3): print(send({"before": 2}), send({"after": 3}), flush=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
            options=("-W", "ignore"),
        )
        self.assertEqual(out.split("\n")[:4], ["{'before': 2} {'after': 3}"] * 3 + ["0"])


class Globals(support.TestCase):
    def test_classes_are_found_by_their_names(self):
        inner = Outer.Inner([1])
        for _ in range(TIMES):
            self.assertEqual(sent(fractions.Fraction(1, 3)), fractions.Fraction(1, 3))
            self.assertIs(sent(fractions.Fraction), fractions.Fraction)
            self.assertIs(sent([math.floor, len])[0], math.floor)
            self.assertEqual(sent(inner).value, [1])
            self.assertIs(type(sent(inner)), Outer.Inner)

    def test_each_receiver_has_what_its_own_module_has_now(self):
        name = "a_module_of_test_names"
        kind = type("Kind", (), {"__module__": name, "mark": "sender's"})
        make_module(name, Kind=kind)
        self.addCleanup(drop_module, name)
        other = self.interpreter()
        for mark in ("first", "second"):
            other.exec(f"""
                import sys, types
                module = types.ModuleType({name!r})
                module.__spec__ = "anything"
                module.Kind = type("Kind", (), {{"__module__": {name!r}, "mark": {mark!r}}})
                sys.modules[{name!r}] = module
            """)
            for _ in range(TIMES):
                self.assertEqual(other.call(marks, [kind(), kind()]), [mark] * 2)
                self.assertEqual(sent(kind()).mark, "sender's")
        other.exec(f"import sys; del sys.modules[{name!r}]")
        with self.assertRaisesRegex(ImportError, name):
            other.call(marks, [kind()])
        other.exec(f"import sys, types; sys.modules[{name!r}] = types.ModuleType({name!r})")
        with self.assertRaisesRegex(AttributeError, "Kind"):
            other.call(marks, [kind()])

    def test_a_class_that_has_another_name_now(self):
        name = "another_module_of_test_names"
        kind = type("Kind", (), {"__module__": name})
        make_module(name, Kind=kind)
        self.addCleanup(drop_module, name)
        for _ in range(TIMES):
            self.assertIs(type(sent(kind())), kind)
        kind.__qualname__ = "Renamed"
        sys.modules[name].Renamed = kind
        del sys.modules[name].Kind
        for _ in range(TIMES):
            self.assertIs(type(sent(kind())), kind)


class FewLeaves(support.TestCase):
    def test_they_arrive(self):
        leaves = (
            None, True, False, 0, -1, 7000, 1 << 29, 1 << 30, -(1 << 62), 1 << 90, 1.5, -0.0, math.inf, "", "a", "\xe9", "\u20ac",
            "text" * 3, "\xe9" * 9, "\u20ac" * 9, "\U0001f600" * 9, "\ud800", "x" * 64, "x" * 65, "x" * 5000, b"", b"b", b"bytes", 2j,
            ..., NotImplemented, bytearray(b"x"), interlock.freeze(["frozen"])[0], interlock.freeze([1.25])[0],
        )  # fmt: skip
        for leaf in leaves:
            for original in (
                (leaf,),
                [leaf],
                (1, leaf, "z"),
                [leaf, 2.5, leaf],
                {"few": leaf},
                {"few": 1, "more": leaf},
            ):
                for _ in range(TIMES):
                    got = sent(original)
                    self.assertIs(type(got), type(original))
                    self.assertEqual(repr(got), repr(original))

    def test_what_is_there_twice_is_one(self):
        text = "".join(["te", "xt"])
        for got in (sent((text, text)), sent([1, text, text])[1:], list(sent({"a": text, "b": text}).values())):
            self.assertIs(got[0], got[1])

    def test_how_many(self):
        for size in range(20):
            self.assertEqual(sent(tuple(range(size))), tuple(range(size)))
            self.assertEqual(sent([str(n) for n in range(size)]), [str(n) for n in range(size)])

    def test_a_list_belongs_to_the_receiver(self):
        for _ in range(TIMES):
            got = sent(["a", 1])
            got += [got]
            self.assertTrue(gc.is_tracked(got))
            self.assertEqual(sent(["a", 1]), ["a", 1])

    def test_frozen_containers_stay_what_they_are(self):
        frozen = interlock.freeze((1, "text" * 3))
        self.assertIs(sent(frozen), frozen)
        self.assertIs(sent([frozen])[0], frozen)


if __name__ == "__main__":
    support.main()
