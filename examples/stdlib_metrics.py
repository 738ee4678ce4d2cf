# SPDX-License-Identifier: MIT
"""Sizes and cyclomatic complexities of all functions of the running standard library, on all cores.

    interlock examples/stdlib_metrics.py [--compare] [--workers N] [--top N]

--compare also does the work serially and with a pool of processes, checks that all three agree, and
prints the times side by side.
"""

import argparse
import ast
import os
import sys
import sysconfig
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

BRANCHES = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert,
    ast.comprehension, ast.match_case,
)  # fmt: skip
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Metrics(NamedTuple):
    complexity: int  # McCabe's: 1, and 1 more for each branch
    lines: int
    name: str
    path: str


def measure_file(path):
    """The Metrics of every function in a source file; none for a file that is not Python 3."""
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # the tests of the library have odd files
            tree = ast.parse(file.read(), path)
    except (SyntaxError, ValueError):
        return []
    return [
        Metrics(complexity(node), node.end_lineno - node.lineno + 1, node.name, path)
        for node in ast.walk(tree)
        if isinstance(node, FUNCTIONS)
    ]


def complexity(function):
    count = 1
    pending = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        if isinstance(node, FUNCTIONS):
            continue  # counted by itself
        if isinstance(node, BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        pending.extend(ast.iter_child_nodes(node))
    return count


def source_files():
    """The source files of the standard library, largest first, so that no core ends late."""
    root = sysconfig.get_path("stdlib")
    paths = []
    for directory, subdirectories, names in os.walk(root):
        subdirectories[:] = sorted(
            d for d in subdirectories if d not in ("site-packages", "dist-packages", "__pycache__")
        )
        paths += [os.path.join(directory, name) for name in names if name.endswith(".py")]
    return sorted(paths, key=lambda path: (-os.path.getsize(path), path))


def with_progress(results, total, label):
    """Passes results on, with a progress bar if stderr is a terminal."""
    shown = sys.stderr.isatty()
    for done, result in enumerate(results, 1):
        if shown and (done % 20 == 0 or done == total):
            width = 40 * done // total
            print(f"\r{label:>10} [{'#' * width:<40}] {done}/{total}", end="", file=sys.stderr)
        yield result
    if shown:
        print(file=sys.stderr)


def collect(label, paths, results):
    return [each for found in with_progress(results, len(paths), label) for each in found]


def run_serial(paths, workers):
    return collect("serial", paths, map(measure_file, paths))


def run_interlock(paths, workers):
    from interlock import Pool

    with Pool(workers) as pool:
        return collect("interlock", paths, pool.map(measure_file, paths))


def run_processes(paths, workers):
    with ProcessPoolExecutor(workers) as pool:
        return collect("processes", paths, pool.map(measure_file, paths, chunksize=8))


def timed(run, paths, workers):
    start = time.perf_counter()
    answer = run(paths, workers)
    return time.perf_counter() - start, answer


def print_table(metrics, top):
    print(f"{'complexity':>10} {'lines':>6}  function")
    ranked = sorted(metrics, key=lambda each: (-each.complexity, -each.lines, each.path, each.name))
    root = sysconfig.get_path("stdlib")
    for each in ranked[:top]:
        print(f"{each.complexity:>10} {each.lines:>6}  {each.name}  ({os.path.relpath(each.path, root)})")


def print_comparison(times):
    print(f"\n{'':<28}{'seconds':>9}{'speed-up':>10}")
    for name, seconds in times.items():
        print(f"{name:<28}{seconds:>9.2f}{times['serial'] / seconds:>9.2f}x")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", action="store_true", help="also serially and with processes")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="cores to use")
    parser.add_argument("--top", type=int, default=20, help="functions to print")
    options = parser.parse_args()

    paths = source_files()
    if not paths:
        sys.exit("stdlib_metrics: the standard library has no source files here")
    seconds, metrics = timed(run_interlock, paths, options.workers)
    print_table(metrics, options.top)
    print(f"\n{len(metrics)} functions in {len(paths)} files: {seconds:.2f} seconds on {options.workers} cores")
    if not options.compare:
        return
    times = {"serial": 0.0, "interlock.Pool": seconds}
    times["serial"], serial = timed(run_serial, paths, options.workers)
    times["ProcessPoolExecutor"], processes = timed(run_processes, paths, options.workers)
    if not metrics == serial == processes:
        sys.exit("stdlib_metrics: the answers differ")
    print_comparison(times)
    print("all answers are equal")


if __name__ == "__main__":
    main()
