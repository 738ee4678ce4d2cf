# SPDX-License-Identifier: MIT
"""send(obj, move=True): what leaves, what stays behind empty, and what happens when it does not leave."""

import array
import collections
import contextlib
import copy
import gc
import math
import os
import random
import sys
import threading
import unittest
import weakref

import _interlock
import interlock
import support


class Record:
    def __init__(self, value):
        self.value = value


def sample():
    """Of every type that moves as it is, made anew: nobody else holds what can be made."""
    n = int("7")
    return [
        None, True, ..., NotImplemented, n, -(10**n), 1 << 70, 1.5 * n, complex(n, 1), "", "x", "ab" * n, "\xe9" * n,
        "\u20ac" * n, "\U0001f600" * n, b"", b"z", b"ab" * n, bytearray(b"cd" * n), [], [n], (), (n, "t" * n),
        {}, {"key": n, "other": [n]}, {n: "v" * n, (n, "u" * n): {n}}, set(), {n, "w" * n}, frozenset({n, "y" * n}),
        [[[{"deep": ({"er": [n]},)}]]],
    ]  # fmt: skip


def forward(inbox, outbox):
    """Passes on, moved, what it receives; how many."""
    count = 0
    for item in inbox:
        outbox.send(item, move=True)
        count += 1
    return count


class Plain(support.TestCase):
    def moved(self, obj):
        channel = interlock.Channel(1)
        self.assertIsNone(channel.send(obj, move=True))
        return channel.recv()

    def test_what_is_sent_arrives_and_its_container_is_left_empty(self):
        sent = sample()
        self.assertEqual(self.moved(sent), sample())
        self.assertEqual(sent, [])
        keys = [each for each in sample() if each.__hash__ and each == each]
        sent = dict.fromkeys(keys, "value")
        self.assertEqual(list(self.moved(sent).items()), [(key, "value") for key in dict.fromkeys(keys)])
        self.assertEqual(sent, {})
        for sent, expected in zip(sample(), sample(), strict=True):
            self.assertEqual(self.moved(sent), expected)

    def test_every_kind_of_container_is_left_empty(self):
        for sent in ([1], {1: 2}, {1}, bytearray(b"1"), collections.deque([1]), array.array("i", [1])):
            with self.subTest(type=type(sent)):
                expected = copy.copy(sent)
                self.assertEqual(self.moved(sent), expected)
                self.assertEqual(len(sent), 0)

    def test_an_immutable_object_stays_as_it_is(self):
        for sent in ("text" * 3, b"bytes" * 3, 1 << 90, (1, "two" * 2), frozenset({"three" * 2}), 2.5):
            self.assertEqual(self.moved(sent), sent)

    def test_containers_that_something_else_holds_are_left_empty(self):
        inner, table, members = [1], {"k": [2]}, {3}
        fixed = (inner, "fixed" * 2)
        sent = [inner, table, members, fixed, inner]
        got = self.moved(sent)
        self.assertEqual(got, [[1], {"k": [2]}, {3}, ([1], "fixed" * 2), [1]])
        self.assertIs(got[0], got[3][0])
        self.assertIs(got[0], got[4])
        self.assertEqual((sent, inner, table, members, fixed), ([], [], {}, set(), ([], "fixed" * 2)))

    def test_what_is_left_empty_can_be_filled_again(self):
        sent = [[1], {"a": 1}, {1}, bytearray(b"1")]
        kept = list(sent)
        self.moved(sent)
        sent.append(1)
        kept[0].append(2)
        kept[1].update(a=2, b=3)
        kept[2].update(range(99))
        kept[3].extend(b"2" * 99)
        gc.collect()
        self.assertEqual([sent, *kept], [[1], [2], {"a": 2, "b": 3}, set(range(99)), bytearray(b"2" * 99)])

    def test_cycles(self):
        sent = [1]
        sent.append(sent)
        got = self.moved(sent)
        self.assertIs(got[1], got)
        self.assertEqual(sent, [])
        table = {}
        table["self"] = ([table],)
        got = self.moved(table)
        self.assertIs(got["self"][0][0], got)
        self.assertEqual(table, {})

    def test_nesting_without_a_limit(self):
        sent = []
        for _ in range(300_000):
            sent = [sent]
        got = self.moved(sent)
        depth = 0
        while got:
            got = got[0]
            depth += 1
        self.assertEqual(depth, 300_000)

    def test_keys_that_the_sender_keeps(self):
        name = sys.intern("a name of this module")
        sent = [{name: 1, "value": n} for n in range(3)]
        got = self.moved(sent)
        self.assertEqual([each[name] for each in got], [1, 1, 1])
        self.assertEqual([each["value"] for each in got], [0, 1, 2])
        got[0].update({name: 2, "more": 3})
        self.assertEqual(got[0], {name: 2, "value": 0, "more": 3})

    def test_tables_that_have_lost_items(self):
        table = {str(n): n for n in range(50)} | {n: n for n in range(50)}
        members = set(range(1000, 1100)) | {str(n) for n in range(50)}
        for n in range(0, 50, 3):
            del table[str(n)], table[n]
            members.remove(str(n))
            members.remove(1000 + n)
        expected = copy.deepcopy([table, members])
        got = self.moved([table, members])
        self.assertEqual(got, expected)
        got[0].update((str(n), -n) for n in range(50))
        got[1].update(range(1000, 1100))
        self.assertEqual(got[0]["0"], 0)
        self.assertEqual(len(got[1]), 100 + 33)

    def test_a_nan_is_found_where_it_is_a_key(self):
        nan = math.nan
        for sent in ([{nan: 1}], [{float("nan"): 1}], [{nan}], [{(1, nan): 1}]):
            got = self.moved(sent)[0]
            self.assertTrue(all(key in got for key in got))

    def test_a_set_with_weak_references(self):
        kept = {1, 2}
        reference = weakref.ref(kept)
        alone = [{3, 4}]
        other = weakref.ref(alone[0])
        self.assertEqual(self.moved([kept, alone]), [{1, 2}, [{3, 4}]])
        self.assertEqual(reference(), set())
        self.assertIsNone(other())

    def test_the_attributes_of_an_instance(self):
        record = Record([1])
        self.assertEqual(self.moved(vars(record)), {"value": [1]})
        self.assertEqual(vars(record), {})

    def test_a_dict_under_iteration_says_so(self):
        table = {1: 2, 3: 4}
        items = iter(table.items())
        next(items)
        self.moved(table)
        with self.assertRaisesRegex(RuntimeError, "changed size"):
            next(items)

    def test_a_list_that_is_being_sorted(self):
        channel = interlock.Channel(None)
        numbers = [3, 1, 2]

        def key(number):
            channel.send(numbers, move=True)
            return number

        numbers.sort(key=key)
        self.assertEqual(numbers, [1, 2, 3])
        self.assertEqual([channel.recv() for _ in range(3)], [[], [], []])

    def test_the_collector_sees_what_has_arrived(self):
        class Witness:
            pass

        sent = [[], {}]
        sent[0].append(sent)
        sent[1]["up"] = sent
        got = self.moved(sent)
        self.assertTrue(all(map(gc.is_tracked, (got, *got))))
        witness = Witness()
        reference = weakref.ref(witness)
        got.append(witness)
        del witness, got
        gc.collect()
        self.assertIsNone(reference())

    def test_random_graphs_through_interpreters(self):
        rng = random.Random(4)
        first, second, third = (interlock.Channel(2) for _ in range(3))
        ends = [self.interpreter().submit(forward, *each) for each in ((first, second), (second, third))]
        threshold = gc.get_threshold()
        gc.set_threshold(20, 2, 2)
        self.addCleanup(gc.set_threshold, *threshold)
        for _ in range(100):
            graph = self.graph(rng, 5)
            expected = copy.deepcopy(graph)
            first.send([graph], move=True)
            self.assertEqual(third.recv(support.LIMIT), [expected])
        for channel in (first, second):
            channel.close()
        self.assertEqual([end.result(support.LIMIT) for end in ends], [100, 100])

    def graph(self, rng, depth):
        pool = [rng.choice(sample()) for _ in range(4)]
        shared = [each for each in pool if not isinstance(each, (list, dict, set, bytearray))]

        def make(depth):
            way = rng.randrange(7 if depth else 2)
            if way == 0:
                return rng.choice(shared) if shared else None
            if way == 1:
                return rng.choice(sample())
            items = [make(depth - 1) for _ in range(rng.randrange(6))]
            keys = [rng.choice((n, f"key{n}", ("pair", n), sys.intern(f"k{n}"))) for n in range(len(items))]
            if way < 4:
                return items
            if way == 4:
                return tuple(items)
            return dict(zip(keys, items, strict=True)) if way == 5 else set(keys)

        return make(depth)


CACHE = [[1], {"k": [2]}, ([3],), frozenset({(4,)}), {5}, bytearray(b"6")]


def result_with_address():
    inner = [object.__name__, 1]
    return {"address": id(inner), "inner": inner}


def results_that_something_holds():
    kept = CACHE[0]
    return [kept, kept, CACHE, dict(CACHE[1])]


def cyclic_result_that_cannot_move():
    record = Record(1)
    sys.cycle = []
    sys.cycle += [sys.cycle, record]
    sys.witness = weakref.ref(record)
    return [sys.cycle]


def witness_after_cycle():
    sys.cycle.clear()
    return sys.witness()


@unittest.skipUnless(_interlock.can_move(), "objects are copied")
class Handed(support.TestCase):
    """Objects that arrive are the very ones that were sent: they have their addresses."""

    def test_what_only_the_message_holds(self):
        channel = interlock.Channel(1)
        sent = [[n] for n in range(1000, 1010)] + [{"k": 1.5 * n} for n in range(10)] + [(n, [n]) for n in range(5)]
        addresses = [id(each) for each in sent]
        channel.send(sent, move=True)
        self.assertEqual([id(each) for each in channel.recv()], addresses)

    def test_the_storage_of_what_something_else_holds(self):
        channel = interlock.Channel(1)
        item = bytes(1000)
        sent, address = [item], id(item)
        del item
        channel.send(sent, move=True)
        self.assertEqual(id(channel.recv()[0]), address)

    def test_what_an_iterator_gives_and_does_not_keep(self):
        channel, addresses, kept = interlock.Channel(None), [], bytes(3000)

        def make(size):
            item = bytes(size) if size % 2 else "x" * size
            addresses.append(id(item))
            return item

        channel.send_many(map(make, (5000, 5001)))
        self.assertEqual([id(each) for each in channel.recv_many(2)], addresses)
        channel.send_many(iter([kept]))
        got = channel.recv()
        self.assertEqual(got, kept)
        self.assertIsNot(got, kept)

    def test_the_result_of_a_call(self):
        got = self.interpreter().call(result_with_address)
        self.assertEqual(id(got["inner"]), got["address"])

    def test_a_result_leaves_alone_what_something_else_holds(self):
        interpreter = self.interpreter()
        for _ in range(2):
            got = interpreter.call(results_that_something_holds)
            self.assertEqual(got, [CACHE[0], CACHE[0], CACHE, CACHE[1]])
            self.assertIs(got[0], got[1])
            self.assertIs(got[0], got[2][0])
            self.assertIs(got[2][1]["k"], got[3]["k"])

    def test_a_result_that_cannot_move_leaves_nothing_behind(self):
        interpreter = self.interpreter()
        got = interpreter.call(cyclic_result_that_cannot_move)
        self.assertIs(got[0][0], got[0])
        self.assertIsNone(interpreter.call(witness_after_cycle))


class Failing(support.TestCase):
    """What was not sent is where it was."""

    def setUp(self):
        self.inner, self.text = [1], "text" * 3
        self.fixed = (self.inner, self.text)
        self.sent = [self.inner, self.fixed, {"k": self.inner, 7: self.text}, {8, 9}, bytearray(b"x"), self.text]
        self.items = list(self.sent)
        self.expected = copy.deepcopy(self.sent)

    def check(self):
        self.assertEqual(self.sent, self.expected)
        for now, before in zip(self.sent, self.items, strict=True):
            self.assertIs(now, before)
        self.assertIs(self.fixed[0], self.inner)
        self.assertIs(self.sent[2]["k"], self.inner)
        self.assertIs(self.sent[2][7], self.text)
        for each in (self.sent, self.inner, self.sent[2], self.sent[3]):
            self.assertTrue(gc.is_tracked(each))

    def test_a_full_channel(self):
        channel = interlock.Channel(1)
        channel.send(0)
        with self.assertRaises(interlock.ChannelFull):
            channel.try_send(self.sent, move=True)
        self.check()
        with self.assertRaises(TimeoutError):
            channel.send(self.sent, timeout=0.001, move=True)
        self.check()

    def test_a_closed_channel(self):
        channel = interlock.Channel(1)
        channel.close()
        for send in (channel.send, channel.try_send):
            with self.assertRaises(interlock.ChannelClosed):
                send(self.sent, move=True)
            self.check()

    def test_a_refused_object(self):
        self.sent[2]["bad"] = (each for each in ())
        with self.assertRaisesRegex(interlock.TransferError, r"message\[2\]\['bad'\]: a generator"):
            interlock.Channel(1).send(self.sent, move=True)
        del self.sent[2]["bad"]
        self.check()

    def test_a_bytearray_that_is_viewed(self):
        with (
            memoryview(self.sent[4]),
            self.assertRaisesRegex(
                interlock.TransferError, r"message\[4\]: a bytearray cannot .*: it cannot be emptied while a view"
            ),
        ):
            interlock.Channel(1).send(self.sent, move=True)
        self.check()

    @unittest.skipUnless(_interlock.can_move(), "copies leave the containers alone until they have gone")
    def test_what_comes_in_meanwhile_stays(self):
        channel = interlock.Channel(0)
        failed = threading.Event()

        def send():
            try:
                channel.send(self.sent, move=True)
            except interlock.ChannelClosed:
                failed.set()

        thread = self.in_thread(send)
        while self.sent:
            pass
        self.sent.append("new")
        self.items[2]["new"] = 1
        self.items[3].add(10)
        self.items[4].extend(b"y")
        channel.close()
        thread.join(support.LIMIT)
        self.assertTrue(failed.is_set())
        self.expected.append("new")
        self.expected[2]["new"] = 1
        self.expected[3].add(10)
        self.expected[4].extend(b"y")
        self.items.append(self.sent[-1])
        self.check()

    def fail_to_send(self, sent, meanwhile):
        """Calls `meanwhile` while `sent` is on its way, and then takes it back."""
        channel = interlock.Channel(0)

        def send():
            with contextlib.suppress(interlock.ChannelClosed):
                channel.send(sent, move=True)

        thread = self.in_thread(send)
        while sent:
            pass
        meanwhile()
        channel.close()
        thread.join(support.LIMIT)

    @unittest.skipUnless(_interlock.can_move(), "copies leave the containers alone until they have gone")
    def test_the_collector_still_sees_what_was_empty_when_it_ran(self):
        table = {}
        table["self"] = [table]
        self.fail_to_send(table, gc.collect)
        self.assertTrue(gc.is_tracked(table))

    @unittest.skipUnless(_interlock.can_move(), "copies leave the containers alone until they have gone")
    def test_a_view_of_what_came_in_meanwhile_stays_valid(self):
        sent, views = bytearray(b"x" * 100), []

        def view():
            sent.extend(b"y" * 1000)
            views.append(memoryview(sent))

        self.fail_to_send(sent, view)
        others = [bytearray(b"z" * 1000) for _ in range(1000)]
        self.assertEqual(sent, b"x" * 100 + b"y" * 1000)
        self.assertEqual(views[0], b"y" * 1000)
        views.pop().release()
        sent.append(0)
        self.assertEqual(len(others), 1000)


class Garbage(support.TestCase):
    def test_the_collector_runs_although_received_objects_are_freed(self):
        """Freeing what was made elsewhere makes up for what is made here in the collector's books."""

        class Node:
            pass

        channel = interlock.Channel(None)
        freed = []
        for _ in range(100):
            channel.send([[] for _ in range(200)], move=True)
        for _ in range(100):
            received = channel.recv()
            for _ in range(20):
                node = Node()
                node.itself = node
            if not freed:
                weakref.finalize(node, freed.append, True)
            del received, node
        self.assertTrue(freed)


class Meanwhile(support.TestCase):
    def test_what_comes_in_while_a_send_waits_stays(self):
        for other in ([], [Record(1)]):  # plain, or to be copied
            with self.subTest(other=other):
                channel = interlock.Channel(0)
                sent = [[1], {"k": 1}, {1}, bytearray(b"1"), other]
                items = list(sent)
                thread = self.in_thread(lambda: channel.send(sent, move=True))
                while channel.stats()["send_waits"] == 0:
                    pass
                sent.append("new")
                for add, new in ((items[0].append, 2), (items[1].update, {"n": 2}), (items[2].add, 2)):
                    add(new)
                items[3].extend(b"2")
                self.assertEqual(channel.recv()[:4], [[1], {"k": 1}, {1}, bytearray(b"1")])
                thread.join(support.LIMIT)
                self.assertEqual(sent, ["new"])
                self.assertEqual(items[:4], [[2], {"n": 2}, {2}, bytearray(b"2")])


class Undelivered(support.TestCase):
    def test_it_outlives_its_interpreter(self):
        channel = interlock.Channel(None)

        def send(channel):
            channel.send([{"n": n, "t": "text" * n, "l": [n]} for n in range(100)], move=True)

        interpreter = interlock.Interpreter()
        interpreter.call(send, channel)
        interpreter.close()
        self.assertEqual(channel.recv(), [{"n": n, "t": "text" * n, "l": [n]} for n in range(100)])

    def test_it_is_freed(self):
        def drop(count):
            channel = interlock.Channel(None)
            for _ in range(count):
                sent = sample()
                sent.append([sent])
                channel.send(sent, move=True)
            channel.cancel()
            gc.collect()
            return sys.getallocatedblocks()

        drop(50)
        before = drop(10)
        # One block of each message would be 500.
        self.assertLess(drop(500) - before, 400)

    def test_it_can_be_received_once(self):
        channel = interlock.Channel(1)
        channel.send([1], move=True)
        self.assertEqual(channel.recv(), [1])
        with self.assertRaises(interlock.ChannelEmpty):
            channel.try_recv()


class Fallback(support.TestCase):
    def test_an_allocator_of_interpreters_means_copies(self):
        out, _ = self.run_program(
            "import _interlock, interlock\n"
            "c = interlock.Channel(1)\n"
            "inner = [1, 'a' * 3]\n"
            "sent = [inner, {'k': inner}]\n"
            "c.send(sent, move=True)\n"
            "print(_interlock.can_move(), interlock.features['move'], sent, inner, c.recv())\n",
            env={**os.environ, "PYTHONMALLOC": "pymalloc"},
        )
        self.assertEqual(out, "False False [] [] [[1, 'aaa'], {'k': [1, 'aaa']}]\n")

    def test_the_command_can_move(self):
        out, _ = self.run_program("import interlock; print(interlock.features['move'])")
        self.assertEqual(out, f"{_interlock.can_move()}\n")


if __name__ == "__main__":
    if not _interlock.can_move() and "PYTHONMALLOC" not in os.environ:  # -X dev
        os.environ["PYTHONMALLOC"] = "mimalloc"
        os.execv(sys.executable, sys.orig_argv)
    support.main()
