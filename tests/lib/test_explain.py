# SPDX-License-Identifier: MIT
"""explain(): what it says is what a send does, and it changes nothing."""

import array
import collections
import dataclasses
import gc
import json
import random
import re
import socket
import sys
import unittest

import interlock
import support
import zoo


@dataclasses.dataclass
class Record:
    a: int
    b: object = None


class Slots:
    __slots__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


class Raises:
    def __init__(self, error):
        self.error = error

    def __reduce_ex__(self, protocol):
        raise self.error


def generate():
    yield


def text(n=5):
    """A str that nothing else holds."""
    return "text" * n


def table(obj, move=False):
    return [(part.path, part.type, part.tier) for part in interlock.explain(obj, move=move)]


class Tiers(support.TestCase):
    maxDiff = None

    def test_plain_objects(self):
        self.assertEqual(
            table([1, 1 << 40, None, "a", text(), 2.5, {"k": text(), (1, 2): ()}, {text()}]),
            [
                ("message", "list", "copied"),
                ("message[0]", "int", "shared"),
                ("message[1]", "int", "copied"),
                ("message[2]", "NoneType", "shared"),
                ("message[3]", "str", "shared"),
                ("message[4]", "str", "copied"),
                ("message[5]", "float", "copied"),
                ("message[6]", "dict", "copied"),
                ("message[6]['k']", "str", "copied"),
                ("message[6].keys()[1]", "tuple", "copied"),
                ("message[6].keys()[1][0]", "int", "shared"),
                ("message[6].keys()[1][1]", "int", "shared"),
                ("message[6][(1, 2)]", "tuple", "shared"),
                ("message[7]", "set", "copied"),
                ("message[7].elements()[0]", "str", "copied"),
            ],
        )

    def test_instances(self):
        self.assertEqual(
            table([Record(1, [text()]), Slots(1, text()), collections.deque([text()])]),
            [
                ("message", "list", "copied"),
                ("message[0]", "Record", "rebuilt"),
                ("message[0].a", "int", "shared"),
                ("message[0].b", "list", "copied"),
                ("message[0].b[0]", "str", "copied"),
                ("message[1]", "Slots", "rebuilt"),
                ("message[1].x", "int", "shared"),
                ("message[1].y", "str", "copied"),
                ("message[2]", "deque", "rebuilt"),
                ("message[2].__reduce_ex__(5)[2][0]", "str", "copied"),
            ],
        )

    def test_what_crosses_by_name_by_value_or_as_a_handle(self):
        parts = list(interlock.explain([json.dumps, Record, text, json, interlock.Channel(1), len, Record(1)]))
        self.assertEqual(
            [(part.type, part.tier, part.reason) for part in parts[1:8]],
            [
                ("function", "rebuilt", "json.dumps, by name"),
                ("type", "rebuilt", "Record, by value"),
                ("function", "rebuilt", "text, by value"),
                ("module", "rebuilt", "json, by name"),
                ("Channel", "shared", ""),
                ("builtin_function_or_method", "rebuilt", "builtins.len, by name"),
                ("Record", "rebuilt", ""),
            ],
        )

    def test_memory(self):
        items, view = array.array("d", [1.5]), memoryview(bytearray(1000))
        for move, tier in (False, "copied"), (True, "moved" if interlock.features["move"] else "rebuilt"):
            parts = list(interlock.explain([items, view], move=move))
            if interlock.features["move"]:
                self.assertEqual((parts[1].type, parts[1].tier), ("array", tier))
            self.assertEqual((parts[-1].type, parts[-1].tier, parts[-1].size), ("memoryview", "shared", 1000))

    def test_what_is_frozen(self):
        frozen = interlock.freeze([text(), {"k": (1,)}])
        self.assertEqual(table(frozen), [("message", "tuple", "shared")])
        for move in False, True:
            self.assertEqual(table([frozen], move=move)[1:], [("message[0]", "tuple", "shared")])

    def test_a_registered_type(self):
        interlock.register(Slots, interlock.proxy)
        self.addCleanup(interlock.unregister, Slots)
        self.assertEqual(table([Slots(1, 2)])[1:], [("message[0]", "Slots", "shared")])
        interlock.register(Slots, refuse="not these")
        (part,) = interlock.explain([Slots(1, 2)]).refused
        self.assertEqual((part.path, part.reason), ("message[0]", "not these"))

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_a_move(self):
        held, inner = text(), [text()]
        obj = [text(), held, inner, (inner, 1), {"k": 2.5, "l": bytearray(3)}]
        self.assertEqual(
            table(obj, move=True),
            [
                ("message", "list", "moved"),
                ("message[0]", "str", "moved"),
                ("message[1]", "str", "copied"),
                ("message[2]", "list", "moved"),
                ("message[2][0]", "str", "moved"),
                ("message[3]", "tuple", "moved"),
                ("message[3][0]", "list", "moved"),
                ("message[3][1]", "int", "shared"),
                ("message[4]", "dict", "moved"),
                ("message[4]['k']", "float", "copied"),  # a constant of this function
                ("message[4]['l']", "bytearray", "moved"),
            ],
        )

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_a_move_of_what_does_not_move_as_it_is(self):
        parts = list(interlock.explain([text(), bytearray(3), Record(1, [2])], move=True))
        self.assertEqual(
            [(part.path, part.tier, part.reason) for part in parts],
            [
                ("message", "copied", "and emptied"),
                ("message[0]", "copied", ""),
                ("message[1]", "moved", ""),
                ("message[2]", "rebuilt", ""),
                ("message[2].a", "shared", ""),
                ("message[2].b", "copied", ""),
                ("message[2].b[0]", "shared", ""),
            ],
        )

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_what_moved_marks(self):
        rows, other = [text()], [text()]
        obj = {"a": interlock.moved(rows), "b": Record(1, interlock.moved(other)), "c": [text()]}
        self.assertEqual(
            table(obj),
            [
                ("message", "dict", "copied"),
                ("message['a']", "list", "moved"),
                ("message['b']", "Record", "rebuilt"),
                ("message['b'].a", "int", "shared"),
                ("message['b'].b", "list", "moved"),
                ("message['c']", "list", "copied"),
                ("message['c'][0]", "str", "copied"),
            ],
        )
        self.assertEqual((rows, other), ([text()], [text()]))
        self.assertEqual(table(interlock.moved(rows)), [("message", "list", "moved")])
        rows.append(Record(1))  # which cannot move as it is
        self.assertEqual(
            table([interlock.moved(rows)]),
            [
                ("message", "list", "copied"),
                ("message[0]", "list", "copied"),
                ("message[0][0]", "str", "copied"),
                ("message[0][1]", "Record", "rebuilt"),
                ("message[0][1].a", "int", "shared"),
                ("message[0][1].b", "NoneType", "shared"),
            ],
        )
        self.assertEqual(table(interlock.moved(rows))[0], ("message", "list", "copied"))
        self.assertEqual(len(rows), 2)
        marker = interlock.moved(rows)
        interlock.explain([marker])
        interlock.Channel(1).send([marker])
        self.assertEqual(rows, [])
        (part,) = interlock.explain([marker]).refused
        self.assertIn("has moved before", part.reason)

    def test_what_stands_in_several_places(self):
        part = [text()]
        loop = [part, part]
        loop.append(loop)
        for move in False, True:
            reasons = [(each.path, each.reason) for each in interlock.explain(loop, move=move)]
            self.assertEqual(
                reasons[-2:], [("message[1]", "the same as message[0]"), ("message[2]", "the same as message")]
            )
        self.assertEqual(interlock.explain(loop).totals["copied"][0], 3)


class Refused(support.TestCase):
    def test_all_that_is_refused_is_found(self):
        obj = {"a": [generate(), 1], "b": Record(generate(), sys._getframe())}
        refused = interlock.explain(obj).refused
        self.assertEqual(
            [(part.path, part.type) for part in refused],
            [("message['a'][0]", "generator"), ("message['b'].a", "generator"), ("message['b'].b", "frame")],
        )
        with self.assertRaisesRegex(interlock.TransferError, "^" + re.escape(refused[0].path) + ": a generator"):
            interlock.Channel(1).send(obj)

    def test_also_far_from_what_is_shown(self):
        obj = [Record(i, [i]) for i in range(1000)]
        obj[500].b.append(generate())
        obj[700].a = generate()
        explanation = interlock.explain(obj)
        self.assertEqual([part.path for part in explanation.refused], ["message[500].b[1]", "message[700].a"])
        self.assertIn("\nmessage[500].b[1]", str(explanation))
        self.assertEqual(len(interlock.explain([generate() for _ in range(500)]).refused), 500)

    def test_reasons(self):
        listener = socket.socket()
        listener.close()
        for obj, reason in (
            (listener, "it is closed"),
            (Raises(TypeError("mine")), "mine"),
            (Raises(LookupError("mine")), "it raised LookupError: mine"),
            (lambda: listener, "function.__globals__"),
        ):
            (part,) = interlock.explain([obj]).refused
            self.assertIn(reason.split("__")[0], part.reason)

    def test_what_is_no_refusal_is_raised(self):
        for error in KeyboardInterrupt, MemoryError, SystemExit:
            with self.assertRaises(error):
                interlock.explain([1, Raises(error())])

        items = []

        class Sly:
            def __reduce__(self):
                items.append(1)
                return int, ()

        items += [Sly(), 2]
        with self.assertRaisesRegex(RuntimeError, "changed size"):
            interlock.explain(items)


class Truth(support.TestCase):
    def test_the_zoo(self):
        """What is explained without a refusal crosses, and is as it was."""
        for name, make in [*zoo.ZOO.items(), *zoo.IDENTICAL.items()]:
            for move in False, True:
                with self.subTest(name, move=move):
                    obj = make()
                    before = sys.getrefcount(obj), repr(obj)
                    explanation = interlock.explain(obj, move=move)
                    self.assertEqual(explanation.refused, [])
                    self.assertEqual((sys.getrefcount(obj), repr(obj)), before)
                    interlock.Channel(1).send(obj, move=move)

    def test_nothing_changes(self):
        one, other = socket.socketpair()
        self.addCleanup(other.close)
        data, items, view = bytearray(b"data"), array.array("i", [1]), memoryview(bytearray(3))
        text_there = text()
        obj = {
            "l": [text(), text_there],
            "d": data,
            "a": items,
            "v": view,
            "s": one,
            "r": Record(1, {2}),
            "q": collections.deque([1]),
        }
        expected = [obj["l"][:], bytes(data), items[:], obj["r"].b.copy()]
        for move in False, True, True:
            counts = [sys.getrefcount(each) for each in [*obj.values(), text_there]]
            interlock.explain(obj, move=move)
            self.assertEqual([obj["l"], bytes(data), items, obj["r"].b], expected)
            self.assertEqual([sys.getrefcount(each) for each in [*obj.values(), text_there]], counts)
            data.append(1)  # nothing of it is lent
            data.pop()
            items.append(1)
            items.pop()
            one.send(b"x")
            self.assertEqual(other.recv(1), b"x")
        view.release()
        one.close()
        plain = [text(), {"k": [text()]}, bytearray(3), {text()}, (text(), [])]
        ids = [id(each) for each in gc.get_referents(plain)]
        interlock.explain(plain, move=True)
        self.assertEqual(ids, [id(each) for each in gc.get_referents(plain)])
        self.assertEqual(plain, [text(), {"k": [text()]}, bytearray(3), {text()}, (text(), [])])
        self.assertTrue(gc.is_tracked(plain[1]))

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_what_moves_is_the_same_object_and_what_is_copied_is_another(self):
        seed = random.randrange(1 << 32)
        rng = random.Random(seed)

        def grow(depth, held):
            kind = rng.randrange(5) if depth else rng.randrange(2)
            if kind == 0:
                return text(rng.randrange(2, 9))
            if kind == 1:
                return rng.choice(held)
            items = [grow(depth - 1, held) for _ in range(rng.randrange(4))]
            return items if kind == 2 else tuple(items) if kind == 3 else dict(zip("abc", items))

        for _ in range(200):
            held = [1 << 80, text(3), 2.5 + depth_of(rng), 7, None]
            obj = [grow(4, held)]
            parts = [part for part in interlock.explain(obj, move=True) if part.type in ("str", "int", "float")]
            ids = [id(eval(part.path, {"message": obj})) for part in parts]
            channel = interlock.Channel(1)
            channel.send(obj, move=True)
            got = channel.recv()
            for part, before in zip(parts, ids, strict=True):
                is_same = id(eval(part.path, {"message": got})) == before
                self.assertEqual(is_same, part.tier != "copied", f"{part}, seed {seed}")


def depth_of(rng):
    return float(rng.randrange(9))


class Shown(support.TestCase):
    def test_as_a_table(self):
        explanation = interlock.explain([{"id": i, "name": text()} for i in range(1000)] + [generate()])
        self.assertEqual(
            [line.split() for line in str(explanation).splitlines()],
            [
                ["part", "type", "tier", "bytes"],
                ["message", "list", "copied", str(explanation).split()[7]],
                ["message[0]", "dict", "copied", f"{sys.getsizeof({'id': 1, 'name': 2})}"],
                ["message[0]['id']", "int", "shared", f"{sys.getsizeof(1)}"],
                ["message[0]['name']", "str", "copied", f"{sys.getsizeof(text())}"],
                ["...", "999", "more", "like", "[0]"],
                ["message[1000]", "generator", "refused", f"{sys.getsizeof(generate())}"],
            ],
        )
        self.assertTrue(str(explanation).splitlines()[3].startswith("    message[0]['id']  "))
        small = sum(int(str(i)) is int(str(i)) for i in range(1000))  # ints that all interpreters have in common
        expected = f"<interlock.Explanation: {small:,} shared, {3001 - small:,} copied, 1 refused>"
        self.assertEqual(repr(explanation), expected)
        self.assertEqual(len(explanation), 1 + 10 * 3 + 1)

    def test_alike_is_said_of_what_is_alike(self):
        lines = str(interlock.explain([*range(3), [1], [1], *map(Record, range(20))])).splitlines()
        self.assertEqual(
            [line.split("  ")[1] for line in lines if "more" in line],
            ["... 2 more like [0]", "... 1 more like [3]", "... 19 more like [5]"],
        )

    def test_depth_and_size_have_no_limit(self):
        deep = None
        for _ in range(100_000):
            deep = [deep]
        explanation = interlock.explain(deep)
        self.assertLess(len(str(explanation)), 10_000)
        self.assertEqual(explanation.totals["copied"][0], 100_000)
        tree = [
            [[[[i for i in range(10)] for _ in range(10)] for _ in range(10)] for _ in range(10)] for _ in range(10)
        ]
        explanation = interlock.explain(tree)
        self.assertLessEqual(len(explanation), 10_000)
        self.assertEqual(explanation.totals["copied"][0] + explanation.totals["shared"][0], 11_111 + 100_000)

    def test_a_part_says_what_it_is(self):
        part = next(iter(interlock.explain(text())))
        self.assertEqual(
            (part.path, part.type, part.tier, part.reason, part.depth), ("message", "str", "copied", "", 0)
        )
        self.assertEqual(part.size, sys.getsizeof(text()))
        with self.assertRaises(TypeError):
            interlock.explain()


if __name__ == "__main__":
    unittest.main()
