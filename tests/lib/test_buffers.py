# SPDX-License-Identifier: MIT
"""Objects with memory of their own: what is shared, what is copied once, what is handed over."""

import array
import ctypes
import functools
import gc
import io
import mmap
import pickle
import sys
import tempfile
import unittest
from ctypes.wintypes import POINT
from unittest import mock

import _interlock
import interlock
import support


class Table:
    """Stands for an ndarray: an object around memory, rebuilt by a function from a buffer."""

    def __init__(self, memory, name="table"):
        self.memory = memory
        self.name = name

    def __reduce_ex__(self, protocol):
        return rebuild_table, (pickle.PickleBuffer(self.memory), self.name)

    def view(self):
        return memoryview(self.memory)


class Lender(bytearray):
    def __reduce_ex__(self, protocol):
        return Table, (pickle.PickleBuffer(self),)


def rebuild_table(buffer, name):
    return Table(buffer, name)


class Subclass(array.array):
    pass


def address(view):
    """Where a writable buffer begins."""
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


class Channel(support.TestCase):
    def setUp(self):
        self.channel = interlock.Channel(None)

    def sent(self, obj, **kwargs):
        self.channel.send(obj, **kwargs)
        return self.channel.recv(support.LIMIT)

    def assert_held_until_gone(self, owner, received):
        with self.assertRaises(BufferError):
            owner.append(4)
        received.clear()
        owner.append(4)

    def refused(self, obj, reason, **kwargs):
        with self.assertRaisesRegex(interlock.TransferError, reason):
            self.channel.send(obj, **kwargs)
        with self.assertRaises(interlock.ChannelEmpty):
            self.channel.try_recv()


def increase(view):
    for index, value in enumerate(view):
        view[index] = value + 1
    return view


class Views(Channel):
    def check(self, view):
        got = self.sent(view)
        self.assertEqual(got.tobytes(), view.tobytes())
        for name in (
            "format",
            "itemsize",
            "shape",
            "strides",
            "suboffsets",
            "ndim",
            "readonly",
            "nbytes",
            "contiguous",
        ):
            self.assertEqual(getattr(got, name), getattr(view, name), name)
        return got

    def test_of_any_layout(self):
        numbers = memoryview(array.array("d", range(24)))
        table = numbers.cast("B").cast("d", (2, 3, 4))
        for view in (numbers, numbers[2:5], numbers[::-2], numbers[5:5], table, memoryview(table), memoryview(b"")):
            self.check(view)
            self.check(view.toreadonly())
        self.assertEqual(self.check(memoryview(b"x").cast("B", ())).tolist(), 120)
        self.check(memoryview(POINT(1, 2)))

    def test_of_one_column(self):
        table = (ctypes.c_short * 3 * 2)((1, 2, 3), (4, 5, 6))
        got = self.check(memoryview(table)[1:])
        got.cast("B")[4] = 7
        self.assertEqual(table[1][2], 7)

    def test_share_their_memory(self):
        owner = array.array("i", [1, 2, 3])
        got = self.interpreter().call(increase, memoryview(owner))
        self.assertEqual(owner.tolist(), [2, 3, 4])
        self.assertEqual(got.tolist(), [2, 3, 4])

    def test_one_view_twice_arrives_as_one(self):
        view = memoryview(b"x")
        first, second = self.sent([view, view])
        self.assertIs(first, second)

    def test_the_sender_may_release_its_own(self):
        owner = bytearray(b"123")
        with memoryview(owner) as view:
            got = self.sent(view)
        got[0] = 0
        self.assertEqual(owner, b"\x0023")

    def test_keep_the_owner_from_resizing_it(self):
        owner = bytearray(b"123")
        self.assert_held_until_gone(owner, [self.sent(memoryview(owner))])

    def test_not_received(self):
        owner = bytearray(b"123")
        self.channel.send([memoryview(owner), 1])
        self.channel.cancel()
        owner.append(4)

    def test_of_views_refer_to_the_first_owner(self):
        owner = bytearray(b"12345")
        first, second = interlock.Interpreter(), self.interpreter()

        def pass_on(view):
            return view[1:][1:]

        got = first.call(pass_on, memoryview(owner))
        got = second.call(pass_on, got)
        first.close()
        self.assertEqual(got, b"5")
        got[0] = ord("6")
        self.assertEqual(owner, b"12346")
        with self.assertRaises(BufferError):
            owner.append(7)
        del got
        # What the second interpreter received for its call ends there.
        second.call(gc.collect)
        owner.append(7)

    def test_of_an_exporter_that_is_told_keep_it_waiting(self):
        class Slot:
            def __buffer__(self, flags):
                return pool[:4]

            def __release_buffer__(self, view):
                released.append(view.tobytes())
                view.release()

        pool = self.sent(memoryview(bytearray(b"12345678")))
        for wrap in (memoryview, lambda slot: memoryview((ctypes.c_char * 4).from_buffer(slot))):
            released = []
            got = self.sent(wrap(Slot()))
            gc.collect()
            self.assertEqual((released, got.tobytes()), ([], b"1234"))
            del got
            gc.collect()
            self.assertEqual(released, [b"1234"])

    def test_of_nothing_keep_nothing(self):
        owner = bytearray()
        got = self.sent([memoryview(owner), pickle.PickleBuffer(owner)])
        owner.append(1)
        self.assertEqual([memoryview(each).nbytes for each in got], [0, 0])

    def test_that_return_are_of_the_original(self):
        owner = bytearray(b"123")
        got = self.interpreter().call(lambda view: view, memoryview(owner))
        self.assertEqual(address(got), address(owner))

    def test_received_are_exporters_like_others(self):
        owner = memoryview(array.array("h", [1, 2, 3, 4])).toreadonly()[::2]
        exporter = self.sent(owner).obj
        self.assertEqual(memoryview(exporter).tolist(), [1, 3])
        self.assertEqual(bytes(exporter), owner.tobytes())
        with self.assertRaisesRegex(TypeError, "not writable"):
            ctypes.c_char.from_buffer(exporter)
        with self.assertRaisesRegex(BufferError, "not C-contiguous"):
            io.BytesIO().write(exporter)

    def test_that_cannot_cross(self):
        released = memoryview(b"x")
        released.release()
        self.refused([released], r"message\[0\]: a memoryview cannot leave its interpreter: .*released")
        self.refused(memoryview((ctypes.py_object * 2)()), "its items are objects")

    def test_in_a_move_are_shared_all_the_same(self):
        owner = bytearray(b"123")
        view = memoryview(owner)
        got = self.sent([view, 1], move=True)
        got[0][0] = 0
        self.assertEqual(view, b"\x0023")

    def test_of_mapped_memory(self):
        with tempfile.TemporaryFile() as file:
            file.write(b"123")
            file.flush()
            for mapped in (mmap.mmap(-1, 3), mmap.mmap(file.fileno(), 3)):
                got = self.sent(mapped)
                self.assertIsInstance(got, memoryview)
                got[:3] = b"456"
                self.assertEqual(mapped[:], b"456")
                with self.assertRaises(BufferError):
                    mapped.close()
                del got
                mapped.close()
            file.seek(0)
            self.assertEqual(file.read(), b"456")
            self.refused(mapped, "a mmap cannot leave its interpreter: mmap closed")
            readonly = mmap.mmap(file.fileno(), 3, access=mmap.ACCESS_READ)
            self.assertTrue(self.sent(readonly).readonly)

    def test_of_user_exporters(self):
        class Exporter:
            released = 0

            def __buffer__(self, flags):
                return memoryview(b"exported")

            def __release_buffer__(self, view):
                Exporter.released += 1

        got = self.sent(memoryview(Exporter()))
        self.assertEqual(got, b"exported")
        self.assertEqual(Exporter.released, 0)
        del got
        self.assertEqual(Exporter.released, 1)


class OutOfBand(Channel):
    """What __reduce_ex__(5) gives as PickleBuffer."""

    def test_is_copied_once(self):
        for memory in (b"read", bytearray(b"write"), array.array("d", [1.5]), memoryview(bytearray(6))[::-2], b""):
            table = Table(memory)
            got = self.sent(table)
            self.assertEqual(got.view(), table.view())
            self.assertEqual(got.view().readonly, table.view().readonly)
            self.assertEqual(got.view().shape, table.view().shape)
            if not got.view().readonly:
                before = bytes(table.view())
                got.view()[0] = 1
                self.assertEqual(bytes(table.view()), before)

    def test_keeps_the_order_of_its_items(self):
        rows = memoryview(bytes(range(6))).cast("B", (2, 3))
        got = self.sent(Table(rows)).view()
        self.assertEqual((got.tolist(), got.strides), ([[0, 1, 2], [3, 4, 5]], (3, 1)))

    def test_what_arrives_is_a_pickle_buffer(self):
        got = self.sent(Table(bytearray(b"123")))
        self.assertIsInstance(got.memory, pickle.PickleBuffer)
        self.assertEqual(got.memory.raw(), b"123")

    def test_is_lent_by_a_move(self):
        owner = bytearray(b"123")
        got = self.sent(Table(owner), move=True)
        self.assertEqual(address(got.view()), address(owner))
        received = [got]
        del got
        self.assert_held_until_gone(owner, received)

    def test_what_is_lent_is_not_emptied(self):
        owner = Lender(b"123")
        with mock.patch("sys.unraisablehook") as hook:
            (got,) = self.sent([owner], move=True)
        self.assertFalse(hook.called)
        self.assertEqual(address(got.view()), address(owner))
        self.assertEqual(owner, b"123")

    def test_what_has_moved_cannot_be_lent(self):
        for owner in (bytearray(b"123"), array.array("b", b"123")):
            self.refused([owner, Table(owner)], r"message\[1\].*: it has moved with another part", move=True)
            self.assertEqual(bytes(owner), b"123")

    def test_a_failed_move_lends_nothing(self):
        owner = bytearray(b"123")
        self.refused([Table(owner), (each for each in ())], r"message\[1\]: a generator", move=True)
        owner.append(4)
        full = interlock.Channel(1)
        full.send(0)
        with self.assertRaises(interlock.ChannelFull):
            full.try_send(Table(owner), move=True)
        owner.append(5)

    def test_what_many_receive_is_copied_for_each(self):
        table = Table(bytearray(b"\0"))

        def use():
            table.view()[0] += 1
            return table.view()[0]

        self.assertEqual([self.interpreter().call(use) for _ in range(2)], [1, 1])
        self.assertEqual(table.memory, b"\0")
        with interlock.Pool(2) as pool:
            adding = functools.partial(add_first, Table(bytearray(b"\0")))
            self.assertLessEqual(max(pool.map(adding, range(4), chunksize=1)), 4)
        self.assertEqual(adding.args[0].memory, b"\0")

    def test_through_interpreters(self):
        def double(table):
            view = table.view()
            for index, value in enumerate(view):
                view[index] = 2 * value
            return table

        owner = array.array("d", [1, 2, 3])
        got = self.interpreter().call(double, Table(owner))
        self.assertEqual(got.view().cast("B").cast("d").tolist(), [2, 4, 6])
        self.assertEqual(owner.tolist(), [1, 2, 3])

    def test_a_pickle_buffer_by_itself_shares(self):
        owner = bytearray(b"123")
        got = self.sent([pickle.PickleBuffer(owner)])[0]
        got.raw()[0] = 0
        self.assertEqual(owner, b"\x0023")
        got.release()
        released = pickle.PickleBuffer(owner)
        released.release()
        self.refused(released, "a PickleBuffer cannot leave its interpreter: .*released")
        owner.append(4)

    def test_bytes_io(self):
        file = io.BytesIO(b"12345")
        file.read(2)
        self.assertEqual(self.sent(file).read(), b"345")


def add_first(table, _):
    table.view()[0] += 1
    return table.view()[0]


class Arrays(Channel):
    def samples(self):
        for typecode in "bBhHiIlLqQfd":
            yield array.array(typecode, [1, 2, 3])
        yield array.array("w", "a\U0001f600")
        yield array.array("d")
        yield array.array("i", range(10_000))

    def test_are_copied(self):
        for each in self.samples():
            got = self.sent(each)
            self.assertEqual((got, got.typecode), (each, each.typecode))
            got.extend(got)
            self.assertEqual(len(got), 2 * len(each))

    def test_are_moved(self):
        for each in self.samples():
            expected = each[:]
            got = self.sent(each, move=True)
            self.assertEqual((got, got.typecode, len(each)), (expected, expected.typecode, 0))
            for now in (got, each):
                now.extend(expected)
            self.assertEqual(each, expected)

    def test_met_twice_are_one(self):
        each = array.array("i", [1])
        for move in (False, True):
            first, second = self.sent([each, each], move=move)
            self.assertIs(first, second)
            self.assertEqual(first.tolist(), [1])

    def test_subclasses_cross_by_their_parts(self):
        for move in (False, True):
            each = Subclass("i", [1])
            each.name = "name"
            got = self.sent(each, move=move)
            self.assertEqual((type(got), got.tolist(), got.name), (Subclass, [1], "name"))

    def test_inside_an_instance_stay_there(self):
        holder = Table(b"", array.array("i", [1]))
        got = self.sent(holder, move=True)
        self.assertEqual((got.name, holder.name), (array.array("i", [1]),) * 2)

    def test_through_interpreters(self):
        each = array.array("q", range(1000))
        got = self.interpreter().call(lambda each: each, each)
        self.assertEqual(got, each)

    def test_what_many_receive_is_copied_for_each(self):
        each = array.array("i", [1])

        def use():
            each.append(2)
            return each

        self.assertEqual([self.interpreter().call(use).tolist() for _ in range(2)], [[1, 2]] * 2)

    def test_that_were_not_received(self):
        for move in (False, True):
            for each in self.samples():
                self.channel.send(each, move=move)
        self.channel.cancel()

    def test_that_are_viewed_do_not_move(self):
        each = array.array("i", [1])
        with memoryview(each):
            self.refused([each], r"message\[0\]: an array cannot .*: it cannot be emptied while a view", move=True)
            self.assertEqual(self.sent(each), each)
        self.assertEqual(each.tolist(), [1])

    def test_are_put_back_when_a_move_fails(self):
        for make in (lambda: array.array("i", [1, 2]), lambda: bytearray(b"12")):
            each = make()
            self.refused([each, Table(b""), (each for each in ())], r"message\[2\]: a generator", move=True)
            self.assertEqual(each, make())
            full = interlock.Channel(1)
            full.send(0)
            with self.assertRaises(interlock.ChannelFull):
                full.try_send([Table(b""), each], move=True)
            self.assertEqual(each, make())

    @unittest.skipUnless(_interlock.can_move(), "copies leave the array alone until it has gone")
    def test_what_comes_in_meanwhile_stays(self):
        for viewed in (False, True):
            channel = interlock.Channel(0)
            each, views = array.array("i", [1, 2]), []

            def send(channel=channel, each=each):
                try:
                    channel.send(each, move=True)
                except interlock.ChannelClosed:
                    return

            thread = self.in_thread(send)
            while each:
                pass
            each.extend([3] * 1000)
            if viewed:
                views.append(memoryview(each))
            channel.close()
            thread.join(support.LIMIT)
            self.assertEqual(each.tolist(), [1, 2] + [3] * 1000)
            if viewed:
                self.assertEqual(views.pop().tolist(), [3] * 1000)
            each.append(4)

    @unittest.skipUnless(_interlock.can_move(), "arrays are copied")
    def test_keep_their_memory_in_a_move(self):
        each = array.array("d", [1.5] * 1000)
        at = each.buffer_info()
        self.assertEqual(self.sent([Table(b""), each], move=True)[1].buffer_info(), at)

    @unittest.skipUnless(_interlock.can_move(), "bytes are copied")
    def test_bytearrays_among_instances_keep_their_memory_in_a_move(self):
        each = bytearray(1000)
        at = address(each)
        got = self.sent([each, Table(b""), each], move=True)
        self.assertEqual((address(got[0]), each), (at, b""))
        self.assertIs(got[0], got[2])

    def test_with_an_allocator_of_interpreters(self):
        self.run_program(
            "import array, interlock\n"
            "channel, each = interlock.Channel(1), array.array('i', [1, 2])\n"
            "channel.send(each)\n"
            "assert channel.recv() == each\n"
            "channel.send([each, bytearray(b'x'), interlock], move=True)\n"
            "assert channel.recv()[0].tolist() == [1, 2] and not each\n",
            env={**support.os.environ, "PYTHONMALLOC": "pymalloc"},
        )


class CData(Channel):
    def test_is_copied(self):
        for move in (False, True):
            point = POINT(1, 2)
            got = self.sent(point, move=move)
            self.assertEqual((type(got), got.x, got.y), (POINT, 1, 2))
            got.x = 7
            self.assertEqual(point.x, 7 if move else 1)

    def test_arrays_keep_their_type(self):
        numbers = (ctypes.c_int * 3)(1, 2, 3)

        def check(numbers):
            numbers[0] = 9
            return numbers, type(numbers) is ctypes.c_int * 3

        got, is_same = self.interpreter().call(check, numbers)
        self.assertTrue(is_same)
        self.assertIs(type(got), type(numbers))
        self.assertEqual((list(got), list(numbers)), ([9, 2, 3], [1, 2, 3]))
        self.assertEqual(len(self.sent((ctypes.c_int * 0)())), 0)
        self.assertEqual(self.sent(ctypes.c_int(5)).value, 5)

    def test_keeps_its_attributes(self):
        numbers = (ctypes.c_int * 1)(1)
        numbers.itself = numbers
        got = self.sent(numbers)
        self.assertIs(got.itself, got)

    def test_with_pointers_is_refused(self):
        class Text(ctypes.Structure):
            _fields_ = (("text", ctypes.c_char_p),)

        objects = (Text(), (ctypes.c_void_p * 2)(), ctypes.pointer(ctypes.c_int()), ctypes.c_char_p(b"x"))
        for each in objects:
            self.refused([each], r"message\[0\]: an? \w+ cannot leave its interpreter: it contains pointers")


@unittest.skipUnless(sys.platform == "linux" and not support.ADDRESS_SANITIZER, "counts resident memory")
class Memory(support.TestCase):
    def growth(self, source):
        out, _ = self.run_program(
            "import array, ctypes, interlock, mmap, pickle\n"
            "class Table:\n"
            "    def __init__(self, memory): self.memory = memory\n"
            "    def __reduce_ex__(self, protocol): return Table, (pickle.PickleBuffer(self.memory),)\n"
            "def resident():\n"
            "    with open('/proc/self/statm') as file: return int(file.read().split()[1]) * 4096\n"
            "channel = interlock.Channel(None)\n" + source
        )
        return int(out)

    def test_messages_leave_nothing(self):
        count = int(20_000 / support.SLOWER)
        growth = self.growth(
            "objects = [memoryview(bytearray(100)), Table(bytearray(100)), array.array('i', range(30)),\n"
            "           (ctypes.c_int * 30)(), mmap.mmap(-1, 100), pickle.PickleBuffer(bytearray(100))]\n"
            "full = interlock.Channel(1)\n"
            "full.send(0)\n"
            "def cycle(count):\n"
            "    for _ in range(count):\n"
            "        for each in objects: channel.send(each); channel.recv()\n"
            "        channel.send(array.array('i', range(30)), move=True); channel.recv()\n"
            "        channel.send([Table(bytearray(100)), bytearray(100)], move=True); channel.recv()\n"
            "        try: full.try_send([Table(bytearray(9)), bytearray(100), array.array('b', b'xx')], move=True)\n"
            "        except interlock.ChannelFull: pass\n"
            f"cycle({count // 4})\n"
            "before = resident()\n"
            f"cycle({count})\n"
            "print(resident() - before)\n"
        )
        # 100 bytes of one in nine would be 200 KB... of all, 18 MB.
        self.assertLess(growth, 1_000_000)

    def test_large_ones_move_without_growth(self):
        growth = self.growth(
            "size = 100_000_000\n"
            "large = [array.array('b', bytes(size)), bytearray(size), Table(bytearray(size)), (ctypes.c_char * size)()]\n"
            "before = resident()\n"
            "for each in large:\n"
            "    channel.send([each, resident], move=True)\n"
            "    got = channel.recv()\n"
            "    del each\n"
            "print(resident() - before)\n"
        )
        self.assertLess(growth, 30_000_000)


if __name__ == "__main__":
    support.main()
