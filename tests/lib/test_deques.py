# SPDX-License-Identifier: MIT
"""Deques that move."""

import collections
import contextlib
import unittest

import _interlock
import interlock
import support


class Record:
    def __init__(self, value):
        self.value = value


class Watcher:
    """Crosses as how many items a deque has when it is asked."""

    def __init__(self, watched, *added):
        self.watched = watched
        self.added = added

    def __reduce__(self):
        self.watched.extend(self.added)
        self.added = ()
        return Record, (len(self.watched),)


class Moved(support.TestCase):
    """A deque is of its interpreter's own type: what it contains moves."""

    def make(self):
        return collections.deque(([n] for n in range(100)), maxlen=200)

    def moved(self, obj):
        channel = interlock.Channel(1)
        channel.send(obj, move=True)
        return channel.recv()

    @unittest.skipUnless(_interlock.can_move(), "objects are copied")
    def test_what_only_the_deque_holds(self):
        for rest in ([], [[n] for n in range(1000)]):
            sent = self.make()
            first = id(sent[0])
            got = self.moved([sent, rest])[0]
            self.assertEqual((len(sent), sent.maxlen), (0, 200))
            self.assertEqual((got, got.maxlen), (self.make(), 200))
            self.assertEqual(id(got[0]), first)

    def test_what_it_shares_with_the_message_is_one(self):
        big = [[n] for n in range(1000)]
        for rest in ([], big):
            sent = self.make()
            shared = sent[7]
            before, got, again, after, _ = self.moved([shared, sent, sent, (shared,), rest])
            self.assertEqual((len(sent), shared), (0, []))
            self.assertEqual(got, self.make())
            self.assertIs(got, again)
            self.assertIs(got[7], before)
            self.assertIs(after[0], before)

    def test_what_two_share_is_one(self):
        sent = self.make()
        first, second = self.moved([sent, collections.deque(sent)])
        self.assertEqual(len(sent), 0)
        self.assertTrue(all(a is b for a, b in zip(first, second, strict=True)))

    def test_one_that_contains_itself_or_others(self):
        sent = self.make()
        sent += [sent, Record(1), collections.deque("ab")]
        got = self.moved(sent)
        self.assertEqual(len(sent), 0)
        self.assertIs(got[100], got)
        self.assertEqual((got[101].value, got[102]), (1, collections.deque("ab")))

    def test_code_that_the_message_runs_finds_it_full(self):
        for order in (1, -1):
            sent = self.make()
            got = self.moved([sent, Watcher(sent)][::order])[::order]
            self.assertEqual((got[0], got[1].value, len(sent)), (self.make(), 100, 0))

    def test_one_that_code_changes_meanwhile(self):
        sent = self.make()
        got = self.moved([sent, Watcher(sent, "added")])
        self.assertEqual([*got[0], *sent], [*self.make(), "added"])  # it goes, too, or stays
        self.assertEqual(got[1].value, 101)

    def test_inside_an_instance_it_stays_as_it_is(self):
        sent = self.make()
        self.assertEqual(self.moved([Record(sent)])[0].value, self.make())
        self.assertEqual(sent, self.make())

    def test_what_was_not_sent_is_where_it_was(self):
        full = interlock.Channel(1)
        full.send(None)
        sent = self.make()
        items = list(sent)
        for message, error in (
            (sent, TimeoutError),
            ([sent, [sent]], TimeoutError),
            ([sent, (each for each in ())], interlock.TransferError),
        ):
            with self.assertRaises(error):
                full.send(message, timeout=0, move=True)
            self.assertTrue(all(a is b for a, b in zip(sent, items, strict=True)))
            self.assertEqual(sent, self.make())

    def test_what_comes_in_meanwhile_stays(self):
        for make in (self.make, lambda: collections.deque([Record(1)])):  # moved, or copied
            for is_received in (True, False):
                with self.subTest(make=make, is_received=is_received):
                    channel, sent = interlock.Channel(0), make()
                    items = list(sent)
                    thread = self.in_thread(self.send, channel, [sent])
                    while channel.stats()["send_waits"] == 0:
                        pass
                    sent.append("new")
                    if is_received:
                        self.assertEqual(len(channel.recv(support.LIMIT)[0]), len(items))
                    else:
                        channel.close()
                    thread.join(support.LIMIT)
                    self.assertEqual(list(sent), ["new"] if is_received else [*items, "new"])

    def send(self, channel, obj):
        with contextlib.suppress(interlock.ChannelClosed):
            channel.send(obj, move=True)


if __name__ == "__main__":
    support.main()
