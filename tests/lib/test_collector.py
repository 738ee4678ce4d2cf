# SPDX-License-Identifier: MIT
"""What the collectors of the sender and of the receiver know of a graph that moves."""

import collections
import gc
import itertools
import os
import random
import sys

import interlock
import support

SIZE = 300


def containers_of(root):
    """The ids of the lists, tuples, dicts and sets of a graph, each once."""
    found, left = {}, [root]
    while left:
        each = left.pop()
        if not isinstance(each, (list, tuple, dict, set)) or id(each) in found:
            continue
        found[id(each)] = each
        left += itertools.chain(each, each.values()) if isinstance(each, dict) else each
    return set(found)


def known(addresses):
    """How often the collector of the calling interpreter knows each of these."""
    counts = collections.Counter(map(id, gc.get_objects()))
    return {address: counts[address] for address in addresses}


def receive(channel, addresses):
    """Whether the collector knows what arrives as it did where it came from, and goes on to; what arrived."""
    got = channel.recv()
    first = known(addresses)
    gc.collect()
    return first, {address: count > 0 for address, count in known(addresses).items()}, got


def made_children_first():
    return [[[each], (each, [each])] for each in range(SIZE)]


def made_parents_first():
    made = []
    for each in range(SIZE):
        made.append([])
        made[-1].append([])
        made[-1].append(([each],))
    return made


def made_in_any_order():
    made = [[each] for each in range(SIZE)]
    random.Random(5).shuffle(made)
    return made


def sorted_by_the_collector():
    def tree(depth):
        return [depth, tree(depth - 1), tree(depth - 1)] if depth else [0]

    made = tree(8)
    gc.collect()
    return made


def among_what_stays():
    made, among_what_stays.kept = [], []
    for each in range(SIZE):
        made.append([each])
        among_what_stays.kept.append([each])
    return made


def forgotten_in_part():
    made = [(each, (each, str(each))) for each in range(SIZE)] + [{"k": each} for each in range(SIZE)]
    gc.collect()  # CPython 3.13 forgets what cannot be part of a cycle
    return made


def of_many_generations():
    made = []
    for each in range(SIZE):
        made.append([[each]])
        if each % 50 == 0:
            gc.collect(each % 3)
    return made


MAKERS = (
    made_children_first,
    made_parents_first,
    made_in_any_order,
    sorted_by_the_collector,
    among_what_stays,
    forgotten_in_part,
    of_many_generations,
)


class Lists(support.TestCase):
    def setUp(self):
        self.channel = interlock.Channel(1)

    def ready(self, make):
        """A graph, its containers but for the root, which stays with the sender, and how often each is known."""
        graph = make()
        addresses = containers_of(graph) - {id(graph)}
        before = known(addresses)
        self.assertLessEqual(set(before.values()), {0, 1})
        return graph, addresses, before

    def test_each_is_known_to_one_collector(self):
        i = self.interpreter()
        for make in MAKERS:
            with self.subTest(make.__name__):
                graph, addresses, before = self.ready(make)
                self.channel.send(graph, move=True)
                self.assertEqual(graph, [])
                self.assertEqual(set(known(addresses).values()), {0})
                gc.collect()
                first, then, got = i.call(receive, self.channel, addresses)
                self.assertEqual(first, before)
                if make is not forgotten_in_part:
                    self.assertTrue(all(then.values()))
                self.assertEqual(got, make())

    def test_what_was_not_sent_is_known_as_before(self):
        self.channel.send(None)
        for make in MAKERS:
            with self.subTest(make.__name__):
                graph, addresses, before = self.ready(make)
                for _ in range(2):
                    with self.assertRaises(interlock.ChannelFull):
                        self.channel.try_send(graph, move=True)
                    self.assertEqual(known(addresses), before)
                gc.collect()
                self.assertEqual(graph, make())

    def test_what_cannot_move_is_known_as_before(self):
        graph = [[[each] for each in range(SIZE)], (each for each in ()), [[each] for each in range(SIZE)]]
        addresses = containers_of(graph)
        before = known(addresses)
        with self.assertRaises(TypeError):
            self.channel.send(graph, move=True)
        self.assertEqual(known(addresses), before)

    def test_garbage_that_arrived_is_found(self):
        class Witness:
            def __del__(self):
                ended.append(1)

        ended = []
        graph = made_children_first()
        for each in graph:
            each.append(graph)
        self.channel.send(graph, move=True)
        got = self.channel.recv()
        got.append(Witness())
        del got
        gc.collect()
        self.assertEqual(ended, [1])

    def test_a_frozen_generation(self):
        graph, addresses, before = self.ready(made_children_first)
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        frozen = gc.get_freeze_count()
        self.channel.send(graph, move=True)
        self.assertLess(gc.get_freeze_count(), frozen - len(addresses) // 2)
        got = self.channel.recv()
        self.assertEqual(known(addresses), before)
        self.assertEqual(got, made_children_first())

    def test_garbage_that_moves_while_it_is_collected(self):
        channel = self.channel

        class Holder:
            def __del__(self):
                channel.send(self.__dict__.pop("content"), move=True)

        holder = Holder()
        holder.content = made_children_first()
        holder.itself = holder
        addresses = containers_of(holder.content) - {id(holder.content)}
        del holder
        gc.collect()
        self.assertEqual(set(known(addresses).values()), {0})
        first, then, got = self.interpreter().call(receive, channel, addresses)
        self.assertEqual(set(first.values()), {1})
        self.assertTrue(all(then.values()))
        self.assertEqual(got, made_children_first())

    def test_on_and_on_with_collections(self):
        threshold = gc.get_threshold()
        gc.set_threshold(10, 2, 2)
        self.addCleanup(gc.set_threshold, *threshold)
        box = [make() for make in MAKERS]
        expected = [make() for make in MAKERS]
        for turn in range(60):
            self.channel.send(box, move=True)
            box = self.channel.recv()
            box[turn % len(box)].append([turn])
            expected[turn % len(box)].append([turn])
            self.assertEqual(box, expected)


class Keyed:
    """Is a key, which runs code when a dict is filled."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return self.number == other.number

    def __hash__(self):
        if self.number % 500 == 0:
            gc.collect()
        return self.number


def item(number):
    """One of every container, with others in it and without."""
    parts = [number], (number,), {"a": number}, {number: [number]}, {number, "a"}, frozenset([number]), ([number],)
    return [*parts, list(parts), {"a": [number], "b": {}}, Keyed(number)]


def tracked(obj):
    """Whether the collector knows each part, in the order of the walk."""
    found = [gc.is_tracked(obj)]
    if isinstance(obj, dict):
        obj = obj.items()
    elif isinstance(obj, Keyed):
        obj = [obj.number]
    if not isinstance(obj, (int, str)):
        for each in obj:
            found += tracked(each)
    return found


class LargeCopies(support.TestCase):
    """While a large message is rebuilt, what is complete is set aside."""

    def arrived(self, obj):
        channel = interlock.Channel(1)
        channel.send(obj)
        return channel.recv()

    def test_is_known_as_what_a_small_message_brought(self):
        expected = tracked(self.arrived(item(7)))
        got = self.arrived([item(7 + each) for each in range(SIZE)])
        for each in got:
            self.assertEqual(tracked(each), expected)
        counts = known(set(map(id, got)) | {id(part) for each in got for part in each if gc.is_tracked(part)})
        self.assertEqual(set(counts.values()), {1})
        gc.collect()
        self.assertEqual([each[:6] for each in got], [item(7 + each)[:6] for each in range(SIZE)])

    def test_code_that_collects_meanwhile(self):
        for _ in range(3):
            keys = [[{Keyed(each): [each]}, [each]] for each in range(1000)]
            got = self.arrived(keys)
            self.assertEqual(got, keys)
            got.append(got)
            parts = {id(part) for each in got for part in each}
            self.assertEqual(set(known(parts).values()), {1})

    def test_nobody_sees_half_a_tuple(self):
        class Looks:
            def __init__(self, size):
                self.size = size

            def __hash__(self):
                return len([list(each) for each in gc.get_objects() if type(each) is tuple and len(each) == self.size])

            def __eq__(self, other):
                return True

        for size in (20, 1500):
            message = tuple([[each] for each in range(size - 2)] + [{Looks(size): 1}, [2]])
            self.assertEqual(len(self.arrived(message)), size)

    def test_message_that_cannot_be_rebuilt(self):
        """What was set aside is freed, and leaves no trace."""
        channel = interlock.Channel(1)
        message = [item(each) for each in range(1, SIZE)]

        def fail(channel):
            import collections

            taken = collections.__dict__.pop("OrderedDict")
            try:
                channel.recv()
            except AttributeError as error:
                return str(error)
            finally:
                collections.OrderedDict = taken

        def count():
            gc.collect()
            return len(gc.get_objects())

        with interlock.Interpreter() as peer:
            counts = []
            for _ in range(4):
                channel.send([message, collections.OrderedDict])
                self.assertIn("OrderedDict", peer.call(fail, channel))
                counts.append(peer.call(count))
            self.assertLess(abs(counts[3] - counts[1]), SIZE)
            channel.send(message)
            self.assertEqual(peer.call(lambda: len(channel.recv())), SIZE - 1)

    def test_garbage_that_arrived_is_found(self):
        class Witness:
            def __del__(self):
                ended.append(1)

        ended = []
        graph = [item(each) for each in range(SIZE)]
        for each in graph:
            each.append(graph)
        got = self.arrived(graph)
        got.append(Witness())
        del got, each
        gc.collect()
        self.assertEqual(ended, [1])

    def test_on_and_on_with_collections(self):
        threshold = gc.get_threshold()
        gc.set_threshold(10, 2, 2)
        self.addCleanup(gc.set_threshold, *threshold)
        box = expected = [item(each) for each in range(SIZE)]
        for _ in range(20):
            box = self.arrived(box)
        self.assertEqual([each[:6] for each in box], [each[:6] for each in expected])


if __name__ == "__main__":
    if not interlock.features["move"] and "PYTHONMALLOC" not in os.environ:  # -X dev
        os.environ["PYTHONMALLOC"] = "mimalloc"
        os.execv(sys.executable, sys.orig_argv)
    support.main()
