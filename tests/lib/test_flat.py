# SPDX-License-Identifier: MIT
"""Objects that hold only a few leaves, sent alone and again and again: once their keys and their class are known, they
take a shorter way, which nobody may notice."""

import copyreg
import gc
import importlib.machinery
import random
import sys
import types
import unittest

import instance_classes as shapes
import interlock
import support

AGAIN = 4  # times that it takes, and one more, until all is known


def crossings(obj):
    """What arrives each time, and what the channel has counted of it."""
    for _ in range(AGAIN):
        channel = interlock.Channel(1)
        channel.send(obj)
        yield channel.recv(), channel.stats()["tiers"]


def make(cls, values):
    obj = cls.__new__(cls)
    for name, value in values.items():
        object.__setattr__(obj, sys.intern(name), value)
    return obj


def parts(obj):
    """The attributes of an instance, in their order; of slots in any."""
    if hasattr(obj, "__dict__"):
        return list(vars(obj).items())
    names = [name for cls in type(obj).__mro__ for name in getattr(cls, "__slots__", ())]
    return {name: getattr(obj, name) for name in names if hasattr(obj, name)}


def describe(obj):
    """Called by others, so that they say what they got."""
    return type(obj).__qualname__, parts(obj)


CLASSES = {
    shapes.Plain: ("a", "b", "c"),
    shapes.Child: ("_x", "__y", "c", "d", "e", "f", "g", "h"),
    shapes.Concrete: ("value",),
    shapes.Frozen: ("a", "b"),
    shapes.MoreSlots: ("a", "b", "c", "_Slots__private"),
    shapes.Outer.Inner: ("a", "b"),  # whose name has a dot
}


def some_leaf(source):
    texts = ("", "x", "é", "word", "ä" * 3, "\u2603", "\U0001f40d", "long " * 30)
    return source.choice(
        (None, True, False, source.randrange(-9, 9), source.randrange(1 << 29), 1 << 80, source.random(), *texts)
    )


class Alone(support.TestCase):
    def test_instances_arrive_as_they_were(self):
        source = random.Random(7)
        for cls, names in CLASSES.items():
            for _ in range(20):
                obj = make(cls, {name: some_leaf(source) for name in names})
                seen = [(type(twin), parts(twin), tiers) for twin, tiers in crossings(obj)]
                with self.subTest(cls=cls, parts=parts(obj)):
                    self.assertEqual([each[:2] for each in seen], [(cls, parts(obj))] * AGAIN)

    def test_counts_are_those_of_the_long_way(self):
        """With one attribute more than the short way takes."""
        few = make(shapes.Plain, {f"k{i}": i for i in range(8)})
        many = make(shapes.Plain, {f"k{i}": i for i in range(9)})
        *_, (_, short) = crossings(few)
        *_, (_, long) = crossings(many)
        self.assertEqual(short["rebuilt"], long["rebuilt"])
        self.assertEqual(short["rebuilt"], {"messages": 1, "objects": 2, "bytes": 0})
        self.assertEqual(short["copied"]["objects"], long["copied"]["objects"] - 1)
        self.assertEqual(short["copied"]["bytes"], long["copied"]["bytes"] - 8)
        self.assertEqual(short["copied"]["messages"], 0)

    def test_the_collector_knows_them(self):
        for twin, _ in crossings(make(shapes.Plain, {"a": 1})):
            self.assertTrue(gc.is_tracked(twin))

    def test_what_is_held_twice_arrives_as_one(self):
        for text in ("word", "w" * 50):
            shared = "".join([text, "!"])
            for cls in (shapes.Plain, shapes.Slots):
                for twin, _ in crossings(make(cls, {"a": shared, "b": shared, "_Slots__private": 0})):
                    self.assertIs(twin.a, twin.b)
            for twin, _ in crossings({"a": shared, "b": shared}):
                self.assertIs(twin["a"], twin["b"])

    def test_order_of_attributes(self):
        make(shapes.Plain, dict.fromkeys("abc"))
        for names in ("cba", "bac", "b", "cab", "xab"):
            obj = make(shapes.Plain, dict.fromkeys(names, names))
            for twin, _ in crossings(obj):
                self.assertEqual(list(vars(twin)), list(names))

    def test_frozen_leaves_stay_what_they_are(self):
        for leaf in map(interlock.freeze, (77777, 1 << 80, 1.5, "some text")):
            for obj in ({"a": leaf, "b": 1}, [leaf, 1], (leaf, 1), make(shapes.Plain, {"a": leaf, "b": 1})):
                for twin, _ in crossings(obj):
                    parts = vars(twin) if isinstance(twin, shapes.Plain) else twin
                    self.assertIs(parts["a" if isinstance(parts, dict) else 0], leaf)

    def test_classes_that_come_once_take_no_numbers(self):
        """There are only so many, and the first ones would have them all."""
        channel = interlock.Channel(1)
        module = types.ModuleType("classes_that_come_once")
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        for i in range(1500):
            cls = type(f"Class{i}", (), {"__module__": module.__name__})
            setattr(module, cls.__name__, cls)
            channel.send(make(cls, {"x": 1, "y": 2}))
            self.assertIs(type(channel.recv()), cls)
        *_, (_, first), (_, last) = crossings(make(shapes.Child, {"x": 1, "y": 2}))
        self.assertEqual(last["copied"]["bytes"], 40)

    def test_dict_that_was_looked_at(self):
        obj = make(shapes.Plain, {"a": 1, "b": 2})
        table = vars(obj)
        table["c"] = 3
        for twin, _ in crossings(obj):
            self.assertEqual(vars(twin), table)
        obj.itself = table
        for twin, _ in crossings(obj):
            self.assertIs(twin.itself["itself"], twin.itself)

    def test_receivers_that_see_it_first(self):
        """One that has no names of attributes for the class yet, one that has them in another order, one where it has more."""
        obj = make(shapes.Plain, {"a": 1, "b": "two"})
        slots = make(shapes.Slots, {"a": 1, "b": 2, "_Slots__private": 3})
        for code in ("", "p.b = 0; p.a = 1", "p.a = p.b = p.c = 1"):
            with interlock.Interpreter() as peer:
                peer.exec(f"import instance_classes as s; p = s.Plain(); {code}")
                for each in (obj, slots):
                    seen = [peer.call(describe, each) for _ in range(AGAIN)]
                    self.assertEqual(seen, [describe(each)] * AGAIN)

    def test_the_class_is_imported_once(self):
        """Also by a receiver that has to make its first instance otherwise."""
        obj = make(shapes.Plain, {"a": 1, "b": 2})
        list(crossings(obj))
        with interlock.Interpreter() as peer:
            peer.exec("""
                import instance_classes as s
                asked = []
                kept = s.__dict__.pop("Plain")
                def __getattr__(name):
                    asked.append(name)
                    return kept
                s.__getattr__ = __getattr__
            """)
            channel = interlock.Channel(1)
            for count in (1, 2, 3):
                channel.send(obj)
                self.assertEqual(peer.call(lambda: describe(channel.recv())), describe(obj))
                self.assertEqual(peer.call(eval, "asked"), ["Plain"] * count)

    def test_class_that_changes_in_the_receiver(self):
        obj = make(shapes.Slots, {"a": 1, "b": 2, "_Slots__private": 3})
        with interlock.Interpreter() as peer:
            for _ in range(AGAIN):
                peer.call(describe, obj)
            peer.exec("import instance_classes as s\nclass Slots: pass\ns.Slots = Slots")
            name, attributes = peer.call(describe, obj)
            self.assertEqual((name, dict(attributes)), ("Slots", {"a": 1, "b": 2, "_Slots__private": 3}))
            peer.exec("Slots.__setstate__ = lambda self, state: setattr(self, 'got', state)")
            state = (None, {"b": 2, "a": 1, "_Slots__private": 3})
            name, (got,) = peer.call(describe, obj)
            self.assertEqual((name, got[0]), ("Slots", "got"))
            self.assertIn(got[1], (state, state[1]))
            peer.exec("s.Slots = lambda: None")
            with self.assertRaisesRegex(TypeError, "function <lambda> .* is no class here"):
                peer.call(describe, obj)
            peer.exec("del s.Slots")
            with self.assertRaisesRegex(AttributeError, "Slots"):
                peer.call(describe, obj)


class Say(support.TestCase):
    """The class, or the program, has a say in how instances are copied after they have crossed without."""

    def setUp(self):
        self.obj = make(shapes.Plain, {"a": 1, "b": 2})
        for twin, _ in crossings(self.obj):
            self.assertEqual(vars(twin), {"a": 1, "b": 2})
        self.addCleanup(lambda: self.assertEqual(self.arrives(), {"a": 1, "b": 2}))

    def arrives(self):
        channel = interlock.Channel(1)
        channel.send(self.obj)
        twin = channel.recv()
        return vars(twin) if isinstance(twin, shapes.Plain) else twin

    def test_methods(self):
        for name, method, expected in (
            ("__reduce__", lambda self: (str, ("reduced",)), "reduced"),
            ("__reduce_ex__", lambda self, protocol: (int, (protocol,)), 5),
            ("__getstate__", lambda self: {"c": 3}, {"c": 3}),
            ("__setstate__", lambda self, state: vars(self).update(d=state), {"d": {"a": 1, "b": 2}}),
        ):
            with self.subTest(name=name):
                setattr(shapes.Plain, name, method)
                self.addCleanup(lambda name=name: name in vars(shapes.Plain) and delattr(shapes.Plain, name))
                self.assertEqual(self.arrives(), expected)
                delattr(shapes.Plain, name)
                self.assertEqual(self.arrives(), {"a": 1, "b": 2})

    def test_copyreg(self):
        copyreg.pickle(shapes.Plain, lambda obj: (tuple, ([obj.a],)))
        self.addCleanup(copyreg.dispatch_table.pop, shapes.Plain)
        self.assertEqual(self.arrives(), (1,))

    def test_register(self):
        interlock.register(shapes.Plain, lambda obj: (list, ((obj.b,),)))
        self.addCleanup(interlock.unregister, shapes.Plain)
        self.assertEqual(self.arrives(), [2])

    def test_attribute(self):
        for _ in range(AGAIN):
            obj = make(shapes.Plain, {"a": 1, "__reduce_ex__": None})
            channel = interlock.Channel(1)
            with self.assertRaisesRegex(TypeError, "NoneType.* is not callable"):
                channel.send(obj)

    def test_class_that_is_no_longer_under_its_name(self):
        self.addCleanup(setattr, shapes, "Plain", shapes.Plain)
        before = type(self.obj)
        shapes.Plain = type("Plain", (), {})
        channel = interlock.Channel(1)
        channel.send(self.obj)
        twin = channel.recv()
        self.assertIs(type(twin), before)  # its definition crosses

    def test_code_that_changes_the_instance_while_its_class_is_looked_up(self):
        obj = make(shapes.Plain, {"a": "text" * 9, "b": "more" * 9})

        class Key:
            def __hash__(self):
                return hash(shapes.Plain)

            def __eq__(self, other):
                vars(obj).clear()
                return False

        key = Key()
        copyreg.dispatch_table[key] = None
        try:
            channel = interlock.Channel(1)
            channel.send(obj)
            self.assertEqual(vars(channel.recv()), {})
        finally:
            del copyreg.dispatch_table[key]

    def test_module_that_has_gone(self):
        self.addCleanup(sys.modules.__setitem__, "instance_classes", shapes)
        del sys.modules["instance_classes"]
        self.assertEqual(self.arrives(), {"a": 1, "b": 2})


if __name__ == "__main__":
    unittest.main()
