# SPDX-License-Identifier: MIT
"""What `make bench-channel` measures: the figures, who takes part in each, and what is asked of ours.

A group is measured in one go of every round, so that its floors and peers see the same machine. The first
floor is the one that ratios are taken of.
"""

from collections.abc import Callable
from dataclasses import dataclass

PLACEMENTS = ("split", "same", "unpinned")


@dataclass(frozen=True)
class Row:
    """One line of the table: `peer` is what the program calls itself."""

    peer: str
    program: str
    scenario: str
    label: str = ""

    @property
    def name(self):
        return self.label or self.peer


@dataclass
class Group:
    title: str
    floors: list[Row]
    rows: list[Row]
    layer: str = "C++"
    longer: float = 1.0  # than the other figures, to be measured as well


@dataclass(frozen=True)
class Target:
    """`test(group figures)` gives what was reached, as text, and whether that is enough."""

    figure: str
    asked: str
    group: str  # its title
    test: Callable


LINE = Row("cacheline", "cacheline", "roundtrip", "cache line, there and back")
FUTEX = Row("futex", "futex", "roundtrip", "futex, there and back")
IDLE_FUTEX = Row("futex", "futex", "roundtrip-idle", "futex, there and back, from idle")
BARE = Row("bare-mpmc", "mpmc", "stream-1p1c-1024", "bare MPMC ring, spinning")
BARE_SPSC = Row("bare-spsc", "spsc", "stream-1p1c-1024", "bare SPSC ring, spinning")

NAMES = {
    "go": "Go, goroutines",
    "go-locked": "Go, an OS thread each",
    "rust-std": "Rust std::sync::mpsc",
    "crossbeam": "crossbeam-channel",
    "erlang": "Erlang processes",
    "moodycamel": "moodycamel::BlockingConcurrentQueue",
    "boost": "boost::lockfree::queue, spinning",
    "boost-spsc": "boost::lockfree::spsc_queue, spinning",
    "tbb": "tbb::concurrent_bounded_queue",
    "condvar": "std::mutex, condition_variable, deque",
}
PEERS = tuple(NAMES)


def peer_rows(scenario, peers=PEERS):
    return [Row(peer, peer, scenario, NAMES[peer]) for peer in peers]


def stream_group(pairs, capacity):
    scenario = f"stream-{pairs}p{pairs}c-{capacity}"
    size = {"0": "rendezvous", "unbounded": "unbounded"}.get(capacity, f"capacity {capacity}")
    if capacity in ("1024", "64", "unbounded"):
        like = scenario.replace("unbounded", "1024")
        floors = [Row("bare-mpmc", "mpmc", like, BARE.label)]
        if pairs == 1:
            floors.append(Row("bare-spsc", "spsc", like, BARE_SPSC.label))
    elif capacity == "1" and pairs == 1:
        floors = [Row("bare-spsc", "spsc", scenario, BARE_SPSC.label), LINE]
    else:
        floors = [LINE]
    only_one_to_one = ("rust-std", "boost-spsc", "erlang")
    peers = [peer for peer in PEERS if pairs == 1 or peer not in only_one_to_one]
    people = "1 sender, 1 receiver" if pairs == 1 else f"{pairs} senders, {pairs} receivers"
    ours = Row("interlock", "interlock", scenario)
    return Group(f"stream, {people}, {size}", floors, [ours, *peer_rows(scenario, peers)])


def cpp_groups():
    groups = [stream_group(pairs, size) for pairs in (1, 2) for size in ("1024", "64", "1", "0", "unbounded")]
    unbounded = "moodycamel, unbounded"
    return [
        *groups,
        Group(
            "batches of 64, 1 sender, 1 receiver, capacity 1024",
            [BARE, BARE_SPSC],
            [
                Row("interlock", "interlock", "batch-1p1c-1024"),
                Row("moodycamel", "moodycamel", "batch-1p1c-unbounded", unbounded),
            ],
        ),
        Group(
            "select over 2 channels, 1 sender, capacity 1024",
            [BARE],
            [Row("interlock", "interlock", "select-1024"), *peer_rows("select-1024", ("crossbeam", "go", "go-locked"))],
        ),
        Group(
            "round trip, spinning",
            [LINE],
            [
                Row("interlock", "interlock", "roundtrip-spinning"),
                *peer_rows("roundtrip", ("crossbeam", "go", "erlang", "moodycamel", "boost", "boost-spsc")),
            ],
        ),
        Group(
            "round trip, parked",
            [FUTEX],
            [
                Row("interlock", "interlock", "roundtrip-parked"),
                *peer_rows("roundtrip", ("rust-std", "go-locked", "tbb", "condvar")),
            ],
            longer=2,
        ),
        Group(
            "round trip, each side idle before",
            [IDLE_FUTEX],
            [
                Row("interlock", "interlock", "roundtrip-idle"),
                *peer_rows(
                    "roundtrip-idle", ("crossbeam", "rust-std", "go", "go-locked", "moodycamel", "tbb", "condvar")
                ),
            ],
            longer=2,
        ),
    ]


STOCK = {
    "SimpleQueue": "queue.SimpleQueue, threads of one interpreter",
    "interpreters.Queue": "concurrent.interpreters.Queue, two interpreters",
    "mp.Pipe": "multiprocessing.Pipe, two processes",
    "mp.Queue": "multiprocessing.Queue, two processes",
    "os.pipe": "os.pipe, two interpreters",
}


def python_rows(scenario, ours, names):
    return [Row(peer, f"python-{peer}", scenario, label) for peer, label in {"interlock": ours, **names}.items()]


def asyncio_group(scenario, title):
    peers = {
        "call_soon_threadsafe": "call_soon_threadsafe, loops of two threads",
        "asyncio.Queue": "asyncio.Queue in one loop",
    }
    names = {"interlock-threads": "asend, arecv, loops of two threads", **peers}
    rows = python_rows(scenario, "asend, arecv, loops of two interpreters", names)
    # uvloop cannot be imported in an interpreter of its own.
    return Group(title, [FUTEX], rows[1:] if scenario.endswith("uvloop") else rows, "Python", longer=2)


def python_groups():
    batches = Row("interlock", "python-interlock", "py-batches", "interlock, send_many and recv_many of 64")
    stream = python_rows("py-stream", "interlock, one by one", STOCK)
    return [
        Group("Python: stream of ints", [BARE], [stream[0], batches, *stream[1:]], "Python", longer=2),
        Group(
            "Python: round trip of an int, spinning",
            [LINE],
            python_rows("py-roundtrip-spinning", "interlock, two interpreters", STOCK),
            "Python",
        ),
        Group(
            "Python: round trip of an int, each side idle before",
            [IDLE_FUTEX],
            python_rows("py-roundtrip-parked", "interlock, two interpreters", STOCK),
            "Python",
            longer=2,
        ),
        asyncio_group("aio-roundtrip", "asyncio: round trip between loops"),
        asyncio_group("aio-roundtrip-uvloop", "asyncio on uvloop: round trip between loops"),
    ]


def groups():
    return cpp_groups() + python_groups()


# The tests of targets take `ratio(peer of ours, other peer)` and `ns(peer)`, both with threads on two
# processors; either is None where something was not measured.


def either_twice_crossbeam_or_near_a_ring(ratio, ns):
    gain = ratio("crossbeam", "interlock")
    loss = ratio("interlock", "bare-mpmc")
    spsc = ratio("interlock", "bare-spsc")
    if loss is None:
        return None
    text = f"{loss:.2f} times the bare MPMC ring ({spsc:.2f} times the SPSC one)"
    if gain is not None:
        text = f"{gain:.2f} times crossbeam's rate, {text}"
    return text, loss <= 1.3 or (gain or 0) >= 2


def at_most(limit, floor):
    def test(ratio, ns):
        reached = ratio("interlock", floor)
        return None if reached is None else (f"{reached:.2f} times", reached <= limit)

    return test


def under_ns(limit, floor):
    def test(ratio, ns):
        reached = ns("interlock")
        if reached is None:
            return None
        beside = ", the floor alone " + f"{ns(floor) / 1e3:,.2f}" if ns(floor) else ""
        return f"{reached / 1e3:,.2f} µs{beside}", reached < limit

    return test


def faster_than(peer, times=1.0, scenario=None):
    def test(ratio, ns):
        gain = ratio(peer, ("interlock", scenario) if scenario else "interlock")
        return None if gain is None else (f"{gain:.2f} times", gain > times)

    return test


TARGETS = [
    Target(
        "C++, stream, 1 sender, 1 receiver, bounded 1024",
        "2 times crossbeam's rate, or within 1.3 times of a bare ring",
        "stream, 1 sender, 1 receiver, capacity 1024",
        either_twice_crossbeam_or_near_a_ring,
    ),
    Target(
        "C++, round trip, both spinning",
        "1.5 times the cache line",
        "round trip, spinning",
        at_most(1.5, "cacheline"),
    ),
    Target("C++, round trip, both parked", "1.2 times the futex", "round trip, parked", at_most(1.2, "futex")),
    Target(
        "Python, round trip of an int, spinning",
        "under 1 µs",
        "Python: round trip of an int, spinning",
        under_ns(1_000, "cacheline"),
    ),
    Target(
        "Python, round trip of an int, parked",
        "under 14 µs",
        "Python: round trip of an int, each side idle before",
        under_ns(14_000, "futex"),
    ),
    Target(
        "Python, stream of ints",
        "faster than queue.SimpleQueue between threads",
        "Python: stream of ints",
        faster_than("SimpleQueue", 1.0, "py-stream"),
    ),
    Target(
        "Python, stream of ints, batches of 64",
        "10 times faster than queue.SimpleQueue between threads",
        "Python: stream of ints",
        faster_than("SimpleQueue", 10.0, "py-batches"),
    ),
    Target(
        "asyncio, round trip",
        "faster than call_soon_threadsafe",
        "asyncio: round trip between loops",
        faster_than("call_soon_threadsafe"),
    ),
]
