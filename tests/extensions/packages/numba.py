# SPDX-License-Identifier: MIT
import numba
import numpy as np


@numba.njit
def primes(n):
    sieve = np.ones(n, dtype=np.bool_)
    count = 0
    for i in range(2, n):
        if sieve[i]:
            count += 1
            for j in range(i * i, n, i):
                sieve[j] = False
    return count


@numba.njit(nogil=True)
def counted(words):
    found = numba.typed.Dict.empty(numba.types.unicode_type, numba.types.int64)
    for each in words:
        found[each] = found.get(each, 0) + 1
    return found


@numba.vectorize(["float64(float64, float64)"])
def clipped(x, limit):
    return min(x, limit)


@numba.njit
def refuses(n):
    if n < 0:
        raise ValueError("negative")
    return n


@numba.cfunc("float64(float64)")
def half(x):
    return x / 2


def smoke():
    try:
        refuses(-1)
    except ValueError as error:
        refused = str(error)
    try:
        numba.njit(lambda x: x + "text")(1)
    except numba.TypingError as error:
        untyped = type(error).__name__
    return {
        "primes": primes(10000),
        "signatures": [str(each) for each in primes.signatures],
        "counted": sorted(counted(numba.typed.List(["a", "b", "a"])).items()),
        "clipped": clipped(np.arange(5.0), 2.5).tolist(),
        "callback": half.ctypes(5.0),
        "refused": refused,
        "untyped": untyped,
        "list": sum(numba.typed.List([1, 2, 3])),
    }
