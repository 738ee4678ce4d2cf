# SPDX-License-Identifier: MIT
"""What a cycle of creating and closing an interpreter leaves behind, beside stock CPython's.

    interlock tests/bench/bench_memory.py [CYCLES]

Each way runs in a process of its own; the private memory of the process after 100 cycles and after
CYCLES (1000) is compared.
"""

import subprocess
import sys

WAYS = {
    "interlock.Interpreter": """
        import interlock
        def cycle():
            interlock.Interpreter().close()
    """,
    "interlock.Interpreter with a call": """
        import interlock
        def task(n): return {"n": n}
        def cycle():
            with interlock.Interpreter() as i: i.call(task, 1)
    """,
    "stock _interpreters": """
        import _interpreters
        def cycle():
            _interpreters.destroy(_interpreters.create())
    """,
    "stock, importing what ours imports": """
        import _interpreters
        def cycle():
            i = _interpreters.create()
            _interpreters.exec(i, "import threading, warnings, types, weakref, functools")
            _interpreters.destroy(i)
    """,
}

HARNESS = """
import textwrap, sys, gc
exec(textwrap.dedent({source!r}))
def private_kb():
    gc.collect()
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))
for n in range(1, {cycles} + 1):
    cycle()
    if n == 100: first = private_kb()
print(first, private_kb())
"""


def main():
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"{'memory':<36}{'after 100':>12}{'after ' + str(cycles):>12}{'growth':>10}{'a cycle':>10}")
    for name, source in WAYS.items():
        program = HARNESS.format(source=source, cycles=cycles)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{name:<36}{done.stderr.strip().splitlines()[-1]}")
            continue
        first, last = map(int, done.stdout.split())
        growth = last - first
        print(
            f"{name:<36}{first / 1024:>9.1f} MB{last / 1024:>9.1f} MB{growth / 1024:>7.1f} MB{growth / (cycles - 100):>7.1f} kB"
        )


if __name__ == "__main__":
    main()
