# SPDX-License-Identifier: MIT
"""What channels and interpreters count of what crosses, by tier."""

import array
import asyncio
import json
import unittest

import interlock
import support


class Plain:
    def __init__(self, value):
        self.value = value


def tiers(channel):
    """Those that have counts: tier -> (messages, objects, bytes)."""
    return {tier: tuple(counts.values()) for tier, counts in channel.stats()["tiers"].items() if any(counts.values())}


def send_all(channel, items):
    for item in items:
        channel.send(item)


class OfChannels(support.TestCase):
    def check(self, channel):
        """Every message is of one tier."""
        stats = channel.stats()
        self.assertEqual(sum(counts["messages"] for counts in stats["tiers"].values()), stats["sent"])

    def sent(self, *items, **options):
        channel = interlock.Channel(None)
        for item in items:
            channel.send(item, **options)
        self.check(channel)
        return tiers(channel)

    def test_nothing_yet(self):
        self.assertEqual(tiers(interlock.Channel(1)), {})
        expected = dict.fromkeys(("messages", "objects", "bytes"), 0)
        self.assertEqual(
            interlock.Channel(0).stats()["tiers"], dict.fromkeys(("shared", "moved", "copied", "rebuilt"), expected)
        )

    def test_what_needs_no_memory(self):
        self.assertEqual(self.sent(1, None, True, 1 << 40), {"copied": (4, 4, 32)})

    def test_plain_objects(self):
        self.assertEqual(self.sent([1, 2, [3]]), {"copied": (1, 5, 40)})
        self.assertEqual(self.sent({"a": 1.5}, "text"), {"copied": (2, 4, 8 * (1 + 1 + 2 + 2))})
        self.assertEqual(self.sent({1, 2}, frozenset([1])), {"copied": (2, 5, 8 * (3 + 3))})

    def test_instances_and_names(self):
        counts = self.sent([Plain(1), Plain(2)])
        self.assertEqual(counts["rebuilt"][0], 0)
        self.assertGreaterEqual(counts["rebuilt"][1], 2)
        self.assertEqual(counts["copied"][0], 1)
        self.assertEqual(self.sent(json)["rebuilt"][:2], (1, 1))
        self.assertEqual(self.sent(Plain(1))["rebuilt"][0], 1)

    def test_handles_and_memory(self):
        self.assertEqual(self.sent(interlock.Channel(1))["shared"], (1, 1, 0))
        counts = self.sent([memoryview(bytearray(100)), interlock.Event()])
        self.assertEqual((counts["shared"], counts["copied"][:2]), ((0, 2, 100), (1, 1)))
        if interlock.features["move"]:
            self.assertEqual(self.sent(array.array("d", [1.5] * 10))["copied"][:2], (1, 1))

    def test_frozen_objects(self):
        frozen = interlock.freeze([1, ("text",)])
        self.assertEqual(self.sent(frozen), {"shared": (1, 1, 0)})
        counts = self.sent([frozen, [frozen, 1]])
        self.assertEqual((counts["shared"], counts["copied"][:2]), ((0, 1, 0), (1, 3)))

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_moves(self):
        self.assertEqual(self.sent([1, ["x" * 3], (2,)], move=True)["moved"][:2], (1, 6))
        self.assertEqual(self.sent(bytearray(1000), move=True)["moved"], (1, 1, 1000))
        counts = self.sent([bytearray(1000), Plain(1)], move=True)
        self.assertEqual((counts["moved"], counts["copied"][0]), ((0, 1, 1000), 1))
        counts = self.sent({"k": array.array("b", bytes(100)), "p": Plain(2)}, move=True)
        self.assertEqual(counts["moved"], (0, 1, 100))
        self.assertEqual(self.sent([interlock.moved([1, 2])])["moved"][0], 0)

    def test_many_at_a_time(self):
        channel = interlock.Channel(None)
        channel.send_many([1, [2], 3, "text"])
        channel.send_many(iter([[4], 5]))
        self.check(channel)
        self.assertEqual(tiers(channel)["copied"][0], 6)

    def test_what_is_not_sent_is_not_counted(self):
        channel = interlock.Channel(2)
        channel.send([1])
        channel.send([1])
        expected = tiers(channel)
        for send in (
            lambda: channel.try_send([2]),
            lambda: channel.try_send([2], move=True),
            lambda: channel.send([2], timeout=0),
            lambda: channel.send_many([[2], [3]], timeout=0),
            lambda: interlock.select([(channel, [2])], timeout=0),
        ):
            with self.assertRaises((interlock.ChannelFull, TimeoutError)):
                send()
            self.assertEqual(tiers(channel), expected)
        channel.recv()
        with self.assertRaises(TimeoutError) as caught:
            channel.send_many([[2], [3]], timeout=0)
        self.assertEqual(caught.exception.sent, 1)
        self.check(channel)
        with self.assertRaises(interlock.TransferError):
            channel.send([x for x in [1, (y for y in "")]])
        channel.close()
        with self.assertRaises(interlock.ChannelClosed):
            channel.send([4])
        self.check(channel)

    def test_select_and_asyncio(self):
        channel, other = interlock.Channel(3), interlock.Channel(1)
        other.send([0])
        self.assertEqual(interlock.select([(other, [1]), (channel, [2])]), (1, None))
        self.assertEqual(interlock.select([other, (other, [1])], biased=True), (0, [0]))
        self.check(channel)
        self.check(other)

        async def run():
            await channel.asend([3])
            await channel.asend([4])
            waiting = asyncio.ensure_future(channel.asend([5]))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

        asyncio.run(run())
        self.assertEqual(tiers(channel)["copied"][0], 3)
        self.check(channel)

    def test_interpreters_and_senders_add_up(self):
        channel = interlock.Channel(None)
        channel.send([1])
        for _ in range(2):
            interpreter = self.interpreter()
            interpreter.call(send_all, channel, [[1], [2], 3])
            interpreter.close()
        with channel.sender() as sender:
            sender.send([1])
            channel.send([1])
        self.check(channel)
        self.assertEqual(tiers(channel)["copied"], (9, 16, 7 * 16 + 2 * 8))

    def test_a_rendezvous(self):
        channel = interlock.Channel(0)
        thread = self.in_thread(channel.send, [1, 2])
        self.assertEqual(channel.recv(support.LIMIT), [1, 2])
        thread.join(support.LIMIT)
        self.assertEqual(tiers(channel), {"copied": (1, 3, 24)})


class OfInterpreters(support.TestCase):
    def test_what_an_interpreter_sends(self):
        interpreter = self.interpreter()
        channel = interlock.Channel(None)
        interpreter.call(send_all, channel, ())  # brings the function
        before = interpreter.stats()["sent"]
        interpreter.call(lambda: channel.send([memoryview(b"12345"), 1, [2]]))
        after = interpreter.stats()["sent"]

        def added(tier):
            return tuple(after[tier][what] - before[tier][what] for what in ("messages", "objects", "bytes"))

        self.assertEqual(added("shared"), (0, 1, 5))
        self.assertEqual(added("copied"), (1, 4, 40))

    @unittest.skipUnless(interlock.features["move"], "objects cannot move in this process")
    def test_results_are_moved(self):
        interpreter = self.interpreter()
        interpreter.call(list, "a")
        before = interpreter.stats()["sent"]["moved"]
        interpreter.call(list, "abc")
        after = interpreter.stats()["sent"]["moved"]
        self.assertEqual((after["messages"] - before["messages"], after["objects"] - before["objects"]), (1, 4))

    def test_they_stay_after_its_end(self):
        interpreter = self.interpreter()
        channel = interlock.Channel(None)
        interpreter.call(channel.send, {"a": 1})
        interpreter.close()
        self.assertGreaterEqual(interpreter.stats()["sent"]["copied"]["objects"], 3)


if __name__ == "__main__":
    unittest.main()
