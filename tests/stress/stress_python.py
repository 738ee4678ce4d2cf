# SPDX-License-Identifier: MIT
"""Random interpreters, threads and event loops on random channels, for some seconds.

    interlock tests/stress/stress_python.py [--seconds=N] [--seed=N]

Workers send and receive in every way that Python has, with timeouts; senders are interrupted, or their
interpreter is closed under them; tasks that receive are cancelled; channels are closed and cancelled. After
each round: what every sender has sent came once and in order. TAP on stdout; the seed decides what is tried,
not how the system runs it.
"""

import argparse
import asyncio
import contextlib
import faulthandler
import math
import random
import threading
import time
from concurrent.futures import Future

import interlock

CAPACITIES = (0, 1, 2, 7, 64, None)
HANG = 60  # seconds for a round
BATCH = 8


def produce(channel, number, count, seed):
    """Sends (number, 0), (number, 1), ...; how many were, at least, and whether it was interrupted."""
    rng = random.Random(seed)
    sent = 0
    try:
        while sent < count:
            with contextlib.suppress(TimeoutError):
                sent += send_some(rng, channel, number, sent, count)
    except interlock.ChannelClosed as error:
        return sent + getattr(error, "sent", 0), False
    except KeyboardInterrupt:
        return sent, True
    return sent, False


def send_some(rng, channel, number, sent, count):
    way = rng.randrange(5)
    if way == 0:
        channel.send((number, sent))
    elif way == 1:
        channel.send((number, sent), timeout=rng.random() * 1e-4)
    elif way == 2:
        return interlock.select([interlock.after(rng.random() * 1e-4), (channel, (number, sent))])[0]
    elif way == 3:
        try:
            channel.try_send((number, sent))
        except interlock.ChannelFull:
            return 0
    else:
        batch = [(number, n) for n in range(sent, min(count, sent + rng.randrange(1, BATCH)))]
        try:
            channel.send_many(batch, timeout=rng.random() * 1e-3)
        except TimeoutError as error:
            return error.sent
        return len(batch)
    return 1


def consume(channel, seed):
    """All that it received until the channel was closed."""
    rng = random.Random(seed)
    got = []
    try:
        while True:
            with contextlib.suppress(TimeoutError, interlock.ChannelEmpty):
                got += receive_some(rng, channel)
    except interlock.ChannelClosed:
        return got


def receive_some(rng, channel):
    way = rng.randrange(5)
    if way == 0:
        return [channel.recv()]
    if way == 1:
        return [channel.recv(timeout=rng.random() * 1e-4)]
    if way == 2:
        return [channel.try_recv()]
    if way == 3:
        return channel.recv_many(rng.randrange(1, BATCH), timeout=rng.random() * 1e-3)
    index, item = interlock.select([channel, interlock.after(rng.random() * 1e-4)])
    return [item] if index == 0 else []


def consume_in_loop(channel, seed):
    """The same by tasks of an event loop, which are cancelled at random."""
    rng = random.Random(seed)
    got = []

    async def take():
        while True:
            item = await channel.arecv()
            got.append(item)

    async def main():
        while True:
            tasks = [asyncio.ensure_future(take()) for _ in range(rng.randrange(1, 4))]
            for _ in range(rng.randrange(5)):
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                await asyncio.sleep(rng.random() * 1e-3)
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for result in results:
                if isinstance(result, interlock.ChannelClosed):
                    return
                if not isinstance(result, asyncio.CancelledError):
                    raise result

    asyncio.run(main())
    return got


class Round:
    def __init__(self, rng, interpreters):
        self.rng = rng
        self.interpreters = interpreters
        self.channel = interlock.Channel(rng.choice(CAPACITIES))
        self.is_cancelled = False

    def run(self):
        rng = self.rng
        producers = {n: self.start(produce, n, rng.randrange(1, 400)) for n in range(rng.randrange(1, 4))}
        receivers = [self.start(rng.choice((consume, consume_in_loop))) for _ in range(rng.randrange(1, 4))]
        for _ in range(rng.randrange(4)):
            self.disturb()
        outcomes = {n: outcome(future) for n, future in producers.items()}
        self.channel.close()
        self.check(outcomes, [receiver.result(HANG) for receiver in receivers])

    def start(self, function, *arguments):
        """On one of the interpreters, each of which does one thing at a time, or on a thread of this one."""
        arguments = (self.channel, *arguments, self.rng.getrandbits(32))
        idle = [each for each in self.interpreters if not each.is_busy]
        if idle and self.rng.random() < 0.8:
            return idle[0].submit(function, arguments)
        future = Future()

        def run():
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, daemon=True).start()
        return future

    def disturb(self):
        time_left = self.rng.random() * 5e-3
        interlock.Event().wait(time_left)
        way = self.rng.randrange(8)
        senders = [each for each in self.interpreters if each.is_busy and each.function is produce]
        if way < 4 and senders:
            self.rng.choice(senders).interpreter.interrupt()
        elif way == 4 and senders:
            self.rng.choice(senders).replace()
        elif way == 5:
            self.channel.close()
        elif way == 6:
            self.is_cancelled = True
            self.channel.cancel()

    def check(self, outcomes, lists):
        channel = self.channel
        came = {number: [] for number in outcomes}
        for items in lists:
            last = dict.fromkeys(outcomes, -1)
            for number, n in items:
                assert last[number] < n, f"{n} of {number} came after {last[number]}: {channel}"
                last[number] = n
                came[number].append(n)
        for number, (sent, most) in outcomes.items():
            items = sorted(came[number])
            assert len(items) == len(set(items)), f"doubled: {items}"
            if self.is_cancelled:
                continue
            assert items == list(range(len(items))), f"lost one of {number}: {items}, {channel}"
            assert sent <= len(items) <= most, f"{number} sent {sent} to {most}, {len(items)} came"


def outcome(future):
    """How many a sender has sent, at least and at most."""
    try:
        sent, interrupted = future.result(HANG)
        return sent, sent + BATCH if interrupted else sent
    except (KeyboardInterrupt, interlock.InterpreterEnded, interlock.RemoteError):
        return 0, math.inf  # it could not say


class Slot:
    """An interpreter that is replaced when it was closed under its work."""

    def __init__(self):
        self.interpreter = interlock.Interpreter()
        self.future = None
        self.function = None

    @property
    def is_busy(self):
        return self.future is not None and not self.future.done()

    def submit(self, function, arguments):
        self.function = function
        self.future = self.interpreter.submit(function, *arguments)
        return self.future

    def replace(self):
        self.interpreter.close(0)
        self.interpreter = interlock.Interpreter()
        self.future = None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    options = parser.parse_args()
    print(f"1..1\n# seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    slots = [Slot() for _ in range(3)]
    rounds = 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        faulthandler.dump_traceback_later(2 * HANG, exit=True)
        Round(rng, slots).run()
        rounds += 1
    faulthandler.cancel_dump_traceback_later()
    for slot in slots:
        slot.interpreter.close()
    print(f"# {rounds} rounds\nok 1 - python")


if __name__ == "__main__":
    main()
