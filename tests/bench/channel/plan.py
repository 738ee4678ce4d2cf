# SPDX-License-Identifier: MIT
"""What `make bench-channel` measures: the figures, who takes part in each, and what the issue asks of ours.

A group is measured together, in one go of every round, so that its floors and peers see the same
machine. A program is run as `ARGUMENTS... MILLISECONDS CPUS SCENARIO` and prints `peer scenario placement ns`.
"""

from dataclasses import dataclass, field

PLACEMENTS = ("split", "same", "unpinned")


@dataclass(frozen=True)
class Row:
    """One line of the table: who, by which program, in which scenario."""

    peer: str
    program: str
    scenario: str
    label: str = ""  # what to call it, if not the peer


@dataclass
class Group:
    title: str
    floors: list[Row]
    rows: list[Row]
    layer: str = "C++"
    placements: tuple[str, ...] = PLACEMENTS
    budget: float = 1.0  # of the milliseconds asked for: slow figures need more


@dataclass
class Target:
    """What is asked for: every test in `any_of` has a name and a function of figures(who, floor or peer)."""

    figure: str
    asked: str
    any_of: list = field(default_factory=list)


# Program names of peers that are not C++ of ours; run.py knows how to start them and why one cannot.
OURS, FLOORS = "ours", "floors"
STREAM_PEERS = ("crossbeam", "rust-std", "go", "go-locked", "erlang", "moodycamel", "boost", "tbb", "condvar")
MPMC_PEERS = ("crossbeam", "go", "go-locked", "moodycamel", "boost", "tbb", "condvar")
ROUND_TRIP_PEERS = STREAM_PEERS
CAPACITY_NAMES = {"0": "rendezvous", "unbounded": "unbounded"}


def capacity_name(capacity):
    return CAPACITY_NAMES.get(capacity, f"capacity {capacity}")


def stream_floors(pairs, capacity):
    scenario = f"stream-{pairs}p{pairs}c-{capacity}"
    if capacity == "0":
        return [Row("cacheline", "cacheline", "roundtrip", "cache line, there and back")]
    if capacity == "unbounded":
        scenario = f"stream-{pairs}p{pairs}c-1024"
    mpmc = Row("bare-mpmc", "mpmc", scenario, "bare MPMC ring")
    spsc = Row("bare-spsc", "spsc", scenario, "bare SPSC ring")
    if capacity == "1":
        return [spsc] if pairs == 1 else [Row("cacheline", "cacheline", "roundtrip", "cache line, there and back")]
    return [mpmc, spsc] if pairs == 1 else [mpmc]


def stream_group(pairs, capacity):
    scenario = f"stream-{pairs}p{pairs}c-{capacity}"
    peers = STREAM_PEERS if pairs == 1 else MPMC_PEERS
    people = f"{pairs} sender{'s' * (pairs > 1)}, {pairs} receiver{'s' * (pairs > 1)}"
    return Group(
        f"stream, {people}, {capacity_name(capacity)}",
        stream_floors(pairs, capacity),
        [Row(peer, peer, scenario) for peer in ("interlock", *peers)],
    )


def cpp_groups():
    groups = [stream_group(pairs, capacity) for pairs in (1, 2) for capacity in ("1024", "64", "1", "0", "unbounded")]
    bare = [Row("bare-mpmc", "mpmc", "stream-1p1c-1024", "bare MPMC ring"), Row("bare-spsc", "spsc", "stream-1p1c-1024", "bare SPSC ring")]
    groups.append(
        Group(
            "batches of 64, 1 sender, 1 receiver, capacity 1024",
            bare,
            [Row("interlock", "interlock", "batch-1p1c-1024"), Row("moodycamel", "moodycamel", "batch-1p1c-1024")],
        )
    )
    groups.append(
        Group(
            "select over 2 channels, 1 sender, capacity 1024",
            bare[:1],
            [Row(peer, peer, "select-1024") for peer in ("interlock", "crossbeam", "go", "go-locked")],
        )
    )
    groups.append(
        Group(
            "round trip, spinning",
            [Row("cacheline", "cacheline", "roundtrip", "cache line")],
            [Row("interlock", "interlock", "roundtrip-spinning")]
            + [Row(peer, peer, "roundtrip") for peer in ("crossbeam", "go", "moodycamel", "boost")],
        )
    )
    groups.append(
        Group(
            "round trip, parked",
            [Row("futex", "futex", "roundtrip", "futex")],
            [Row("interlock", "interlock", "roundtrip-parked")]
            + [Row(peer, peer, "roundtrip") for peer in ("rust-std", "go-locked", "erlang", "tbb", "condvar")],
            budget=2.0,
        )
    )
    return groups
