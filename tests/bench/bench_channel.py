# SPDX-License-Identifier: MIT
"""Channels from Python, and what stock CPython has instead: one measurement of `make bench-channel`.

    interlock tests/bench/bench_channel.py PEER MILLISECONDS CPUS SCENARIO

Prints `peer scenario placement ns` as the other programs do (tests/bench/channel/harness.hpp). The
two workers are threads, interpreters or processes; each takes the time itself.
"""

import asyncio
import os
import queue
import sys
import threading
import time

import interlock

CAPACITY = 1024
BATCH = 64
FIRST = 2000  # no singletons of CPython's
HOLD_SECONDS = 0.0002  # longer than anything spins
IDLE_TRIP_NS = 600_000  # about, with both sleeps
START_NS = 3_000_000  # until both workers are ready
FORK_NS = 25_000_000


# What a worker does: each returns a check sum.


def produce(send, recv, count):
    for number in range(1, count + 1):
        send(number)
    return 0


def consume(send, recv, count):
    total = 0
    for _ in range(count):
        total += recv()
    return total - count * (count + 1) // 2


def produce_batches(send_many, recv_many, count):
    """The same list again and again: what it takes to make one is not the channel's. No cached ints."""
    numbers = list(range(FIRST, FIRST + BATCH))
    for _ in range(count // BATCH):
        send_many(numbers)
    return 0


def consume_batches(send_many, recv_many, count):
    wrong = taken = 0
    while taken < count:
        numbers = recv_many(BATCH)
        wrong += numbers[0] != FIRST + taken % BATCH
        taken += len(numbers)
        wrong += numbers[-1] != FIRST + (taken - 1) % BATCH
    return wrong


def ask(send, recv, count):
    wrong = 0
    for number in range(count):
        send(number)
        wrong += recv() != number
    return wrong


def answer(send, recv, count):
    for _ in range(count):
        send(recv())
    return 0


def ask_late(send, recv, count):
    """Both sides are asleep when a number comes: the answer is how long it was held."""
    total = 0
    for number in range(count):
        time.sleep(HOLD_SECONDS)
        start = time.perf_counter_ns()
        send(number)
        held = recv()
        total += time.perf_counter_ns() - start - held
    return total


def answer_late(send, recv, count):
    for _ in range(count):
        recv()
        start = time.perf_counter_ns()
        time.sleep(HOLD_SECONDS)
        send(time.perf_counter_ns() - start)
    return 0


async def ask_awaiting(send, recv, count):
    wrong = 0
    for number in range(count):
        await send(number)
        wrong += await recv() != number
    return wrong


async def answer_awaiting(send, recv, count):
    for _ in range(count):
        await send(await recv())
    return 0


# How a worker sends and receives.


def stock_queues():
    """The module with the queues between interpreters of this CPython."""
    try:
        import concurrent.interpreters._queues as queues  # 3.14
    except ImportError:
        import test.support.interpreters.queues as queues
    return queues


def open_queue(number):
    return stock_queues().Queue(number)


def ends(kind, out, back):
    """send to `out`, and recv from `back`."""
    if kind == "interlock":
        return out.send, back.recv
    if kind == "interlock-batches":
        return out.send_many, back.recv_many
    if kind == "interlock-await":
        return out.asend, back.arecv
    if kind == "SimpleQueue":
        return out.put, back.get
    if kind == "interpreters.Queue":
        return open_queue(out).put, open_queue(back).get
    if kind == "mp.Pipe":
        return out[1].send, back[0].recv
    if kind == "mp.Queue":
        return out.put, back.get
    if kind == "os.pipe":
        return (
            lambda number: os.write(out[1], number.to_bytes(8)),
            lambda: int.from_bytes(os.read(back[0], 8)),
        )
    raise SystemExit(f"no such peer: {kind}")


def make(kind, capacity):
    """What `ends` opens; crosses to where the workers of this kind run."""
    if kind.startswith("interlock"):
        return interlock.Channel(capacity)
    if kind == "SimpleQueue":
        return queue.SimpleQueue()
    if kind == "interpreters.Queue":
        made = stock_queues().create()
        KEPT.append(made)
        return made.id
    if kind == "os.pipe":
        return os.pipe()
    import multiprocessing

    context = multiprocessing.get_context("fork")
    return context.Pipe(duplex=False) if kind == "mp.Pipe" else context.Queue()


KEPT = []


def new_loop(loop):
    if loop == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def work(body, kind, out, back, count, cpu, start_at, loop):
    """The begin, the end and the check sum of one worker."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    send, recv = ends(kind, out, back)
    if loop is None:
        time.sleep(max(0, start_at - time.perf_counter_ns()) / 1e9)
        begin = time.perf_counter_ns()
        result = body(send, recv, count)
        return begin, time.perf_counter_ns(), result
    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        runner.run(asyncio.sleep(max(0, start_at - time.perf_counter_ns()) / 1e9))
        begin = time.perf_counter_ns()
        result = runner.run(body(send, recv, count))
        return begin, time.perf_counter_ns(), result


# Where workers run.


def in_threads(jobs):
    results = [None] * len(jobs)

    def run(i):
        results[i] = work(*jobs[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def in_interpreters(jobs):
    while len(INTERPRETERS) < len(jobs):
        INTERPRETERS.append(interlock.Interpreter())
    futures = [interpreter.submit(work, *job) for interpreter, job in zip(INTERPRETERS, jobs)]
    return [future.result() for future in futures]


INTERPRETERS = []


def in_processes(jobs):
    import multiprocessing

    context = multiprocessing.get_context("fork")
    answers = []
    for job in jobs:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=lambda sender=sender, job=job: sender.send(work(*job)))
        process.start()
        answers.append((process, receiver))
    results = [receiver.recv() for _, receiver in answers]
    for process, _ in answers:
        process.join()
    return results


# Peers: what they send through, and where their workers run.
PEERS = {
    "interlock": ("interlock", in_interpreters),
    "interlock-threads": ("interlock", in_threads),
    "SimpleQueue": ("SimpleQueue", in_threads),
    "interpreters.Queue": ("interpreters.Queue", in_interpreters),
    "mp.Pipe": ("mp.Pipe", in_processes),
    "mp.Queue": ("mp.Queue", in_processes),
    "os.pipe": ("os.pipe", in_interpreters),
}


def timed(results):
    if any(result for _, _, result in results):
        raise SystemExit("wrong result")
    return max(end for _, end, _ in results) - min(begin for begin, _, _ in results)


def pair(where, kinds, bodies, channels, count, cpus, loop=None):
    """Runs both workers: the first sends to channels[0], the second to channels[-1]."""
    start_at = time.perf_counter_ns() + (FORK_NS if where is in_processes else START_NS)
    out, back = channels[0], channels[-1]
    return where(
        [
            (bodies[0], kinds, out, back, count, cpus[0], start_at, loop),
            (bodies[1], kinds, back, out, count, cpus[1], start_at, loop),
        ]
    )


def measure_once(peer, scenario, count, cpus):
    """Nanoseconds of `count` messages or trips."""
    kind, where = PEERS[peer]
    if scenario == "py-stream":
        return timed(pair(where, kind, (produce, consume), [make(kind, CAPACITY)], count, cpus))
    if scenario == "py-batches":
        return timed(
            pair(where, f"{kind}-batches", (produce_batches, consume_batches), [make(kind, CAPACITY)], count, cpus)
        )
    both = [make(kind, CAPACITY), make(kind, CAPACITY)]
    if scenario == "py-roundtrip-spinning":
        return timed(pair(where, kind, (ask, answer), both, count, cpus))
    if scenario == "py-roundtrip-parked":
        return pair(where, kind, (ask_late, answer_late), both, count, cpus)[0][2]
    loop = "uvloop" if scenario == "aio-roundtrip-uvloop" else "default"
    return timed(pair(where, f"{kind}-await", (ask_awaiting, answer_awaiting), both, count, cpus, loop))


# asyncio as it comes.


def call_soon_threadsafe(count, cpus, loop):
    """A number to the loop of another thread and back."""
    loops = [new_loop(loop), new_loop(loop)]
    waiting = [each.create_future() for each in loops]
    times = {}

    def give(side, number):
        waiting[side].set_result(number)

    async def side(me):
        if cpus[me] is not None:
            os.sched_setaffinity(0, {cpus[me]})
        other = loops[1 - me]
        await asyncio.sleep(START_NS / 1e9)
        begin = time.perf_counter_ns()
        for number in range(count):
            if me == 0:
                other.call_soon_threadsafe(give, 1, number)
            number = await waiting[me]
            waiting[me] = loops[me].create_future()
            if me == 1:
                other.call_soon_threadsafe(give, 0, number)
        times[me] = begin, time.perf_counter_ns()

    threads = [threading.Thread(target=loops[me].run_until_complete, args=(side(me),)) for me in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in loops:
        each.close()
    return max(end for _, end in times.values()) - min(begin for begin, _ in times.values())


def queue_in_one_loop(count, cpus, loop):
    if cpus[0] is not None:
        os.sched_setaffinity(0, {cpus[0]})

    async def both():
        there, back = asyncio.Queue(), asyncio.Queue()
        begin = time.perf_counter_ns()
        await asyncio.gather(
            ask_awaiting(there.put, back.get, count),
            answer_awaiting(back.put, there.get, count),
        )
        return time.perf_counter_ns() - begin

    with asyncio.Runner(loop_factory=lambda: new_loop(loop)) as runner:
        return runner.run(both())


ASYNCIO_PEERS = {"call_soon_threadsafe": call_soon_threadsafe, "asyncio.Queue": queue_in_one_loop}


def lacking(peer, scenario):
    """Why this cannot be measured here, or None."""
    needed = {"py-batches": "send_many", "aio-roundtrip": "arecv", "aio-roundtrip-uvloop": "arecv"}.get(scenario)
    if needed and peer.startswith("interlock") and not hasattr(interlock.Channel, needed):
        return f"Channel has no {needed}"
    if scenario == "aio-roundtrip-uvloop":
        try:
            import uvloop  # noqa: F401
        except ImportError:
            return "uvloop is not installed"
    if peer == "interpreters.Queue":
        try:
            stock_queues()
        except ImportError:
            return "this CPython has no queues between interpreters"
    return None


def measure(budget_ns, once):
    """As measure() of channel/harness.hpp."""
    count = BATCH
    best = float("inf")
    long_runs = []
    while True:
        messages = (int(count) // BATCH + 1) * BATCH
        ns = max(once(messages), 1)
        each = ns / messages
        best = min(best, each)
        if ns >= budget_ns / 2:
            long_runs.append(each)
            if each < 2 * best or best * messages > 10 * budget_ns:
                return each
            if len(long_runs) == 3:
                return sorted(long_runs)[1]
        count = min(16 * count, budget_ns / best)


def main():
    peer, milliseconds, where, scenario = sys.argv[1:5]
    if reason := lacking(peer, scenario):
        sys.exit(reason)
    cpus = (None, None) if where == "any" else tuple(int(cpu) for cpu in where.split(","))
    placement = "unpinned" if where == "any" else "same" if cpus[0] == cpus[1] else "split"
    if peer in ASYNCIO_PEERS:
        loop = "uvloop" if scenario.endswith("uvloop") else "default"
        once = lambda count: ASYNCIO_PEERS[peer](count, cpus, loop)  # noqa: E731
    else:
        once = lambda count: measure_once(peer, scenario, count, cpus)  # noqa: E731
    # A new interpreter imports, and receives functions, in the first call.
    once(BATCH if scenario == "py-batches" else 2)
    if scenario == "py-roundtrip-parked":
        count = int(milliseconds) * 1_000_000 // IDLE_TRIP_NS + 1
        ns = once(count) / count
    elif peer == "interpreters.Queue" and scenario == "py-roundtrip-spinning":
        ns = once(8) / 8  # it looks every 10 ms
    else:
        ns = measure(int(milliseconds) * 1_000_000, once)
    print(peer, scenario, placement, f"{ns:.1f}", flush=True)


if __name__ == "__main__":
    main()
