# SPDX-License-Identifier: MIT
"""Arrays and dtypes of NumPy, where that is installed."""

import ctypes
import os
import pickle
import sys
import weakref
from unittest import mock

import interlock
import support

try:
    import numpy
except ImportError:
    sys.exit(77)

DTYPES = (
    *"?bBhHiIlLqQefdgFDG",
    *(">u2", ">f8", "<c16", "S5", "S", "U3", "U", "V7", "M8[s]", "M8", "m8[3us]", "O"),
    [("x", "f4"), ("y", ">i2", (2, 3))],
    {"names": ["a", "b"], "formats": ["i4", "f8"], "offsets": [0, 16], "itemsize": 32},
)


class Kept(numpy.ndarray):
    """A subclass with a say."""

    def __reduce_ex__(self, protocol):
        return Kept.of, (numpy.asarray(self).tolist(),)

    @staticmethod
    def of(values):
        return numpy.array(values).view(Kept)


class Arrays(support.TestCase):
    def setUp(self):
        self.channel = interlock.Channel(1)

    def sent(self, obj, **kwargs):
        self.channel.send(obj, **kwargs)
        return self.channel.recv(support.LIMIT)

    def check(self, array):
        for move in (False, True):
            for _ in range(2):  # the first one of all shows how arrays are made
                got = self.sent([array], move=move)[0]
                expected = pickle.loads(pickle.dumps(array, 5))
                self.assertIs(type(got), type(expected))
                self.assertEqual(got.dtype, expected.dtype)
                self.assertEqual(got.dtype.metadata, expected.dtype.metadata)
                self.assertEqual((got.shape, got.strides), (expected.shape, expected.strides))
                self.assertEqual(got.tobytes() if array.dtype != object else got.tolist(), self.contents(array))

    def contents(self, array):
        return array.tobytes() if array.dtype != object else array.tolist()

    def test_of_every_dtype(self):
        for description in DTYPES:
            with self.subTest(description):
                dtype = numpy.dtype(description)
                self.check(numpy.zeros(4, dtype))
                self.check(numpy.zeros((), dtype))
                self.check(numpy.zeros((2, 0, 3), dtype))

    def test_of_every_layout(self):
        array = numpy.arange(120.0).reshape(2, 3, 4, 5)
        for each in (
            array,
            array.T,
            array[1],
            array[:, 1],
            array[..., ::2],
            array[::-1],
            array.swapaxes(1, 2),
            numpy.asfortranarray(array),
            numpy.broadcast_to(array[0], (7, 3, 4, 5)),
        ):
            self.check(each)

    def test_that_nobody_may_write_to(self):
        array = numpy.arange(3)
        array.flags.writeable = False
        for move in (False, True):
            self.assertEqual(self.sent(array, move=move).tolist(), [0, 1, 2])

    def test_dtypes(self):
        for description in DTYPES:
            dtype = numpy.dtype(description)
            got = self.sent(dtype)
            self.assertEqual(got, dtype)
            self.assertEqual(pickle.dumps(got), pickle.dumps(dtype))
            self.assertEqual(self.sent(type(dtype)), type(dtype))
        self.assertIs(self.sent(numpy.dtype("i4")), numpy.dtype("i4"))
        self.assertIs(self.sent(numpy.dtype), numpy.dtype)
        noted = numpy.dtype("i4", metadata={"unit": "m"})
        self.assertEqual(self.sent(noted).metadata, {"unit": "m"})
        self.check(numpy.zeros(3, noted))

    def test_scalars(self):
        for description in DTYPES:
            scalar = numpy.zeros(1, description)[0]
            got = self.sent(scalar)
            self.assertIs(type(got), type(scalar))
            self.assertEqual(pickle.dumps(got), pickle.dumps(scalar))

    def test_a_subclass_has_its_say(self):
        got = self.sent(numpy.arange(3).view(Kept), move=True)
        self.assertIs(type(got), Kept)
        self.assertEqual(got.tolist(), [0, 1, 2])
        records = numpy.zeros(2, [("x", "f4")]).view(numpy.recarray)
        self.assertIs(type(self.sent(records)), numpy.recarray)
        masked = numpy.ma.masked_array([1, 2, 3], [0, 1, 0])
        self.assertEqual(self.sent(masked).tolist(), [1, None, 3])

    def test_copyreg_has_its_say(self):
        with mock.patch.dict("copyreg.dispatch_table", {numpy.ndarray: lambda array: (list, (array.tolist(),))}):
            self.assertEqual(self.sent(numpy.arange(3)), [0, 1, 2])
        self.assertIsInstance(self.sent(numpy.arange(3)), numpy.ndarray)
        with mock.patch.dict("copyreg.dispatch_table", {type(numpy.dtype): lambda each: (getattr, (numpy, "int8"))}):
            self.assertIs(self.sent(numpy.dtypes.Int64DType), numpy.int8)
        self.assertIs(self.sent(numpy.dtypes.Int64DType), numpy.dtypes.Int64DType)

    def test_one_in_two_places_stays_one(self):
        array = numpy.arange(3)
        first, (second, dtype) = self.sent([array, [array, array.dtype]])
        self.assertIs(first, second)
        self.assertIs(first.dtype, dtype)

    def test_a_copy_is_a_copy(self):
        array = numpy.arange(3)
        got = self.sent(array)
        got += 1
        self.assertEqual((array.tolist(), got.tolist()), ([0, 1, 2], [1, 2, 3]))

    def test_a_move_keeps_the_memory(self):
        array = numpy.arange(1000).reshape(10, -1)
        for each in (array, array[2:], array[3]):
            got = self.sent([each], move=True)[0]
            self.assertEqual(got.ctypes.data, each.ctypes.data)
            numpy.testing.assert_array_equal(got, each)
            passed = weakref.ref(got)
            got = self.sent([got], move=True)[0]
            self.assertIsNone(passed())
            self.assertEqual(got.ctypes.data, each.ctypes.data)

    def test_passed_on_for_ever_it_leaves_nothing_behind(self):
        for array in (numpy.arange(1000), numpy.zeros(0), numpy.zeros((2, 0)), numpy.array(1.5)):
            box = [array.copy()]
            first = box[0].ctypes.data
            for _ in range(1000):
                self.channel.send(box, move=True)
                box = self.channel.recv(support.LIMIT)
            self.assertLess(len(list(self.chain(box[0]))), 6)
            if array.size:
                self.assertEqual(box[0].ctypes.data, first)

    def chain(self, each):
        while isinstance(each, (numpy.ndarray, memoryview)):
            yield each
            each = each.base if isinstance(each, numpy.ndarray) else each.obj

    def test_what_looks_elsewhere_is_lent_by_itself(self):
        base = self.sent(memoryview(bytearray(8)))
        far = numpy.lib.stride_tricks.as_strided(numpy.frombuffer(base, "u1"), (2,), (1 << 20,))
        held = weakref.ref(far)
        got = self.sent(memoryview(far))
        del far
        self.assertIsNotNone(held())
        del got
        self.assertIsNone(held())

    def test_only_what_is_made_of_lent_memory_is_its_owners(self):
        """Not what stands where such memory was."""
        memory = ctypes.create_string_buffer(1000)
        view = self.sent(memoryview((ctypes.c_char * 1000).from_address(ctypes.addressof(memory))))
        other = numpy.ctypeslib.as_array((ctypes.c_ubyte * 100).from_address(ctypes.addressof(memory) + 100))
        held = weakref.ref(other)
        got = self.sent(memoryview(other))
        del other
        self.assertIsNotNone(held())
        self.assertEqual(got.nbytes, 100)
        self.assertEqual(view.nbytes, 1000)


if __name__ == "__main__":
    if not interlock.features["move"] and "PYTHONMALLOC" not in os.environ:  # -X dev
        os.environ["PYTHONMALLOC"] = "mimalloc"
        os.execv(sys.executable, sys.orig_argv)
    support.main()
