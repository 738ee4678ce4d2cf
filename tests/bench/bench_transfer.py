# SPDX-License-Identifier: MIT
"""What it takes to bring objects to another interpreter, beside pickle, the stock queue and memcpy.

    interlock tests/bench/bench_transfer.py [--rounds=N] [--size=BYTES]

A figure is the time of the sender's thread in send() or put() plus that of the receiver's in recv() or get(), without
what either waits for the other: the message is there when it is received. Every way takes its turn in every
round; figures are medians of the rounds, ratios medians of the ratios within a round. docs/performance-transfer.md
explains the rows.
"""

import argparse
import dataclasses
import gc
import pickle
import statistics
import sys
import time

import interlock

try:
    from concurrent import interpreters as stock
except ImportError:
    try:
        from test.support import interpreters as stock  # 3.13 has it among its tests
        from test.support.interpreters import queues as stock_queues
    except ImportError:
        stock = None
else:
    stock_queues = stock
HAS_SYNCOBJ = sys.version_info < (3, 14)  # 3.13 pickles all or nothing, as its queue was told

RECORDS = 100_000
NODES = 1 << 19  # of the tree: a list and an int each
BATCH = 200  # small messages on their way at a time
BATCHES = 20  # of them in a round: one alone finds cold caches, and is over before clocks tell much
HOPS = 50  # of a large object in a round
clock = time.perf_counter


@dataclasses.dataclass
class Person:
    """Found by name in both interpreters, because pickle needs that."""

    number: int
    name: str
    score: float
    active: bool
    city: str


def records():
    return [
        {
            "id": i,
            "name": "user%d" % i,
            "tags": ("a", "b", "c%d" % i),
            "score": i * 0.5,
            "nested": [i, i + 1_000_000, {"k": b"x" * (i % 50)}],
        }
        for i in range(RECORDS)
    ]


def tree(depth, number=1 << 40):
    """A binary tree of lists [number, left, right], each number an object of its own."""
    if depth == 0:
        return [number, None, None]
    return [number, tree(depth - 1, 2 * number + 1), tree(depth - 1, 2 * number + 2)]


# What a receiver runs: the seconds that it takes to receive, once the messages are there.


def receive(channel, count):
    start = clock()
    for _ in range(count):
        _received = channel.recv()
    return clock() - start


def load(channel):
    dumped = channel.recv()
    start = clock()
    for item in dumped:
        _loaded = pickle.loads(item)
    return clock() - start


def receive_from_stock(queue_id, count):
    queue = stock_queues.Queue(queue_id)
    start = clock()
    for _ in range(count):
        _received = queue.get_nowait()
    return clock() - start


def hop(channel):
    """Receives a box of one object and sends it on, moved."""
    start = clock()
    box = channel.recv()
    channel.send(box, move=True)
    return clock() - start


class Ways:
    """Each gives the seconds for one message of `make()`; what `make` takes does not count. `call` makes the
    receiver's calls."""

    def __init__(self, call):
        self.call = call
        self.channel = interlock.Channel(BATCH)
        self.queue = stock.create_queue(maxsize=BATCH) if stock else None
        self.sizes = {}
        self.growth = 0  # of the memory of the process while large objects hopped

    def copied(self, make, count):
        items = [make() for _ in range(count)]
        send = self.channel.send
        start = clock()
        for item in items:
            send(item)
        sent = clock() - start
        del items, item
        return (sent + self.call(receive, self.channel, count)) / count

    def sent_moved(self, make):
        item = make()
        start = clock()
        self.channel.send(item, move=True)
        return clock() - start

    def moved(self, make, count):
        return self.sent_moved(make) + self.call(receive, self.channel, 1)

    def moved_sender(self, make, count):
        sent = self.sent_moved(make)
        self.call(receive, self.channel, 1)
        return sent

    def copied_int(self, make, count):
        return self.copied(lambda: 7000, count)

    def hopping(self, make, count):
        """There and back, several times: an object of any size should take microseconds."""
        box = [make()]
        times = []
        before = memory("VmRSS")
        forget_peak()
        for _ in range(HOPS):
            start = clock()
            self.channel.send(box, move=True)
            sent = clock() - start
            there = self.call(hop, self.channel)
            start = clock()
            box = self.channel.recv()
            times.append((sent + there + clock() - start) / 2)
        self.growth = max(self.growth, memory("VmHWM") - before)
        return statistics.median(times)

    def pickled(self, make, count):
        items = [make() for _ in range(count)]
        dumped = []
        start = clock()
        for item in items:
            dumped.append(pickle.dumps(item, 5))
        sent = clock() - start
        del items, item
        self.channel.send(dumped, move=True)
        return (sent + self.call(load, self.channel)) / count

    def dumped(self, make, count):
        item = make()
        start = clock()
        _dumped = pickle.dumps(item, 5)
        return clock() - start

    def stock_queue(self, make, count, **options):
        items = [make() for _ in range(count)]
        put = self.queue.put
        start = clock()
        for item in items:
            put(item, **options)
        sent = clock() - start
        del items, item
        return (sent + self.call(receive_from_stock, self.queue.id, count)) / count

    def stock_encoding(self, make, count, **options):
        """The queue's time for the object less its time for nothing."""
        nothing = {"syncobj": True} if HAS_SYNCOBJ else {}
        return self.stock_queue(make, count, **options) - self.stock_queue(lambda: None, count, **nothing)

    def stock_sharing(self, make, count):
        return self.stock_encoding(make, count, syncobj=True)

    def memcpy(self, make, count):
        size = self.sizes.get(make)
        if size is None:
            size = self.sizes[make] = len(pickle.dumps(make(), 5))
        source, target = memoryview(bytearray(size)), memoryview(bytearray(size))
        target[:] = source  # the pages are there
        start = clock()
        for _ in range(count):
            target[:] = source
        return (clock() - start) / count


NAMES = {
    "moved": "moved",
    "moved_sender": "moved, the sender's part",
    "hopping": "moved",
    "copied": "copied",
    "copied_int": "int",
    "pickled": "pickle, dumps and loads",
    "dumped": "pickle, dumps",
    "stock_queue": "stock queue",
    "stock_encoding": "stock queue, encoding alone",
    "stock_sharing": "the same with syncobj=True",
    "memcpy": "floor: memcpy",
}
PLAIN = ("copied", "pickled", "stock_queue", "stock_encoding")


@dataclasses.dataclass
class Row:
    name: str
    make: object
    ways: tuple
    goals: tuple = ()  # (way, other way, times as fast at least) or (way, seconds at most)
    count: int = 1  # messages on their way at a time
    most_rounds: int = 1000
    is_here: bool = False  # the receiver is in the same interpreter


def large(name, make, size, is_here=False):
    ways = ("hopping", "pickled", "stock_queue", "memcpy")
    return Row(f"{name} of {size / 1e9:g} GB", make, ways, (("hopping", 20e-6),), most_rounds=3, is_here=is_here)


def small(name, make, *more):
    goals = tuple(("copied", other, 5) for other in ("stock_encoding", *more)) + (("copied", "pickled", 1),)
    return Row(name, make, (*PLAIN, *more, "memcpy"), goals, BATCH)


def rows(size):
    yield Row(
        f"list of {RECORDS:,} dicts",
        records,
        ("moved", "copied", "pickled", "stock_queue", "memcpy"),
        (("moved", "pickled", 10), ("copied", "pickled", 3)),
    )
    yield Row(
        f"tree of {2 * NODES - 2:,} objects",
        lambda: tree(NODES.bit_length() - 2),
        ("moved_sender", "moved", "copied", "dumped", "pickled", "memcpy"),
        (("moved_sender", "dumped", 10),),
    )
    yield small("tuple of 3", lambda: (7000, "seven", 7.5), *(("stock_sharing",) if HAS_SYNCOBJ else ()))
    yield small("dict of 3", lambda: {"id": 7000, "name": "seven", "score": 7.5})
    yield small("dataclass of 5 fields", lambda: Person(7000, "Ada", 7.5, True, "London"))
    if hasattr(interlock, "freeze"):
        frozen = interlock.freeze(records())
        yield Row(
            f"frozen list of {RECORDS:,} dicts",
            lambda: frozen,
            ("copied", "copied_int"),
            (("copied", "copied_int", 1),),
            BATCH,
        )
    else:
        print("# frozen structures are left out: no interlock.freeze() here")
    yield large("bytes", lambda: b"\1" * size, size)
    yield large("bytearray", lambda: bytearray(b"\1") * size, size)
    try:
        import numpy
    except ImportError:
        print("# ndarray is left out: no NumPy here")
    else:  # which so far loads in the main interpreter only
        yield large("ndarray", lambda: numpy.ones(size, numpy.uint8), size, is_here=True)


def memory(field):
    """VmRSS or VmHWM (the highest VmRSS so far), in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def measure(row, ways, rounds):
    """{way: seconds, one for each round}; a way that cannot do it is left out."""
    names = [way for way in row.ways if ways.queue or not way.startswith("stock")]
    times = {way: [] for way in names}
    for turn in range(min(rounds, row.most_rounds)):
        for way in names[turn % len(names) :] + names[: turn % len(names)]:
            gc.collect()
            batches = BATCHES if row.count > 1 else 1
            times[way].append(statistics.fmean(getattr(ways, way)(row.make, row.count) for _ in range(batches)))
    return times


def ratio(times, way, other):
    """How many times faster than `other` it is."""
    return statistics.median(there / here for here, there in zip(times[way], times[other], strict=True))


def shown(seconds):
    unit, size = next(each for each in (("s", 1), ("ms", 1e-3), ("µs", 0)) if seconds >= each[1])
    return f"{seconds / (size or 1e-6):.3g} {unit}"


def table_of(row, times):
    ours = row.ways[0]
    for way, values in times.items():
        faster = f"{ratio(times, ours, way):.2f}" if way != ours else ""
        spread = statistics.quantiles(values, n=4) if len(values) > 1 else [0, 0, 0]
        half = (spread[2] - spread[0]) / 2 / statistics.median(values)
        yield [row.name if way == ours else "", NAMES[way], shown(statistics.median(values)), f"±{half:.0%}", faster]


def verdicts_of(row, times, growth):
    for way, against, *least in row.goals:
        what = f"{row.name}, {NAMES[way]}"
        if not least:
            reached = statistics.median(times[way])
            yield [what, f"under {shown(against)}", shown(reached), reached < against]
            yield [what, "no growth of memory", f"{growth / 1e6:.1f} MB", growth < 1e6]
        elif against in times:
            reached = ratio(times, way, against)
            goal = f"{least[0]} times as fast as {NAMES[against]}"
            yield [what, goal.removeprefix("1 times "), f"{reached:.2f} times", reached >= least[0]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=10**9, help="bytes of the large objects")
    options = parser.parse_args()
    print(f"# CPython {sys.version.split()[0]}")
    if not interlock.features["move"]:
        print("# objects cannot move with this allocator: moves are copies")
    verdicts = []
    line = "{:<36}{:<30}{:>10}{:>7}{:>18}"
    print(line.format("", "", "a message", "", "ours is faster by"))
    with interlock.Interpreter() as peer:
        for row in rows(options.size):
            ways = Ways((lambda function, *args: function(*args)) if row.is_here else peer.call)
            times = measure(row, ways, options.rounds)
            for cells in table_of(row, times):
                print(line.format(*cells), flush=True)
            verdicts += verdicts_of(row, times, ways.growth)
    print()
    for what, goal, reached, is_met in verdicts:
        print(f"{what:<52}{goal:<54}{reached:>12}  {'met' if is_met else 'NOT MET'}")


if __name__ == "__main__":
    import bench_transfer  # by its name, so that pickle finds what it defines in both interpreters

    bench_transfer.main()
