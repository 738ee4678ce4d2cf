# SPDX-License-Identifier: MIT
"""NumPy in two interpreters at once, beside one interpreter and two processes; what images cost.

    interlock tests/bench/bench_extensions.py [--rounds=N] [--cycles=N]

Needs NumPy in the path of `interlock`. docs/extensions.md explains the figures; all ways of a figure take their turns
in every round, figures are medians of the rounds, and ratios medians of the ratios within a round.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys

# The tables of OpenBLAS's threads are one for the process; here it is interpreters that use the processors.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from numpy_kernels import KERNELS, run


def proportional_set_size(pid):
    """Bytes of a process: what it shares with others counts by its share."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def load_times(package):
    """{file: seconds that _imp.create_dynamic() takes} for the extension modules that importing `package` makes."""
    import _imp
    import importlib
    import time

    original = _imp.create_dynamic
    taken = {}

    def create(spec, *rest):
        start = time.perf_counter()
        made = original(spec, *rest)
        taken[spec.origin] = time.perf_counter() - start
        return made

    _imp.create_dynamic = create
    try:
        importlib.import_module(package)
    finally:
        _imp.create_dynamic = original
    return taken


def image_sizes():
    import _interlock

    return _interlock.images()


class Process:
    """An interpreter of its own process, used as those of this one are."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def submit(self, function, *args):
        self.process.stdin.write(json.dumps([function.__name__, *args]) + "\n")
        self.process.stdin.flush()
        return self

    def result(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process ended early")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def work():
    for line in sys.stdin:
        name, *args = json.loads(line)
        print(json.dumps(globals()[name](*args)), flush=True)


def together(workers, kernel):
    """The longest that one of them took, and the most that one of them used the processor."""
    results = [each.result() for each in [worker.submit(run, kernel) for worker in workers]]
    return tuple(map(max, zip(*results, strict=True)))


def measure_kernel(kernel, ways, rounds):
    """{way: [(seconds, of the processor) of each round]}."""
    taken = {way: [] for way in ways}
    for n in range(rounds):
        names = list(ways)
        for way in names[n % len(names) :] + names[: n % len(names)]:
            taken[way].append(together(ways[way], kernel))
    return taken


def median_ratio(taken, way, other, index):
    return statistics.median(a[index] / b[index] for a, b in zip(taken[way], taken[other], strict=True))


def measure_kernels(rounds):
    import interlock

    print(f"{'two at once against one':<24}{'':<20}{'time':>10}{'throughput':>12}{'processor time':>16}")
    reached = {}
    with interlock.Interpreter() as a, interlock.Interpreter() as b, contextlib.ExitStack() as stack:
        processes = [stack.enter_context(contextlib.closing(Process())) for _ in range(2)]
        ways = {"one interpreter": [a], "two interpreters": [a, b], "two processes": processes}
        for kernel in KERNELS:
            together(ways["two interpreters"], kernel)
            together(processes, kernel)
            taken = measure_kernel(kernel, ways, rounds)
            for way in ways:
                seconds = statistics.median(each[0] for each in taken[way])
                times = len(ways[way]) * median_ratio(taken, "one interpreter", way, 0)
                processor = median_ratio(taken, way, "one interpreter", 1)
                print(
                    f"{kernel if way == 'one interpreter' else '':<24}{way:<20}{seconds * 1e3:>7.0f} ms{times:>11.2f}x{processor:>15.2f}x",
                    flush=True,
                )
            reached[kernel] = (
                2 * median_ratio(taken, "one interpreter", "two interpreters", 0),
                median_ratio(taken, "two processes", "two interpreters", 0),
            )
    return reached


MEMORY = """
import contextlib, os, sys
sys.path.insert(0, {directory!r})
import numpy_kernels as kernels
with contextlib.ExitStack() as stack:
    if {kind!r} == "process":
        workers = [lambda function, *args: function(*args)]
    elif {kind!r} == "pool":
        import concurrent.futures, multiprocessing
        context = multiprocessing.get_context("spawn")
        pool = concurrent.futures.ProcessPoolExecutor(2, context, kernels.run_all, [context.Barrier(2)])
        stack.callback(pool.shutdown)
        for each in [pool.submit(len, "") for _ in range(2)]: each.result()
        workers = []
    else:
        import interlock
        others = [stack.enter_context(interlock.Interpreter()) for _ in range({count})]
        workers = [each.call for each in others]
        if {kind!r} == "main": workers.append(lambda function, *args: function(*args))
    for worker in workers:
        for kernel in kernels.MEMORY_KERNELS: worker(kernels.run, kernel)
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


def process_tree(pid):
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in file.read().split():
                yield from process_tree(int(child))


def memory_of(kind, count=0, processes=1):
    """Bytes of programs of this kind that run at the same time, with their processes."""
    program = MEMORY.format(directory=os.path.dirname(os.path.abspath(__file__)), kind=kind, count=count)
    # How much of freed arrays glibc keeps would depend on which thread had freed what before: up to 4 MB.
    environment = os.environ | {"MALLOC_TRIM_THRESHOLD_": str(128 * 1024)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(processes)
    ]
    pids = [int(each.stdout.readline()) for each in running]
    taken = sum(map(proportional_set_size, [each for pid in pids for each in process_tree(pid)]))
    for each in running:
        each.communicate()
    return taken


def measure_memory():
    """Bytes of two interpreters that have worked, one of them the main one, and of two processes that have."""
    interpreters, processes = memory_of("main", count=1), memory_of("process", processes=2)
    print(f"\n{'memory (PSS)':<44}{interpreters / 1e6:>7.0f} MB  two interpreters: the main one and another")
    print(f"{'':<44}{processes / 1e6:>7.0f} MB  two processes")
    print(f"{'':<44}{memory_of('others', count=2) / 1e6:>7.0f} MB  two interpreters beside the main one")
    print(f"{'':<44}{memory_of('pool') / 1e6:>7.0f} MB  ProcessPoolExecutor with two processes")
    return interpreters, processes


def measure_images(rounds):
    """The images of NumPy in one interpreter after the other, which all live: (longest, largest for its file)."""
    import interlock

    taken = {}
    with contextlib.ExitStack() as stack:
        for n in range(rounds + 1):
            interpreter = stack.enter_context(interlock.Interpreter())
            times, sizes = interpreter.call(load_times, "numpy"), interpreter.call(image_sizes)
            for file in sizes if n > 0 else ():  # the first one also loads what all share
                taken.setdefault(file, []).append(times[file])
        rows = sorted(
            ((os.path.getsize(file), sizes[file], statistics.median(taken[file]), file) for file in taken), reverse=True
        )
    print(f"\n{'an image':<44}{'file':>10}{'image':>10}{'to load':>10}")
    for size, image, seconds, file in rows:
        name = os.path.basename(file).split(".")[0]
        print(f"{name:<44}{size / 1e3:>7.0f} kB{image / 1e3:>7.0f} kB{seconds * 1e3:>7.2f} ms")
    return max(row[2] for row in rows), max(row[1] / row[0] for row in rows)


def private_memory():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_")) * 1024


def measure_cycles(cycles):
    """Bytes that an interpreter with NumPy leaves when it has ended."""
    import interlock

    def cycle():
        with interlock.Interpreter() as interpreter:
            interpreter.exec("import numpy")

    for _ in range(20):
        cycle()
    before = private_memory()
    for _ in range(cycles):
        cycle()
    left = (private_memory() - before) / cycles
    print(f"\n{str(cycles) + ' cycles of creating, importing, closing':<44}{left / 1e6:>7.2f} MB  left by each")
    return left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work()
        return
    try:
        import numpy
    except ImportError:
        sys.exit("bench_extensions: there is no NumPy in the path of interlock: set PYTHONPATH to where it is")
    print(f"# CPython {sys.version.split()[0]}, NumPy {numpy.__version__}")
    kernels = measure_kernels(options.rounds)
    interpreters, processes = measure_memory()
    longest, largest = measure_images(options.rounds)
    left = measure_cycles(options.cycles)
    verdicts = []
    for kernel, (times, of_processes) in kernels.items():
        verdicts.append((f"{kernel}, two interpreters", "1.9 times one", f"{times:.2f} times", times >= 1.9))
        verdicts.append(("", "97 % of two processes", f"{of_processes:.0%}", of_processes >= 0.97))
    share = f"{interpreters / processes:.0%}"
    verdicts += [
        ("memory of two interpreters", "less than two processes", share, interpreters < processes),
        ("an image", "loaded in 2 ms", f"{longest * 1e3:.2f} ms", longest <= 2e-3),
        ("", "1.2 times its file", f"{largest:.2f} times", largest <= 1.2),
        ("a cycle", "leaves 1.5 MB", f"{left / 1e6:.2f} MB", left <= 1.5e6),
    ]
    print()
    for what, goal, reached, is_met in verdicts:
        print(f"{what:<36}{goal:<28}{reached:>12}  {'met' if is_met else 'NOT MET'}")


if __name__ == "__main__":
    main()
