# SPDX-License-Identifier: MIT
"""What a program that does not use Interlock pays for running under `interlock`.

    python3.X tests/bench/bench_overhead.py PYTHON INTERLOCK

Runs each kernel in both, in turn, and prints the ratio of their medians. Exit status 1 if the
geometric mean is over 1.03.
"""

import statistics
import subprocess
import sys

ROUNDS = 9

KERNELS = {
    "start-up": "pass",
    "nbody": """
        bodies = [[float(i), float(i + 1), 0.1, 0.2] for i in range(5)]
        for _ in range(6000):
            for a in bodies:
                for b in bodies:
                    dx, dy = a[0] - b[0], a[1] - b[1]
                    d = (dx * dx + dy * dy + 0.01) ** -1.5
                    a[2] -= dx * d * 0.01; a[3] -= dy * d * 0.01
            for a in bodies:
                a[0] += 0.01 * a[2]; a[1] += 0.01 * a[3]""",
    "dicts and strings": """
        counts = {}
        for n in range(150000):
            key = f"key{n % 997}"
            counts[key] = counts.get(key, 0) + len(key.upper())""",
    "objects and calls": """
        class Node:
            def __init__(self, value, left=None, right=None):
                self.value, self.left, self.right = value, left, right
            def total(self):
                return self.value + (self.left.total() if self.left else 0) + (self.right.total() if self.right else 0)
        def build(depth): return Node(1, build(depth - 1), build(depth - 1)) if depth else Node(1)
        for _ in range(4): build(14).total()""",
    "generators and sorting": """
        for seed in range(6):
            data = [(x * 7919 + seed) % 100003 for x in range(40000)]
            data.sort(); sum(x for x in data if x & 1)""",
    "json": """
        import json
        data = [{"id": n, "name": str(n), "tags": ["a", "b"], "value": n / 3} for n in range(4000)]
        for _ in range(8): json.loads(json.dumps(data))""",
    "regular expressions": """
        import re
        text = "the quick brown fox 12345 jumps over 67 lazy dogs " * 800
        for _ in range(6): re.findall(r"[a-z]+\\s+\\d+|\\b\\w{5}\\b", text)""",
    "threads": """
        import threading, queue
        q = queue.SimpleQueue()
        def produce():
            for n in range(60000): q.put(n)
        t = threading.Thread(target=produce); t.start()
        for _ in range(60000): q.get()
        t.join()""",
}

HARNESS = """
import time, textwrap, sys
code = compile(textwrap.dedent({kernel!r}), "kernel", "exec")
best = None
for _ in range(3):
    start = time.perf_counter(); exec(code, {{}}); seconds = time.perf_counter() - start
    best = seconds if best is None else min(best, seconds)
print(best)
"""


def seconds_of(command, name, kernel):
    if name == "start-up":
        source = (
            "import subprocess, sys, time\nt = []\nfor _ in range(10):\n s = time.perf_counter(); subprocess.run([%r, '-c', '']); t.append(time.perf_counter() - s)\nprint(min(t))"
            % command
        )
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    else:
        done = subprocess.run(
            [command, "-c", HARNESS.format(kernel=kernel)], capture_output=True, text=True, check=True
        )
    return float(done.stdout)


def main():
    commands = dict(zip(("python", "interlock"), sys.argv[1:3], strict=True))
    ratios = {}
    print(f"{'kernel':<28}{'python3 ms':>12}{'interlock ms':>14}{'ratio':>8}")
    for name, kernel in KERNELS.items():
        times = {who: [] for who in commands}
        for turn in range(ROUNDS):
            order = list(commands) if turn % 2 else list(reversed(commands))
            for who in order:
                times[who].append(seconds_of(commands[who], name, kernel))
        medians = {who: statistics.median(values) for who, values in times.items()}
        ratios[name] = medians["interlock"] / medians["python"]
        print(f"{name:<28}{medians['python'] * 1e3:>12.2f}{medians['interlock'] * 1e3:>14.2f}{ratios[name]:>8.3f}")
    mean = statistics.geometric_mean(ratios.values())
    print(f"{'geometric mean':<28}{'':>26}{mean:>8.3f}")
    return mean > 1.03


if __name__ == "__main__":
    sys.exit(main())
