# SPDX-License-Identifier: MIT
"""Many messages of each kind, after which the process is as large as it was, and has as many descriptors open.

    interlock tests/stress/leaks.py [--messages=N] [KIND ...]

Memory is what the process has for itself, after a tenth of the messages and three times later. An allocator
is no bookkeeper: what it keeps comes and goes, so the growth is three times the least of the three, and
500 kB and 4 bytes a message may be its own. TAP on stdout.
"""

import argparse
import array
import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import functools
import gc
import os
import pickle
import socket
import time
from itertools import pairwise

import graph_maker
import interlock

BATCH = 500
LIMIT = 60  # seconds for a batch


class Plain:
    def __init__(self, value):
        self.value = value


@dataclasses.dataclass
class Record:
    number: int
    name: str


class Color(enum.Enum):
    RED = 1


class Text(str):
    pass


class Image:
    """Gives its pixels as an ndarray does."""

    def __init__(self, pixels):
        self.pixels = pixels

    def __reduce_ex__(self, protocol):
        return Image, (pickle.PickleBuffer(self.pixels),)


class Failure(Exception):
    pass


Pair = collections.namedtuple("Pair", "left right")


def doubled(x):
    return 2 * x


def failure(n):
    """With a traceback."""
    try:
        raise Failure(n, "of many")
    except Failure as error:
        error.add_note("a note")
        return error


def cycle(n):
    made = [n]
    made.append({"itself": made})
    return made


def class_of(n):
    return type("Made", (), {"number": n})


def capturing(n):
    return lambda: n


ENDS = socket.socketpair()
TARGET = {"key": "value"}
FROZEN = interlock.freeze([{"id": 1, "parts": ("a", 2.5)}])
PIXELS = bytearray(256)

# What is sent, made anew for each message: by value, in whatever ways it crosses.
KINDS = {
    "int": lambda n: n,
    "large int": lambda n: n << 100,
    "float": lambda n: n / 3,
    "str": lambda n: f"text {n}",
    "bytes": lambda n: b"%d" % n,
    "bytearray": lambda n: bytearray(b"%d" % n),
    "tuple": lambda n: (n, "two", 3.0),
    "list": lambda n: [n, "two", [3.0]],
    "dict": lambda n: {"id": n, "name": f"name {n}"},
    "dicts of a shape": lambda n: [{"id": n, "name": "a"}, {"id": n, "name": "b"}],
    "set": lambda n: {n, "two"},
    "frozenset": lambda n: frozenset({n, "two"}),
    "cycle": cycle,
    "deque": lambda n: collections.deque([n, "two"]),
    "large deque": lambda n: collections.deque([str(n)] * 40),
    "array": lambda n: array.array("q", [n, 2]),
    "instance": Plain,
    "instance of a module": graph_maker.Plain,
    "dataclass": lambda n: Record(n, "name"),
    "named tuple": lambda n: Pair(n, "right"),
    "subclass of str": lambda n: Text(n),
    "frozen object": lambda n: FROZEN,
    "frozen objects": lambda n: [FROZEN, n],
    "many lists": lambda n: [[n] for _ in range(1100)],
    "member of an enum": lambda n: Color.RED,
    "datetime": lambda n: datetime.datetime.fromtimestamp(n, datetime.UTC),
    "Decimal": lambda n: decimal.Decimal(n),
    "OrderedDict": lambda n: collections.OrderedDict(key=n),
    "function": lambda n: doubled,
    "partial": lambda n: functools.partial(doubled, n),
    "closure": capturing,
    "class": class_of,
    "exception": failure,
    "memoryview": lambda n: memoryview(b"%d" % n),
    "memoryview of one bytearray": lambda n: memoryview(PIXELS)[n % 200 :],
    "PickleBuffer": lambda n: pickle.PickleBuffer(bytearray(b"%d" % n)),
    "buffer out of band": lambda n: Image(bytearray(64)),
    "Channel": lambda n: interlock.Channel(1),
    "Channel with an item": lambda n: filled(n),
    "Lock": lambda n: interlock.Lock(),
    "Proxy": lambda n: interlock.proxy(Plain(n)),
    "Proxy of one object": lambda n: interlock.proxy(TARGET),
    "socket": lambda n: ENDS[0].dup(),
    "Descriptor": lambda n: interlock.Descriptor(ENDS[0]),
}
MOVED = (
    "int", "str", "bytearray", "tuple", "list", "dict", "dicts of a shape", "set", "frozenset", "cycle", "deque",
    "large deque", "array", "instance", "frozen objects", "memoryview", "buffer out of band", "socket",
)  # fmt: skip
DROPPED = (
    "int", "str", "large int", "list", "dict", "set", "cycle", "large deque", "instance", "instance of a module", "frozen object",
    "closure", "memoryview", "buffer out of band", "Channel", "Proxy", "socket",
)  # fmt: skip


def filled(n):
    channel = interlock.Channel(1)
    channel.send([n, "item"])
    return channel


class Sending:
    """Messages of a kind to another interpreter, which drops them."""

    def __init__(self, peer, make, move=False):
        self.peer = peer
        self.make = make
        self.move = move
        self.channel = interlock.Channel(BATCH)

    def send(self, numbers):
        done = self.peer.submit(receive, self.channel, len(numbers))
        send, make, move = self.channel.send, self.make, self.move
        for n in numbers:
            send(make(n), LIMIT, move)
        done.result(LIMIT)


class Dropping(Sending):
    """Messages that nobody receives: of every other batch the channel is cancelled, else it becomes garbage."""

    def send(self, numbers):
        channel = interlock.Channel(None)
        for n in numbers:
            channel.send(self.make(n), move=self.move)
        if numbers[0] // BATCH % 2:
            channel.cancel()


class Refusing(Sending):
    """Objects that cannot leave, deep in others that can."""

    def send(self, numbers):
        for n in numbers:
            with contextlib.suppress(interlock.TransferError):
                self.channel.send([self.make(n), {"culprit": (each for each in ())}], move=self.move)
                raise AssertionError("a generator was sent")


class Failing(Sending):
    """Sends that find no room."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.channel = interlock.Channel(1)
        self.channel.send(None)

    def send(self, numbers):
        for n in numbers:
            with contextlib.suppress(interlock.ChannelFull):
                self.channel.try_send(self.make(n), move=self.move)
                raise AssertionError("there was no room")


class Many(Sending):
    def send(self, numbers):
        done = self.peer.submit(receive_many, self.channel, len(numbers))
        self.channel.send_many([self.make(n) for n in numbers], LIMIT)
        done.result(LIMIT)


class Calling(Sending):
    """As argument and result."""

    def send(self, numbers):
        for n in numbers:
            self.peer.call(returned, self.make(n))


class Raising(Sending):
    def send(self, numbers):
        for n in numbers:
            with contextlib.suppress(Failure):
                self.peer.call(raised, n)
                raise AssertionError("nothing was raised")


class PassingOn(Sending):
    """One object that is moved there and back."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.back = interlock.Channel(1)
        self.box = [self.make(0)]

    def send(self, numbers):
        done = self.peer.submit(pass_back, self.channel, self.back, len(numbers))
        for _ in numbers:
            self.channel.send(self.box, LIMIT, True)
            self.box = self.back.recv(LIMIT)
        done.result(LIMIT)


class UsingProxy(Sending):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.proxy = self.peer.call(proxied)

    def send(self, numbers):
        for n in numbers:
            self.proxy.value = self.make(n)
            len(self.proxy.value)


def receive(channel, count):
    for _ in range(count):
        channel.recv(LIMIT)


def receive_many(channel, count):
    while count:
        count -= len(channel.recv_many(count, LIMIT))


def pass_back(channel, back, count):
    for _ in range(count):
        back.send(channel.recv(LIMIT), LIMIT, True)


def returned(obj):
    return obj


def raised(n):
    raise Failure(n, "of many")


def proxied():
    return interlock.proxy(Plain([]))


def senders(peer):
    """{name: what sends}."""
    made = {name: Sending(peer, make) for name, make in KINDS.items()}
    made |= {f"moved {name}": Sending(peer, KINDS[name], move=True) for name in MOVED}
    made |= {f"{name}, not received": Dropping(peer, KINDS[name]) for name in DROPPED}
    made |= {f"moved {name}, not received": Dropping(peer, KINDS[name], move=True) for name in DROPPED if name in MOVED}
    for move, prefix in ((False, ""), (True, "moved ")):
        made[f"{prefix}list, refused"] = Refusing(peer, KINDS["list"], move)
        made[f"{prefix}instance, refused"] = Refusing(peer, KINDS["instance"], move)
        made[f"{prefix}list, no room"] = Failing(peer, KINDS["list"], move)
        made[f"{prefix}instance, no room"] = Failing(peer, KINDS["instance"], move)
    made["dict by send_many"] = Many(peer, KINDS["dict"])
    made["dict by call"] = Calling(peer, KINDS["dict"])
    made["exception of a call"] = Raising(peer, None)
    made["dict passed on"] = PassingOn(peer, KINDS["dict"])
    made["buffer passed on"] = PassingOn(peer, KINDS["buffer out of band"])
    made["list by proxy"] = UsingProxy(peer, KINDS["list"])
    return made


def private_memory():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024


def state(peer):
    """(bytes, open descriptors), when what can go has gone."""
    for _ in range(2):
        peer.call(gc.collect)
        gc.collect()
    return private_memory(), len(os.listdir("/proc/self/fd"))


def grown(peer, sender, messages):
    """(bytes, descriptors) that messages of a kind leave behind, each as three times the least of three thirds."""
    done = 0
    states = []
    for end in (messages // 10, messages * 4 // 10, messages * 7 // 10, messages):
        while done < end:
            sender.send(range(done, done + BATCH))
            done += BATCH
        states.append(state(peer))
    return tuple(3 * min(after - before for before, after in pairwise(values)) for values in zip(*states))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("kinds", nargs="*")
    options = parser.parse_args()
    failed = 0
    with interlock.Interpreter() as peer:
        all_senders = senders(peer)
        chosen = options.kinds or list(all_senders)
        print(f"1..{len(chosen)}", flush=True)
        for index, name in enumerate(chosen, 1):
            start = time.monotonic()
            memory, descriptors = grown(peer, all_senders.pop(name), options.messages)
            is_flat = memory <= 5e5 + 4 * options.messages and descriptors <= 0
            failed += not is_flat
            rate = options.messages / (time.monotonic() - start)
            print(
                f"{'ok' if is_flat else 'not ok'} {index} - {name} # {memory / 1e6:+.1f} MB, {descriptors:+d} descriptors,"
                f" {rate:,.0f}/s",
                flush=True,
            )
    return failed != 0


if __name__ == "__main__":
    import leaks  # by its name, so that what it defines is found in both interpreters

    raise SystemExit(leaks.main())
