# SPDX-License-Identifier: MIT
"""register(): users say how objects of their types cross."""

import collections
import copyreg
import gc
import os
import sys
import threading
import types
import unittest
import uuid
import weakref

import interlock
import support


class Matrix:
    """Cannot cross by itself."""

    def __init__(self, rows):
        self.rows = rows
        self.lock = threading.Lock()


class Square(Matrix):
    pass


class Counter:
    def __init__(self):
        self.n = 0

    def hit(self):
        self.n += 1
        return self.n


class Rows(list):
    pass


def matrix_parts(matrix):
    return type(matrix), (matrix.rows,)


def name_of_interpreter(_):
    import _interlock

    return str, (f"from {_interlock.interpreter_id()}",)


def sent(obj, **options):
    channel = interlock.Channel(1)
    channel.send(obj, **options)
    return channel.recv()


class Register(support.TestCase):
    def register(self, cls, *args, **kwargs):
        self.addCleanup(interlock.unregister, cls)
        return interlock.register(cls, *args, **kwargs)

    def test_a_function_gives_the_parts(self):
        with self.assertRaises(interlock.TransferError):
            sent(Matrix([1]))
        self.assertIs(self.register(Matrix, matrix_parts), matrix_parts)
        result = sent({"m": Matrix([[1, 2]])})["m"]
        self.assertIs(type(result), Matrix)
        self.assertEqual(result.rows, [[1, 2]])
        interlock.unregister(Matrix)
        with self.assertRaises(interlock.TransferError):
            sent(Matrix([1]))

    def test_as_a_decorator(self):
        @self.register(Matrix)
        def parts(matrix):
            return Matrix, (matrix.rows,)

        self.assertEqual(parts(Matrix([1]))[1], ([1],))
        self.assertEqual(sent(Matrix([1])).rows, [1])

    def test_all_that_copyreg_knows_can_be_given(self):
        def setter(obj, state):
            obj.seen = state

        self.register(Matrix, lambda m: (Rows, (), [m.rows], iter([1, 2]), None, setter))
        result = sent(Matrix("rows"))
        self.assertEqual((type(result), list(result), result.seen), (Rows, [1, 2], ["rows"]))

    def test_the_nearest_class_counts(self):
        self.register(Matrix, matrix_parts)
        self.assertIs(type(sent(Square([1]))), Square)
        self.register(Square, lambda square: (tuple, (square.rows,)))
        self.assertEqual(sent([Square([1]), Matrix([2]).rows]), [(1,), [2]])
        interlock.unregister(Square)
        self.assertIs(type(sent(Square([1]))), Square)

    def test_it_comes_before_what_the_class_says(self):
        class Plain:
            def __reduce__(self):
                return str, ("its own",)

        copyreg.pickle(uuid.UUID, lambda value: (str, ("copyreg",)))
        self.addCleanup(copyreg.dispatch_table.pop, uuid.UUID)
        self.assertEqual(sent([Plain(), uuid.uuid4()]), ["its own", "copyreg"])
        for cls in Plain, uuid.UUID:
            self.register(cls, lambda _: (str, ("registered",)))
        self.assertEqual(sent([Plain(), uuid.uuid4()]), ["registered"] * 2)

    def test_a_proxy_crosses_instead(self):
        self.register(Counter, interlock.proxy)
        counter = Counter()
        a, b = self.interpreter().call(lambda a, b: (a.hit(), b.hit()), counter, counter)
        self.assertEqual((a, b, counter.n), (1, 2, 2))
        first, second = sent([counter, counter])
        self.assertIs(first, second)
        self.assertIs(first.unwrap(), counter)

    def test_a_class_may_give_a_handle_itself(self):
        class Own(Counter):
            def __reduce__(self):
                return interlock.proxy(self)

        own = Own()
        self.assertEqual(self.interpreter().call(lambda each: each.hit(), own), 1)
        self.assertEqual(own.n, 1)

    def test_a_reason_to_refuse(self):
        self.register(Counter, refuse="it counts for one interpreter")
        expected = r"^message\[0\]: a Counter cannot leave its interpreter: it counts for one interpreter$"
        with self.assertRaisesRegex(interlock.TransferError, expected):
            sent([Counter()])

        @self.register(Matrix)
        def parts(matrix):
            if not matrix.rows:
                raise TypeError("it is empty")
            return Matrix, (matrix.rows,)

        self.assertEqual(sent(Matrix([1])).rows, [1])
        with self.assertRaisesRegex(interlock.TransferError, r"^message: a Matrix cannot .*: it is empty$"):
            sent(Matrix([]))

    def test_what_is_wrong_with_the_parts_is_said(self):
        self.register(Matrix, lambda _: 3)
        with self.assertRaisesRegex(interlock.TransferError, "^message: a Matrix cannot .*no tuple of 2 to 6 parts"):
            sent(Matrix([]))
        self.register(Matrix, lambda _: {}["key"])
        with self.assertRaisesRegex(KeyError, "key") as caught:
            sent([Matrix([])])
        self.assertEqual(caught.exception.__notes__, ["while copying message[0]"])

    def test_builtin_types_that_have_no_other_name(self):
        self.register(types.GeneratorType, lambda each: (list, ([*each],)))
        self.assertEqual(self.interpreter().call(lambda: (x * x for x in range(3))), [0, 1, 4])

    def test_it_is_for_all_interpreters(self):
        before = self.interpreter()
        self.assertEqual(before.call(lambda: Matrix([1]).rows), [1])  # has met the class
        self.register(Matrix, lambda matrix: (Matrix, (matrix.rows + ["sent"],)))
        for interpreter in before, self.interpreter():
            self.assertEqual(interpreter.call(lambda: Matrix([1])).rows, [1, "sent"])
            self.assertEqual(interpreter.call(lambda: Square([1])).rows, [1, "sent"])
        self.register(uuid.UUID, name_of_interpreter)
        self.assertEqual(before.call(uuid.uuid4), f"from {before.id}")
        interlock.unregister(uuid.UUID)
        self.assertIs(type(before.call(uuid.uuid4)), uuid.UUID)

    def test_by_any_interpreter(self):
        interpreter = self.interpreter()
        interpreter.exec(
            "import interlock, uuid\n"
            "class Own: pass\n"
            "own = Own()\n"
            "interlock.register(Own, lambda own: (str, ('its own',)))\n"
            "interlock.register(uuid.UUID, lambda value: (str, ('of the other',)))\n"
        )
        self.addCleanup(interlock.unregister, uuid.UUID)
        self.assertEqual(sent(uuid.uuid4()), "of the other")
        self.assertEqual(interpreter.call(lambda: sys.modules["__main__"].own), "its own")
        own = interpreter.call(lambda: sys.modules["__main__"].Own)
        self.assertEqual(sent(own()), "its own")

    def test_classes_of_the_same_name_are_different_ones(self):
        self.register(Counter, refuse="of the main program")
        interpreter = self.interpreter()
        interpreter.exec("class Counter: n = 7\n")
        self.assertEqual(interpreter.call(lambda: sys.modules["__main__"].Counter().n), 7)
        self.assertEqual(interpreter.call(lambda: sys.modules["__main__"].Counter()).n, 7)

    def test_a_move_leaves_what_is_registered_as_it_is(self):
        rows = Rows([1])
        self.register(Rows, lambda rows: (tuple, (list(rows),)))
        queue = collections.deque([2])
        self.assertEqual(sent([rows, queue], move=True), [(1,), collections.deque([2])])
        self.assertEqual((rows, queue), ([1], collections.deque()))
        self.register(Rows, interlock.proxy)
        self.assertEqual(len(sent(rows, move=True)), 1)
        self.assertEqual(rows, [1])

    def test_what_is_no_type_or_has_a_way_already(self):
        for cls in (int, str, list, dict, tuple, type(None), object, type, types.FunctionType, interlock.Channel):
            with self.assertRaisesRegex(TypeError, "how objects of .* cross cannot be changed"):
                interlock.register(cls, interlock.proxy)
        with self.assertRaisesRegex(TypeError, "needs a class, not int"):
            interlock.register(3, interlock.proxy)
        with self.assertRaisesRegex(TypeError, "needs a function, not int"):
            interlock.register(Counter, 3)
        with self.assertRaisesRegex(TypeError, "either a function or refuse"):
            interlock.register(Counter, interlock.proxy, refuse="text")
        with self.assertRaisesRegex(TypeError, "either a function or refuse"):
            interlock.register(Counter, refuse=3)

    def test_a_function_that_cannot_cross(self):
        stream = (x for x in "")
        with self.assertRaisesRegex(interlock.TransferError, "a generator cannot leave its interpreter"):
            interlock.register(Counter, lambda counter: (list, (stream,)))
        self.assertIs(type(sent(Counter())), Counter)

    def test_the_function_may_take_itself_back(self):
        def parts(matrix):
            interlock.unregister(Matrix)
            return Matrix, (matrix.rows,)

        self.register(Matrix, parts)
        self.assertEqual(sent(Matrix([1])).rows, [1])
        with self.assertRaises(interlock.TransferError):
            sent(Matrix([1]))

    def test_classes_made_at_run_time_end(self):
        self.register(Matrix, matrix_parts)
        references = []
        for _ in range(1200):
            cls = type("Made", (Counter,), {})
            references.append(weakref.ref(cls))
            channel = interlock.Channel(1)
            channel.send(cls())
        del cls, channel
        gc.collect()
        alive = sum(each() is not None for each in references)
        self.assertLess(alive, 1100)

    @unittest.skipUnless(hasattr(os, "fork"), "this system has no fork()")
    def test_the_child_of_a_fork_has_the_registrations(self):
        out, _ = self.run_program(
            "import interlock, os\n"
            "class Own: pass\n"
            "interlock.register(Own, lambda own: (str, ('parts',)))\n"
            "channel = interlock.Channel(1)\n"
            "channel.send(Own())\n"
            "child = os.fork()\n"
            "channel = interlock.Channel(1)\n"
            "channel.send(Own())\n"
            "if child: assert os.waitpid(child, 0)[1] == 0\n"
            "print(channel.recv(), flush=True)\n"
        )
        self.assertEqual(out, "parts\nparts\n")


if __name__ == "__main__":
    unittest.main()
