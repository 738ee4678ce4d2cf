# SPDX-License-Identifier: MIT
"""Instances that are nothing but their attributes, which cross without their being asked; and those
that have a say."""

import copyreg
import dataclasses
import gc
import random
import threading
import unittest
import weakref

import instance_classes as shapes
import interlock
import support


def round_trip(obj):
    channel = interlock.Channel(1)
    channel.send(obj)
    return channel.recv()


def make(cls, **attributes):
    obj = cls()
    for name, value in attributes.items():
        setattr(obj, name, value)
    return obj


class InMain:
    pass


class Attributes(support.TestCase):
    def check(self, obj):
        result = round_trip(obj)
        self.assertIs(type(result), type(obj))
        self.assertIsNot(result, obj)
        self.assertEqual(list(vars(result).items()), list(vars(obj).items()))
        return result

    def test_none_and_many(self):
        for cls in (shapes.Plain, shapes.Child, shapes.Concrete, shapes.Outer.Inner, InMain):
            for count in (0, 1, 2, 7, 29, 30, 31, 32, 33, 100):
                with self.subTest(cls=cls, count=count):
                    first = make(cls, **{f"a{i}": [i] for i in range(count)})
                    self.check(first)
                    again = make(cls, **{f"a{i}": i for i in range(count)})
                    for twin in round_trip([first, again, again, first]):
                        self.assertEqual(list(vars(twin)), list(vars(first)))

    def test_a_dict_that_something_else_holds(self):
        """It leads to the same attributes as the instance, so that one reference may be met twice."""
        for extra in (0, 40):  # in the instance itself, and in the dict
            one = make(shapes.Plain, part=[1], **{f"a{i}": i for i in range(extra)})
            twin, table = round_trip([one, vars(one)])
            self.assertIs(table["part"], twin.part)
            table, twin = round_trip([vars(one), one])
            self.assertIs(table["part"], twin.part)
            one.itself = one
            table = vars(one)
            del one
            copied = round_trip([table])[0]
            self.assertEqual(list(copied), list(table))
            self.assertIs(type(copied["itself"]), shapes.Plain)

    def test_order_is_kept(self):
        one = make(shapes.Plain, a=1, b=2, c=3)
        for names in ("cba", "bac", "b", "cab", "xab"):
            self.check(make(shapes.Plain, **dict.fromkeys(names, names)))
        del one.b
        self.check(one)
        one.b = 9
        self.check(one)

    def test_attributes_that_only_some_have(self):
        """Their names stand in one table, in the order in which any of them got one first."""
        all_of_them = make(shapes.Child, **dict.fromkeys("abcdef"))
        objects = [make(shapes.Child, **{name: [name] for name in names}) for names in ("c", "ec", "fab", "", "dcba")]
        for obj in objects:
            self.check(obj)
            del obj.__dict__
            obj.f, obj.a = 1, 2
            self.check(obj)
        for one, other in zip(objects, round_trip([all_of_them, *objects])[1:], strict=True):
            self.assertEqual(list(vars(one).items()), list(vars(other).items()))

    def test_dict_that_was_looked_at_or_replaced(self):
        obj = make(shapes.Plain, a=1, b="two")
        self.assertEqual(vars(obj), {"a": 1, "b": "two"})
        self.check(obj)
        obj.__dict__ = {"b": 1, "z": [2]}
        self.check(obj)
        obj.__dict__ = {}
        self.check(obj)
        del obj.__dict__
        self.check(obj)

    def test_names_that_only_a_dict_has(self):
        obj = make(shapes.Plain, **{"with space": 1, "": 2, "\ud800": 3})
        self.check(obj)
        vars(obj)[5] = "five"
        self.check(obj)

    def test_subclass_of_dict_as_attributes(self):
        class Attributes(dict):
            pass

        obj = shapes.Plain()
        obj.__dict__ = Attributes(a=1)
        self.assertEqual(vars(round_trip(obj)), {"a": 1})

    def test_what_arrives_is_an_ordinary_instance(self):
        twin = round_trip(make(shapes.Plain, a=[1], b=2))
        twin.c = 3
        del twin.a
        twin.a = 4
        self.assertEqual(list(vars(twin).items()), [("b", 2), ("c", 3), ("a", 4)])
        reference = weakref.ref(twin)
        twin.self = twin
        del twin
        gc.collect()
        self.assertIsNone(reference())

    def test_cycles_and_shared_parts(self):
        obj = make(shapes.Plain, name="x")
        obj.itself, obj.pair = obj, (obj, [obj])
        slotted = make(shapes.Slots, a=obj, b={"obj": obj})
        obj.slotted = slotted
        slotted._Slots__private = slotted
        twin = round_trip(obj)
        self.assertIs(twin.itself, twin)
        self.assertIs(twin.pair[0], twin)
        self.assertIs(twin.pair[1][0], twin)
        self.assertIs(twin.slotted.a, twin)
        self.assertIs(twin.slotted.b["obj"], twin)
        self.assertIs(twin.slotted._Slots__private, twin.slotted)

    def test_instance_that_its_class_holds(self):
        class Single:
            pass

        Single.only = make(Single, a=1)
        other = make(Single, a=2)
        with interlock.Interpreter() as interpreter:
            same, a, b = interpreter.call(lambda one, two: (type(one).only is one, one.a, two.a), Single.only, other)
        self.assertEqual((a, b), (1, 2))
        self.assertIs(round_trip(Single.only).__class__, Single)

    def test_slots(self):
        obj = make(shapes.Slots, a=1, b=[2], _Slots__private="p")
        for _ in range(2):
            twin = round_trip(obj)
            self.assertIs(type(twin), shapes.Slots)
            self.assertEqual((twin.a, twin.b, twin._Slots__private), (1, [2], "p"))
        more = make(shapes.MoreSlots, a=1, b=2, c=3, _Slots__private=4)
        twin = round_trip(more)
        self.assertEqual((twin.a, twin.b, twin.c, twin._Slots__private), (1, 2, 3, 4))
        for name in "abc":
            delattr(more, name)
            twin = round_trip(more)
            self.assertFalse(hasattr(twin, name))
            self.assertEqual(twin._Slots__private, 4)
        mixed = make(shapes.SlotsAndDict, a=1, z=2)
        twin = round_trip(mixed)
        self.assertEqual((twin.a, twin.z, vars(twin)), (1, 2, {"z": 2}))
        self.assertIs(type(round_trip(shapes.NoSlots())), shapes.NoSlots)
        weak = make(shapes.Weak, a=5)
        reference = weakref.ref(weak)
        self.assertEqual(round_trip(weak).a, 5)
        self.assertIs(reference(), weak)

    def test_slot_that_a_derived_class_hides(self):
        class Base:
            __slots__ = ("a", "b")

        class Derived(Base):
            __slots__ = ()

        obj = make(Derived, a=1, b=2)
        Derived.a = property(lambda self: "hidden", lambda self, value: None)
        twin = round_trip(obj)
        self.assertEqual((twin.b, twin.a), (2, "hidden"))

    def test_dataclasses(self):
        record = shapes.Record("r", 3, shapes.Record("inner"))
        record.link.link = record
        twin = round_trip(record)
        self.assertIs(twin.link.link, twin)
        for obj in (shapes.Frozen(1, [2]), shapes.Slotted(1, [2]), shapes.Record("a", 2, [3])):
            self.assertEqual(round_trip([obj] * 3), [obj] * 3)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            round_trip(shapes.Frozen(1, 2)).a = 2

    def test_many_classes_in_one_message(self):
        classes = [type(f"C{i}", (), {}) for i in range(40)]
        objects = [make(cls, **{f"a{i % 3}": i}) for i, cls in enumerate(classes * 3)]
        for one, other in zip(objects, round_trip(objects), strict=True):
            self.assertIs(type(one), type(other))
            self.assertEqual(vars(one), vars(other))

    def test_classes_that_come_and_go(self):
        """A new class may stand where another one stood."""
        for i in range(3000):
            cls = type("Passing", (), {} if i % 3 else {"__reduce__": lambda self: (int, (7,))})
            result = round_trip(make(cls, a=i))
            self.assertEqual(result if i % 3 == 0 else result.a, i if i % 3 else 7)

    def test_random_attributes(self):
        rng = random.Random(11)
        for _ in range(300):
            objects = [rng.choice((shapes.Plain, shapes.Child, InMain))() for _ in range(rng.randrange(1, 9))]
            for _ in range(rng.randrange(40)):
                obj, name = rng.choice(objects), rng.choice("abcdefgh")
                action = rng.randrange(8)
                if action == 0 and hasattr(obj, name):
                    delattr(obj, name)
                elif action == 1:
                    vars(obj)
                elif action == 2:
                    obj.__dict__ = dict(vars(obj))
                else:
                    setattr(obj, name, rng.choice((1, "x", [2], obj, *objects)))
            numbers = {id(obj): i for i, obj in enumerate(objects)}
            twins = round_trip(objects)
            twin_numbers = {id(obj): i for i, obj in enumerate(twins)}
            for one, other in zip(objects, twins, strict=True):
                self.assertIs(type(one), type(other))
                self.assertEqual(
                    [(name, numbers.get(id(value), value)) for name, value in vars(one).items()],
                    [(name, twin_numbers.get(id(value), value)) for name, value in vars(other).items()],
                )  # fmt: skip

    def test_path_to_a_refused_attribute(self):
        refused = make(
            shapes.Plain, first=1, second=[make(shapes.Slots, b={"k": threading.Lock()}, a=1, _Slots__private=2)]
        )
        with self.assertRaisesRegex(interlock.TransferError, r"^message\.second\[0\]\.b\['k'\]: a lock cannot"):
            round_trip(refused)

    def test_move_leaves_what_is_inside(self):
        channel = interlock.Channel(1)
        inner, outer = [1, 2], [make(shapes.Plain, items=[3])]
        outer[0].inner = inner
        obj = outer[0]
        channel.send(outer, move=True)
        self.assertEqual((outer, obj.items, obj.inner), ([], [3], [1, 2]))
        self.assertEqual(vars(channel.recv()[0]), {"items": [3], "inner": [1, 2]})

    def test_between_interpreters(self):
        def change(objects):
            for obj in objects:
                obj.total = len(vars(obj))
            return objects, [type(obj).__module__ for obj in objects]

        objects = [make(shapes.Plain, a=i, b=[i]) for i in range(5)] + [make(InMain, c=1)]
        with interlock.Interpreter() as interpreter:
            for _ in range(3):
                twins, modules = interpreter.call(change, objects)
                self.assertEqual([type(obj) for obj in twins], [type(obj) for obj in objects])
                self.assertEqual([obj.total for obj in twins], [2] * 5 + [1])
                self.assertEqual(modules, ["instance_classes"] * 5 + ["__main__"])


class Say(support.TestCase):
    def test_methods_of_the_class(self):
        class Reduces:
            def __reduce__(self):
                return (list, ((1, 2),))

        class ReducesEx:
            def __reduce_ex__(self, protocol):
                return (list, ((protocol,),))

        class Gives:
            def __getstate__(self):
                return {"given": 1}

        class Takes:
            def __setstate__(self, state):
                self.__dict__.update(state, taken=True)

        class NewArgs:
            def __new__(cls, a):
                self = object.__new__(cls)
                self.made_with = a
                return self

            def __getnewargs__(self):
                return ("args",)

        class Reads:
            def __getattribute__(self, name):
                if name == "__reduce_ex__":
                    return lambda protocol: (int, (3,))
                return object.__getattribute__(self, name)

        self.assertEqual(round_trip(Reduces()), [1, 2])
        self.assertEqual(round_trip(ReducesEx()), [5])
        self.assertEqual(vars(round_trip(make(Gives, a=1))), {"given": 1})
        self.assertEqual(vars(round_trip(make(Takes, a=1))), {"a": 1, "taken": True})
        self.assertEqual(vars(round_trip(NewArgs("x"))), {"made_with": "x"})
        self.assertEqual(round_trip(Reads()), 3)

    def test_methods_that_the_class_gets_later(self):
        class Late:
            pass

        obj = make(Late, a=1)
        self.assertEqual(round_trip(obj).a, 1)
        Late.__reduce__ = lambda self: (str, ("reduced",))
        self.assertEqual(round_trip(obj), "reduced")
        del Late.__reduce__
        self.assertEqual(round_trip(obj).a, 1)
        Late.__getstate__ = lambda self: {"b": 2}
        self.assertEqual(vars(round_trip(obj)), {"b": 2})

    def test_attribute_of_the_object(self):
        obj = make(shapes.Child, a=1)
        self.assertEqual(round_trip(obj).a, 1)
        obj.__reduce_ex__ = lambda protocol: (str, ("its own",))
        self.assertEqual(round_trip(obj), "its own")

    def test_reducer_in_copyreg(self):
        class Registered:
            pass

        obj = make(Registered, a=1)
        self.assertEqual(round_trip(obj).a, 1)
        copyreg.pickle(Registered, lambda obj: (tuple, ([obj.a],)))
        try:
            self.assertEqual(round_trip([obj, obj]), [(1,), (1,)])
        finally:
            del copyreg.dispatch_table[Registered]
        self.assertEqual(round_trip(obj).a, 1)

    def test_class_without_a_hash(self):
        class Meta(type):
            __hash__ = None

        class Unhashable(metaclass=Meta):
            pass

        self.assertEqual(round_trip(make(Unhashable, a=1)).a, 1)

    def test_class_that_is_not_under_its_name(self):
        hidden = type("Plain", (), {"__module__": "instance_classes", "__qualname__": "Plain"})
        twin = round_trip(make(hidden, a=1))
        self.assertIs(type(twin), hidden)

    def test_receiver_that_sees_the_class_otherwise(self):
        def look(*objects):
            return [sorted(vars(obj).items()) for obj in objects]

        obj = make(shapes.Plain, a=1, b=[2])
        with interlock.Interpreter() as interpreter:
            self.assertEqual(interpreter.call(look, obj, obj), [[("a", 1), ("b", [2])]] * 2)
            interpreter.call(shapes.rewrite)
            self.assertEqual(interpreter.call(look, obj), [[("got", {"a": 1, "b": [2]})]])
            interpreter.exec("import instance_classes as s\nclass Slots: pass\nSlots.__module__ = 's'\ns.Slots = Slots")
            slots = make(shapes.Slots, a=1, b=2, _Slots__private=3)
            self.assertEqual(interpreter.call(look, slots), [[("_Slots__private", 3), ("a", 1), ("b", 2)]])
            interpreter.exec("s.Child = lambda: None")
            with self.assertRaisesRegex(TypeError, "function <lambda> .* is no class here"):
                interpreter.call(look, make(shapes.Child, a=1))
            interpreter.exec("del s.Child")
            with self.assertRaisesRegex(AttributeError, "Child"):
                interpreter.call(look, make(shapes.Child, a=1))

    def test_code_that_changes_an_instance_meanwhile(self):
        class Meddles:
            def __init__(self, what):
                self.what = what

            def __reduce__(self):
                self.what()
                return (int, (1,))

        obj = make(shapes.Plain, a=1)
        obj.b, obj.c = Meddles(lambda: setattr(obj, "d", 1)), [1]
        with self.assertRaisesRegex(RuntimeError, "an instance changed"):
            round_trip(obj)
        del obj.d
        obj.b = Meddles(lambda: vars(obj))
        self.assertEqual((round_trip(obj).b, round_trip(obj).c), (1, [1]))
        obj.b = Meddles(lambda: setattr(obj, "c", 5))
        self.assertEqual(round_trip(obj).c, 5)

    def test_code_that_changes_a_twin_meanwhile(self):
        class Returns:
            def __init__(self, obj):
                self.obj = obj

            def __setstate__(self, state):
                self.obj = state["obj"]
                vars(self.obj)["early"] = True
                self.obj.a = "changed"

        obj = make(shapes.Plain, a=1)
        obj.b, obj.c = Returns(obj), 3
        twin = round_trip(obj)
        self.assertEqual({**vars(twin), "b": None}, {"a": "changed", "b": None, "c": 3, "early": True})
        self.assertIs(twin.b.obj, twin)


if __name__ == "__main__":
    unittest.main()
