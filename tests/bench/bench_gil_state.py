# SPDX-License-Identifier: MIT
"""What PyGILState_Ensure() and PyGILState_Release() cost, beside CPython's own.

    python3.X tests/bench/bench_gil_state.py PYTHON INTERLOCK [ROUNDS]

A program of each kind measures in turn, and the ratios are medians of those within a round. Exit status 1 if a figure is
missed.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import sysconfig
import tempfile

WORKER = """
import os, sys
if hasattr(os, "sched_setaffinity"):  # threads that move take now this long, now that
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
sys.path.insert(0, sys.argv[1])
def measure(kind, count):
    import ctypes, gil_state_cost
    if kind != "library":
        return getattr(gil_state_cost, kind)(count)
    function = ctypes.CDLL(gil_state_cost.__file__).compare_plain_threads
    function.restype, function.argtypes = ctypes.c_double, (ctypes.c_long,)
    return function(count)
if sys.argv[2] == "interpreter":
    import interlock
    interpreter = interlock.Interpreter()
    call = lambda *args: interpreter.call(measure, *args)
else:
    call = measure
for line in sys.stdin:
    kind, count = line.split()
    print(call(kind, int(count)), flush=True)
"""
# kind, what it is, how many at a time, and at most so much longer than with CPython: times, or nanoseconds
KINDS = (
    ("attached", "the lock is held", 100_000, 1.5, None),
    ("detached", "the lock was given up", 20_000, 1.5, None),
    ("foreign", "a thread that came in before", 5_000, 1.5, None),
    ("fresh", "a thread that comes in once, whole", 300, 1.02, None),  # not slower, as far as can be measured
    ("library", "a library's thread: longer by", 1000, None, 100),
    ("plain", "a module's thread: longer by", 1000, None, 100),
)
WAYS = ("python3", "interlock", "interpreter")


def build(directory):
    source = pathlib.Path(__file__).with_name("gil_state_cost.c")
    include = sysconfig.get_path("include")
    target = pathlib.Path(directory, "gil_state_cost" + sysconfig.get_config_var("EXT_SUFFIX"))
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run([*compiler, "-shared", "-fPIC", "-O2", "-pthread", f"-I{include}", source, "-o", target], check=True)


def start(python, directory, way):
    return subprocess.Popen(
        [python, "-c", WORKER, directory, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(worker, kind, count):
    worker.stdin.write(f"{kind} {count}\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def main(python, interlock, rounds):
    missed = False
    with tempfile.TemporaryDirectory() as directory:
        build(directory)
        workers = [start(interlock if way != "python3" else python, directory, way) for way in WAYS]
        print(f"{'nanoseconds (medians)':<38}{'python3':>10}{'interlock':>18}{'its interpreter':>18}")
        for kind, text, count, times_most, most in KINDS:
            taken = [[ask(each, kind, count) for each in workers] for _ in range(rounds)]
            times = [statistics.median(column) for column in zip(*taken, strict=True)]
            ratios = [statistics.median(each[n] / each[0] for each in taken) for n in range(len(workers))]
            cells = "".join(f"{time:>11.0f}{ratio:>6.2f}x" for time, ratio in list(zip(times, ratios, strict=True))[1:])
            print(f"{text:<38}{times[0]:>10.0f} {cells}", flush=True)
            if times_most is not None and max(ratios[1:]) > times_most:
                print(f"{'':<38}NOT MET: at most {times_most} times as long")
                missed = True
            longer = max(statistics.median(each[n] - each[0] for each in taken) for n in range(1, len(workers)))
            if most is not None:
                print(f"{'':<38}{longer:>10.0f} longer, at most {most}: {'met' if longer <= most else 'NOT MET'}")
                missed = missed or longer > most
        for each in workers:
            each.communicate()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 31))
