# SPDX-License-Identifier: MIT
"""What bench_extensions.py has NumPy do. Imports nothing else, which would be counted as its memory."""

MEMORY_KERNELS = ("multiply", "sort", "loop")
KERNELS = (*MEMORY_KERNELS, "ufuncs")  # the C library may keep what that one frees


def run(kernel):
    """(seconds, seconds of the processor) that a piece of work takes in the calling interpreter."""
    import time

    import numpy

    random = numpy.random.default_rng(1)
    if kernel == "multiply":
        matrix = random.standard_normal((500, 500))
        work, times = lambda: matrix @ matrix, 20
    elif kernel == "sort":
        values = random.standard_normal(300_000)
        work, times = lambda: numpy.sort(values), 30
    elif kernel == "loop":
        values = random.standard_normal(100_000)

        def add_up():
            total = 0.0
            for value in values:
                total += value * 1.5

        work, times = add_up, 20
    else:
        values = random.standard_normal(1_000_000)
        work, times = lambda: numpy.sqrt(values * values + 1.0).sum(), 60
    work()
    start, processor = time.perf_counter(), time.thread_time()
    for _ in range(times):
        work()
    return time.perf_counter() - start, time.thread_time() - processor


def run_all(barrier):
    """In each process of a pool."""
    for kernel in MEMORY_KERNELS:
        run(kernel)
    barrier.wait(60)
