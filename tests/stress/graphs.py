# SPDX-License-Identifier: MIT
"""Random graphs of objects through random chains of interpreters, for some seconds.

    interlock tests/stress/graphs.py [--seconds=N] [--seed=N]

Each graph goes from interpreter to interpreter, every time in another way: copied or moved through a channel by any of its
operations, as argument, result, exception, captured variable, or through a proxy. Each receiver compares what has arrived
with what was sent, down to which places refer to the same object; each sender that its own is unchanged, or
handed over. Meanwhile the collector runs all the time, messages are dropped, channels closed, sends refused,
interpreters ended. TAP on stdout; the seed decides what is tried, not how the system runs it.
"""

import argparse
import asyncio
import collections
import concurrent.futures
import difflib
import gc
import os
import random
import threading
import time
import traceback

import _interlock
import interlock
from graph_maker import Maker, describe, spoil

check_owners = getattr(_interlock, "check_owners", bool)  # in builds with --enable-owner-tags
HANG = 120  # seconds for a round
IN_WAYS = ("recv", "try_recv", "recv_many", "iterate", "arecv", "select")
MOVING = ("move", "try_move", "marked", "move_many", "amove", "select_move")
OUT_WAYS = ("send", "try_send", "select", "asend", "send_many", "timeout", *MOVING)
CALL_WAYS = (
    "argument",
    "keyword",
    "result",
    "exception",
    "captured",
    "proxy",
    "proxied attribute",
    "nested",
    "moved argument",
)


class Mismatch(AssertionError):
    """What has arrived is not what was sent."""


class Carried(Exception):
    """Raised with a graph as its argument."""


def check(obj, expected, where):
    found = describe(obj)
    if found != expected:
        lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "sent", "arrived", n=2, lineterm="")
        raise Mismatch(f"{where}:\n" + "\n".join(list(lines)[:60]))


def take(channel, way):
    if way == "recv":
        return channel.recv(HANG)
    if way == "try_recv":
        try:
            return channel.try_recv()
        except interlock.ChannelEmpty:
            return channel.recv(HANG)
    if way == "recv_many":
        return channel.recv_many(1, HANG)[0]
    if way == "iterate":
        for obj in channel:
            return obj
        raise interlock.ChannelClosed
    if way == "arecv":
        return asyncio.run(channel.arecv())
    return interlock.select([channel, interlock.after(HANG)])[1]


def give(channel, way, obj):
    """True if it was moved."""
    if way == "move":
        channel.send(obj, timeout=HANG, move=True)
    elif way in ("try_send", "try_move"):
        try:
            channel.try_send(obj, move=way == "try_move")
        except interlock.ChannelFull:  # whoever is to take it is not there yet
            channel.send(obj, timeout=HANG, move=way == "try_move")
    elif way == "marked":
        channel.send(interlock.moved(obj), HANG)
    elif way == "move_many":
        channel.send_many((obj,), HANG, move=True)
    elif way == "amove":
        asyncio.run(channel.asend(obj, move=True))
    elif way == "select_move":
        interlock.select([(channel, interlock.moved(obj)), interlock.after(HANG)])
    elif way == "send_many":
        channel.send_many([obj], HANG)
    elif way == "asend":
        asyncio.run(channel.asend(obj))
    elif way == "select":
        interlock.select([(channel, obj), interlock.after(HANG)])
    elif way == "timeout":
        fail_first(obj)
        channel.send(obj, HANG)
    else:
        channel.send(obj, HANG)
    return way in MOVING


def fail_first(obj):
    """Sends that fail: nothing has changed afterwards."""
    full = interlock.Channel(1)
    full.send(None)
    closed = interlock.Channel(1)
    closed.close()
    for channel, move, error in (
        (full, False, TimeoutError),
        (full, True, TimeoutError),
        (closed, True, interlock.ChannelClosed),
        (closed, False, interlock.ChannelClosed),
    ):
        try:
            channel.send(obj, timeout=1e-4, move=move)
        except error:
            continue
        raise Mismatch("a send that could not succeed did")


def refuse(obj):
    """A generator beside it: both kinds of send are refused, and say where it is."""
    channel = interlock.Channel(1)
    holder = [obj, {"culprit": (each for each in ())}]
    for move in (False, True):
        try:
            channel.send(holder, move=move)
        except interlock.TransferError as error:
            assert "message[1]['culprit']" in str(error), error
        else:
            raise Mismatch("a generator was sent")
    assert len(holder) == 2, holder


def drop(obj, way):
    """Sends it where nobody receives it."""
    channel = interlock.Channel(None)
    give(channel, way, obj)
    if way != "send":
        channel.cancel()


def send_on(channel, way, obj, expected, rng):
    """Sends the only reference that the caller's frame has to it."""
    if rng.random() < 0.1:
        refuse(obj)
        check(obj, expected, "after a refusal")
    iterators = [iter(obj)] if isinstance(obj, (list, set, dict, collections.deque)) and rng.random() < 0.2 else []
    for iterator in iterators:
        next(iterator, None)
    if give(channel, way, obj):
        if isinstance(obj, (list, set, dict, bytearray, collections.deque)):
            assert len(obj) == 0, f"{way} left {obj!r}"
            if type(obj) in (list, collections.deque):
                obj += ["used again"]
    else:
        check(obj, expected, f"the sender's own after {way}")
    for iterator in iterators:
        try:
            next(iterator, None)
        except RuntimeError:  # it has changed
            pass


def finish(obj, rng):
    """What a receiver may do with what is its own."""
    if rng.random() < 0.3:
        check_owners()
    way = rng.randrange(4)
    if way == 0:
        spoil(obj)
    elif way == 1:
        gc.collect()
    elif way == 2:
        drop(obj, rng.choice(OUT_WAYS))


def relay(inbox, outbox, way_in, way_out, expected, seed):
    """Receives a graph, compares it, and sends it on."""
    rng = random.Random(seed)
    obj = take(inbox, way_in)
    check(obj, expected, f"received by {way_in}")
    send_on(outbox, way_out, obj, expected, rng)
    finish(obj, rng)


# What is called with a graph.


def check_argument(obj, expected):
    check(obj, expected, "as an argument")


def check_and_return(expected, *, obj):
    check(obj, expected, "as a keyword argument")
    return obj


def make_and_return(seed, size):
    """A graph that nothing else holds, and its description."""
    made = Maker(random.Random(seed)).graph(size)
    return made, describe(made)


def check_and_raise(obj, expected):
    check(obj, expected, "as an argument")
    raise Carried(obj)


def call_back(interpreter, obj, expected):
    """In one interpreter: calls into another one."""
    check(interpreter.call(check_and_return, expected, obj=obj), expected, "returned by a nested call")
    return obj


class Keeper:
    """Stays where it is, behind a proxy."""

    def __init__(self):
        self.kept = None

    def exchange(self, obj, expected):
        check(obj, expected, "as an argument of a proxy")
        before, self.kept = self.kept, obj
        return before

    def take(self):
        found, self.kept = self.kept, None
        return found


def keeper():
    return interlock.proxy(Keeper())


def call(way, interpreter, other, obj, expected, rng):
    """The graph to `interpreter` and back in one of the ways of calls."""
    if way == "argument":
        interpreter.call(check_argument, obj, expected)
    elif way == "keyword":
        check(interpreter.call(check_and_return, expected, obj=obj), expected, "returned")
    elif way == "result":
        made, described = interpreter.submit(make_and_return, rng.getrandbits(32), rng.randrange(40)).result(HANG)
        check(made, described, "made elsewhere")
    elif way == "exception":
        try:
            interpreter.call(check_and_raise, obj, expected)
        except Carried as error:
            check(error.args[0], expected, "in an exception")
    elif way == "captured":
        # By value, with what it captures.
        found = interpreter.call(lambda: describe(obj))
        assert found == expected, "captured"
    elif way == "proxy":
        proxy = interpreter.call(keeper)
        assert proxy.exchange(obj, expected) is None
        check(proxy.exchange(None, describe(None)), expected, "back from a proxy")
    elif way == "proxied attribute":
        proxy = interpreter.call(keeper)
        proxy.kept = obj
        check(proxy.take(), expected, "set and taken through a proxy")
    elif way == "moved argument":
        result = interpreter.call(check_and_return, expected, obj=interlock.moved(obj))
        return check(result, expected, "returned after it was moved")
    else:
        check(interpreter.call(call_back, other, obj, expected), expected, "after a nested call")
    check(obj, expected, f"the caller's own after {way}")


def is_of_interrupted_loop(error):
    """asyncio.run() raises it after an interrupt that has come while it started or ended its loop."""
    return "event loop" in str(error) and "KeyboardInterrupt" in str(error.__cause__)


def set_collector(threshold):
    gc.freeze()  # what modules have made need not be looked at each time
    gc.set_threshold(*threshold)


class Round:
    """Some graphs on their way at the same time."""

    def __init__(self, rng, interpreters):
        self.rng = rng
        self.interpreters = interpreters
        self.maker = Maker(rng)
        self.channels = []
        self.is_disturbed = False

    def run(self):
        """How many graphs have come through."""
        rng = self.rng
        chains = [self.start_chain() for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.15:
            self.disturb()
        arrived = 0
        for chain in chains:
            arrived += self.end_chain(*chain)
        for _ in range(rng.randrange(3)):
            obj = self.graph()
            expected = describe(obj)
            first, second = rng.sample(self.interpreters.all, 2)
            call(rng.choice(CALL_WAYS), first, second, obj, expected, rng)
            arrived += 1
        return arrived

    def graph(self):
        is_plain = self.rng.random() < 0.2
        sizes = (
            (0, 0, 3, 30, 90, 1500) if is_plain else (0, 1, 3, 10, 30, 30, 90)
        )  # a receiver takes large ones otherwise
        made = self.maker.graph(self.rng.choice(sizes) + 1, is_plain)
        if self.rng.random() < 0.5:
            self.maker.nodes = []  # else they are held, too, while the graph leaves
        return made

    def start_chain(self):
        """Tells each interpreter on the way what to do, and sends."""
        rng = self.rng
        length = rng.randrange(2, 6)
        # The first and the last hold what nobody has yet come for.
        channels = [interlock.Channel(rng.choice((0, 1, 3, None))) for _ in range(length)]
        channels[0] = interlock.Channel(1)
        channels[-1] = interlock.Channel(rng.choice((1, None)))
        obj = self.graph()
        expected = describe(obj)
        relays = []
        before = None
        for inbox, outbox in zip(channels, channels[1:]):
            # Not the same twice: it does one thing after the other, and would wait for itself.
            before = rng.choice([each for each in self.interpreters.all if each is not before])
            ways = rng.choice(IN_WAYS), rng.choice(OUT_WAYS)
            relays.append(before.submit(relay, inbox, outbox, *ways, expected, rng.getrandbits(32)))
        send_on(channels[0], rng.choice(OUT_WAYS), obj, expected, rng)
        self.channels.append(channels)
        return channels, relays, expected

    def end_chain(self, channels, relays, expected):
        rng = self.rng
        end = time.monotonic() + HANG
        try:
            done, _ = concurrent.futures.wait(relays, HANG, concurrent.futures.FIRST_EXCEPTION)
            for each in done:
                each.result()
            obj = take(channels[-1], rng.choice(IN_WAYS))
            check(obj, expected, "at the end")
            for each in relays:
                each.result(end - time.monotonic())
        except (
            interlock.InterpreterEnded,
            interlock.ChannelClosed,
            KeyboardInterrupt,
            concurrent.futures.CancelledError,
            asyncio.CancelledError,  # asyncio.run() forgets an interrupt that comes just before it sets its count to 0
            RuntimeError,
        ) as error:
            if not self.is_disturbed:
                raise
            if type(error) is RuntimeError and not is_of_interrupted_loop(error):
                raise
            # Whoever waits for what will not come must hear of it.
            for each in channels:
                each.cancel()
            for each in relays:
                each.exception(end - time.monotonic())
            return 0
        finish(obj, rng)
        return 1

    def disturb(self):
        """Ends interpreters or channels under what is on its way."""
        rng = self.rng
        self.is_disturbed = True
        way = rng.randrange(3)
        if way == 0:
            self.interpreters.replace(rng)
        elif way == 1:
            for each in rng.choice(self.channels):
                each.cancel()
        else:
            rng.choice(rng.choice(self.channels)).close()


class Interpreters:
    def __init__(self, count, rng):
        self.rng = rng
        self.all = [self.start() for _ in range(count)]

    def start(self):
        made = interlock.Interpreter()
        made.call(make_and_return, 0, 30)  # imports what graphs are made of
        made.call(set_collector, self.rng.choice(((1, 10, 10), (1, 50, 5), (3, 1, 50), (30, 2, 2))))
        return made

    def replace(self, rng):
        self.all.pop(rng.randrange(len(self.all))).close(0)
        self.all.append(self.start())

    def close(self):
        for each in self.all:
            each.close()


def main():
    import faulthandler  # refuses to be imported by more than one interpreter

    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options = parser.parse_args()
    print(f"1..1\n# seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    interpreters = Interpreters(4, rng)
    set_collector((1, 10, 10))
    rounds = graphs = 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        faulthandler.dump_traceback_later(3 * HANG, exit=True)
        seed = rng.getrandbits(32)
        try:
            graphs += Round(random.Random(seed), interpreters).run()
        except BaseException:
            traceback.print_exc()
            print(f"not ok 1 - round {rounds}, seed {seed}", flush=True)
            os._exit(1)  # others may wait for what will not come
        rounds += 1
    faulthandler.cancel_dump_traceback_later()
    interpreters.close()
    assert threading.active_count() <= 2, threading.enumerate()  # one may serve proxies
    print(f"# {rounds} rounds, {graphs} graphs\nok 1 - graphs")


if __name__ == "__main__":
    import graphs  # by its name, so that what it defines is found in every interpreter

    graphs.main()
