# SPDX-License-Identifier: MIT
"""Frozen objects in use: nothing that CPython does with them writes to them."""

import array
import collections
import copy
import ctypes
import functools
import gc
import io
import itertools
import json
import marshal
import operator
import os
import pickle
import re
import struct
import sys
import types
import weakref
from unittest import mock

import _interlock
import interlock
import support
from frozen import Open, new, plain, sample
from interlock import freeze


def renamed(names):
    return (lambda left, right: left).__code__.replace(co_varnames=names).co_varnames


class Uses(support.TestCase):
    """What could write to them: caches, interned strings, weak references. A write would end the process."""

    def test_text(self):
        for text in ("ab" * 3, "\xe9" * 3, "\u20ac" * 3, "\U0001f600" * 3, "\ud800" * 3, "x" * 5000):
            twin = freeze(text)
            self.assertEqual(hash(twin), hash(text))
            self.assertEqual({twin: 1}[text], 1)
            self.assertEqual({text: 1}[twin], 1)
            for function in (
                ascii, str.upper, str.casefold, str.split, "{}".format, lambda each: f"{each}|{each!r:>9}", lambda each: each + each,
                lambda each: each * 2, lambda each: each[1:], lambda each: each.encode("utf-8", "surrogatepass"), pickle.dumps,
                lambda each: pickle.loads(pickle.dumps(each)), lambda each: marshal.loads(marshal.dumps(each)), json.dumps, copy.copy, copy.deepcopy, list, sorted,
                lambda each: each.join(["a", "b"]), lambda each: each in each, io.StringIO, re.escape, lambda each: each.translate({97: "z"}),
            ):  # fmt: skip
                got, expected = function(twin), function(text)
                if not isinstance(got, io.StringIO):
                    self.assertEqual(got, expected)
            for function in (os.stat, int, compile_it, functools.partial(str.encode, encoding="utf-8")):
                self.assertEqual(outcome(function, twin), outcome(function, text))

    def test_text_that_grows(self):
        twin = freeze(new(["gro", "ws"]))
        text = twin
        for _ in range(5000):
            text += "x"
        self.assertEqual(text, "grows" + "x" * 5000)
        self.assertEqual(twin, "grows")

    def test_text_that_is_interned(self):
        twin = freeze(new(["inter", "ned_1"]))
        self.assertEqual(sys.intern(twin), "interned_1")
        self.assertEqual(sys.intern(new(["inter", "ned_1"])), "interned_1")

    def test_names_of_attributes(self):
        class Thing:
            pass

        name = freeze(new(["attri", "bute"]))
        thing, other = Thing(), Thing()
        for i in range(3000):
            setattr(thing, name, i)
            self.assertEqual(thing.attribute, i)
            self.assertEqual(getattr(thing, name), i)
        self.assertFalse(hasattr(other, name))
        other.attribute = 1
        self.assertEqual(getattr(other, name), 1)
        setattr(Thing, name, 5)
        delattr(thing, name)
        self.assertEqual(thing.attribute, 5)
        self.assertEqual(vars(thing), {})
        self.assertEqual(vars(other), {"attribute": 1})
        vars(thing).update(freeze({new(["oth", "er"]): 2}))
        self.assertEqual(thing.other, 2)

    def test_names_of_special_methods(self):
        class Thing:
            pass

        setattr(Thing, freeze(new(["__le", "n__"])), lambda self: 5)
        self.assertEqual(len(Thing()), 5)
        self.assertIs(getattr(Thing(), freeze(new(["__cla", "ss__"]))), Thing)

    def test_names_of_classes_modules_and_arguments(self):
        made = type(freeze(new(["Na", "me"])), freeze([]) or (), {freeze(new(["meth", "od"])): lambda self: 3})
        self.assertEqual(made().method(), 3)
        made.__name__ = made.__qualname__ = freeze(new(["Oth", "er"]))
        self.assertEqual(made.__name__, "Other")
        slotted = type("Slotted", (), {"__slots__": freeze([new(["a", "a"]), new(["b", "b"])])})()
        slotted.aa = 1
        module = types.ModuleType(freeze(new(["mod", "ule"])))
        setattr(module, freeze(new(["na", "me"])), 5)
        self.assertEqual(module.name, 5)
        self.assertEqual(dict(**freeze({new(["k", "w"]): 1})), {"kw": 1})
        self.assertEqual(str(b"x", **freeze({new(["enc", "oding"]): "ascii"})), "x")
        self.assertEqual(collections.namedtuple("N", freeze([new(["aa", "a"])]))(1).aaa, 1)

    def test_names_of_code(self):
        def function(first, second):
            return first.real

        code = function.__code__
        names = freeze(("left_one", "right_one"))
        for replace in (code.replace, functools.partial(types.CodeType.replace, code), code.__replace__):
            self.assertEqual(replace(co_varnames=names).co_varnames, names)
            self.assertEqual(replace(co_names=names).co_names, names)
            self.assertEqual(replace(co_consts=freeze((None, ("text", names)))).co_consts[1], ("text", names))
        self.assertEqual(self.interpreter().call(renamed, names), names)
        arguments = [0, 0, 0, 2, 0, 0, code.co_code, freeze((None,)), names, names, "file", "name", "qualname", 1]
        arguments += [code.co_linetable, code.co_exceptiontable]
        made = types.CodeType(*arguments, freeze(("free_one",)), freeze(("cell_one",)))
        self.assertEqual((made.co_names, made.co_freevars, made.co_cellvars), (names, ("free_one",), ("cell_one",)))
        with self.assertRaises(TypeError):
            code.replace(freeze((1,)))
        with self.assertRaisesRegex(SystemError, "non-string"):
            code.replace(co_names=freeze((1,)))

    def test_names_of_globals(self):
        space = {freeze(new(["na", "me"])): 7}
        exec("def read():\n    return name", space)
        for _ in range(3000):
            self.assertEqual(space["read"](), 7)
        exec("name = 8", space)
        self.assertEqual(space["read"](), 8)

    def test_a_frozen_namespace(self):
        space = freeze({new(["na", "me"]): 5, "many": range(3000), "__builtins__": {}})
        read = "(lambda: [name for each in many])()"
        for use in (
            lambda: eval(read, space),
            lambda: eval(read, {"__builtins__": space}),
            lambda: eval("name", {}, space),
            lambda: exec("name = 1", {}, space),
            lambda: exec("name = 1", space),
            lambda: types.FunctionType((lambda: name).__code__, space)(),  # noqa: F821
            lambda: type("T", (), space),
            lambda: types.new_class("T", exec_body=lambda names: names.update(space)),
            lambda: setattr(Open(1), "__dict__", space),
        ):
            for _ in range(100):
                outcome(use)
        self.assertEqual(space["name"], 5)
        self.assertEqual(eval(read, {"__builtins__": space}), [5] * 3000)

    def test_bytes(self):
        data = b"0123456789abcdef" * 4
        twin = freeze(bytearray(data))
        self.assertEqual(hash(twin), hash(data))
        self.assertEqual(struct.unpack("<16I", twin), struct.unpack("<16I", data))
        self.assertEqual(memoryview(twin).cast("Q").tolist(), memoryview(data).cast("Q").tolist())
        self.assertTrue(memoryview(twin).readonly)
        self.assertEqual(array.array("q", twin), array.array("q", data))
        self.assertEqual((ctypes.c_char * 64).from_buffer_copy(twin).raw, data)
        stream = io.BytesIO(twin)
        stream.write(b"zz")
        stream.truncate(3)
        self.assertEqual(stream.getvalue(), b"zz2")
        self.assertEqual(twin, data)
        channel = interlock.Channel(1)
        channel.send(memoryview(twin))
        self.assertEqual(channel.recv(), data)

    def test_numbers(self):
        for number in (1 << 100, -(1 << 100), 123_456_789_012, -5_000_000, 2.5, complex(1, 2)):
            twin = freeze(number * 3)
            for function in (
                hash,
                abs,
                str,
                operator.neg,
                operator.pos,
                lambda n: n + 1,
                lambda n: n * n,
                pickle.dumps,
            ):
                for _ in range(100):
                    self.assertEqual(function(twin), function(number * 3))
            total = twin
            for _ in range(1000):
                total += twin
            self.assertEqual(twin, number * 3)

    def test_tuples(self):
        obj = (1, "aa" * 2, (2, ("b" * 3,)), b"c" * 3)
        twin = freeze(obj)
        self.assertEqual(hash(twin), hash(obj))
        self.assertEqual({twin: 1}[obj], 1)
        self.assertEqual(pickle.loads(pickle.dumps(twin)), obj)
        self.assertEqual(marshal.loads(marshal.dumps(twin)), obj)
        self.assertEqual(copy.deepcopy(twin), obj)
        self.assertEqual(json.dumps(twin[:3]), json.dumps(obj[:3]))
        self.assertEqual("%s %s %s %s" % twin, "%s %s %s %s" % obj)
        self.assertEqual((twin + twin, twin * 2, twin[1:], list(twin)), (obj + obj, obj * 2, obj[1:], list(obj)))
        self.assertEqual(list(itertools.combinations(twin, 2)), list(itertools.combinations(obj, 2)))
        self.assertEqual(list(zip(twin, enumerate(twin), strict=True)), list(zip(obj, enumerate(obj), strict=True)))
        self.assertTrue(isinstance(1, (int,)) and "abc".startswith(freeze([new("ab"), "q"])))
        self.assertEqual((lambda *args: args)(*twin), obj)
        code = (lambda: 0).__code__
        code.replace(co_consts=freeze([None, "s" * 9, (1, "t" * 9), frozenset({"u" * 9})]))

    def test_frozensets(self):
        obj = {1, "aa" * 2, (2, 3), frozenset({4})}
        twin = freeze(obj)
        self.assertEqual(hash(twin), hash(frozenset(obj)))
        self.assertEqual((twin | {9}, twin & {1}, twin - {1}, twin ^ {1}), (obj | {9}, obj & {1}, obj - {1}, obj ^ {1}))
        for made in (set(twin), frozenset(twin), twin.copy(), pickle.loads(pickle.dumps(twin)), copy.deepcopy(twin)):
            self.assertEqual(made, obj)
        self.assertIn({4}, twin)
        self.assertIn(twin, {twin})
        mine = {5}
        mine |= twin
        mine -= twin
        self.assertEqual(mine, {5})

    def test_weak_references(self):
        twin = freeze({1, new("ab")})
        reference = weakref.ref(twin)
        self.assertIs(reference(), twin)
        self.assertEqual({reference: 1}[weakref.ref(twin)], 1)
        self.assertEqual(len(weakref.proxy(twin)), 2)
        del reference
        if _interlock.is_frozen(twin):
            for make in (
                lambda: weakref.ref(twin, print),
                lambda: weakref.WeakSet([twin]),
                lambda: weakref.KeyedRef(twin, None, 1),
            ):
                self.assertRaisesRegex(TypeError, "weak reference with a callback", make)
        ordinary = frozenset({1, new("ab")})
        weakref.WeakValueDictionary()[1] = ordinary
        self.assertIs(weakref.ref(ordinary, print)(), ordinary)

    def test_mappings(self):
        obj = {"aa": 1, "bb": (1, 2), 3: "c" * 3}
        twin = freeze(obj)
        self.assertEqual(twin, obj)
        self.assertEqual(obj, twin)
        self.assertEqual(twin, freeze(obj))
        self.assertEqual(twin, types.MappingProxyType(obj))
        self.assertEqual(types.MappingProxyType(obj), twin)
        self.assertEqual(twin, collections.OrderedDict(obj))
        self.assertNotEqual(twin, {})
        for other in (None, 1, "x", (), [], {1}, object(), Open(1), Open):
            self.assertFalse(twin == other)
            self.assertTrue(twin != other)
            self.assertRaises(TypeError, operator.lt, twin, other)
        self.assertTrue(twin == mock.ANY)
        self.assertEqual(twin | {"d": 1}, obj | {"d": 1})
        self.assertEqual({"d": 1} | twin, {"d": 1} | obj)
        self.assertEqual(dict(twin | twin), obj)
        self.assertRaises(TypeError, operator.or_, twin, 5)
        self.assertEqual(({**twin}, dict(twin), list(twin), len(twin)), (obj, obj, list(obj), 3))
        self.assertEqual((list(twin.items()), list(reversed(twin))), (list(obj.items()), list(reversed(obj))))
        self.assertEqual(twin.keys() & {"aa"}, {"aa"})
        self.assertEqual(twin.get("zz", 5), 5)
        self.assertIsInstance(twin, collections.abc.Mapping)
        self.assertEqual(json.dumps(dict(twin), default=list), json.dumps(obj))
        mine = dict(twin)
        mine["new"] = 1
        del mine["aa"]
        mine.clear()
        for change in (operator.setitem, operator.delitem):
            self.assertRaises(TypeError, change, twin, "aa", *([1] if change is operator.setitem else []))

    def test_a_copy_of_a_mapping_is_an_ordinary_one(self):
        twin = freeze({str(i): i for i in range(100)})
        for copied in (dict(twin), {**twin}, dict(twin.copy()), dict(twin | {})):
            for i in range(1000):
                copied[str(i)] = copied
            self.assertEqual(len(copied), 1000)
            copied.clear()
        self.assertEqual(len(twin), 100)

    def test_no_code_gets_the_dict_behind_a_mapping(self):
        class Writer:
            def write(self, other):
                if isinstance(other, dict):
                    other["written"] = 1
                return True

            __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __or__ = __ror__ = write
            __hash__ = None

        class WriterDict(Writer, dict):
            pass

        twin = freeze({new("ab"): 1, "inner": {new("cd"): 2}})
        views = [twin, twin.mapping] if hasattr(twin, "mapping") else [twin]
        views += [each.mapping for each in (twin.keys(), twin.values(), twin.items())]
        views += [types.MappingProxyType(twin)]
        operations = [operator.eq, operator.ne, operator.lt, operator.gt, operator.le, operator.ge, operator.or_]
        for view, writer, operation in itertools.product(views, (Writer(), WriterDict()), operations):
            outcome(operation, view, writer)
            outcome(operation, writer, view)
            outcome(operation, view, types.MappingProxyType(writer) if isinstance(writer, dict) else writer)
            name = f"__{operation.__name__.rstrip('_')}__"
            outcome(lambda view, writer, name=name: getattr(view, name)(writer), view, writer)
            outcome(lambda view, writer, name=name: getattr(type(view), name)(view, writer), view, writer)
        self.assertTrue(twin == {"ab": 1, "inner": Writer()})
        for each in gc.get_referents(twin):
            self.assertFalse(isinstance(each, dict))
        self.assertEqual(plain(twin), {"ab": 1, "inner": {"cd": 2}})

    def test_the_collector(self):
        twin = freeze(sample())
        holders = [[twin], {1: twin}, (twin, []), {2: twin[-1]}]
        gc.collect()
        gc.freeze()
        gc.unfreeze()
        self.assertNotIn(id(twin), map(id, gc.get_objects()))
        self.assertFalse(gc.is_tracked(twin) and _interlock.is_frozen(twin))
        for each in twin:
            gc.get_referents(each)
            sys.getsizeof(each)
            sys.getrefcount(each)
            gc.is_finalized(each)
        self.assertIn(holders[0], gc.get_referrers(twin))
        self.assertEqual(plain(twin), plain(sample()))

    def test_threads_of_one_interpreter(self):
        twins = []
        threads = [
            self.in_thread(lambda: twins.extend(freeze([str(i), {i: [i]}]) for i in range(300))) for _ in range(4)
        ]
        for thread in threads:
            thread.join(support.LIMIT)
        self.assertEqual(sorted(twin[0] for twin in twins), sorted([str(i) for i in range(300)] * 4))


def compile_it(text):
    return eval(compile(text, text, "eval"))


def outcome(function, *args):
    """What it returns, or the class of what it raises."""
    try:
        return function(*args)
    except Exception as error:
        return type(error)


if __name__ == "__main__":
    support.main()
