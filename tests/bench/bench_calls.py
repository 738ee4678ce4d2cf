# SPDX-License-Identifier: MIT
"""Calls and trivial tasks, beside the floor of the machine and the executors of the standard library.

    interlock tests/bench/bench_calls.py [FLOOR]      (make bench gives the program that measures the floor)

Every peer is measured in turn, several times over; medians are printed.
"""

import concurrent.futures as futures
import os
import statistics
import subprocess
import sys
import time

import interlock

ROUNDS = 5


def increment(x):
    return x + 1


def median_call_us(call, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call(abs, -1)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def map_rate(pool, count, **options):
    start = time.perf_counter()
    for _ in pool.map(increment, range(count), **options):
        pass
    return count / (time.perf_counter() - start)


def submit_rate(pool, count):
    start = time.perf_counter()
    futures.wait([pool.submit(increment, n) for n in range(count)])
    return count / (time.perf_counter() - start)


def floor_us(arguments):
    if not arguments:
        return None
    return [float(each) for each in subprocess.run(arguments[:1], capture_output=True, text=True).stdout.split()]


def measure_calls(arguments):
    interpreter = interlock.Interpreter()
    rows = {"spinning floor": [], "sleeping floor": [], "Interpreter.call": [], "after 1 ms of idling": []}
    for _ in range(ROUNDS):
        if floors := floor_us(arguments):
            rows["spinning floor"].append(floors[0])
            rows["sleeping floor"].append(floors[1])
        rows["Interpreter.call"].append(median_call_us(interpreter.call, 2000))

        def call_after_idling(*args):
            time.sleep(0.001)
            start = time.perf_counter()
            interpreter.call(*args)
            idle_times.append(time.perf_counter() - start)

        idle_times = []
        median_call_us(call_after_idling, 100)
        rows["after 1 ms of idling"].append(statistics.median(idle_times) * 1e6)
    interpreter.close()
    print(f"{'round trip of a call':<36}{'microseconds':>14}")
    for name, values in rows.items():
        if values:
            print(f"{name:<36}{statistics.median(values):>14.2f}")


def measure_pools():
    cores = len(os.sched_getaffinity(0))
    peers = {"interlock.Pool": interlock.Pool(cores), "ThreadPoolExecutor": futures.ThreadPoolExecutor(cores)}
    if hasattr(futures, "InterpreterPoolExecutor"):
        peers["InterpreterPoolExecutor"] = futures.InterpreterPoolExecutor(cores)
    peers["ProcessPoolExecutor"] = futures.ProcessPoolExecutor(cores)
    rates = {(name, way): [] for name in peers for way in ("map", "submit")}
    for _ in range(ROUNDS):
        for name, pool in peers.items():
            ours = name.startswith("interlock")
            rates[name, "map"].append(map_rate(pool, 200_000 if ours else 5_000))
            rates[name, "submit"].append(submit_rate(pool, 5_000))
    print(f"\n{'trivial tasks on ' + str(cores) + ' cores':<36}{'map/s':>14}{'submit/s':>14}")
    for name, pool in peers.items():
        pool.shutdown()
        values = [statistics.median(rates[name, way]) for way in ("map", "submit")]
        print(f"{name:<36}{values[0]:>14,.0f}{values[1]:>14,.0f}")
    if "InterpreterPoolExecutor" not in peers:
        print(f"{'InterpreterPoolExecutor':<36}{'not in ' + sys.version.split()[0]:>14}")


if __name__ == "__main__":
    measure_calls(sys.argv[1:])
    measure_pools()
