# SPDX-License-Identifier: MIT
"""What the tests of frozen objects share."""

import builtins
import dataclasses
import types

MAPPING = getattr(builtins, "frozendict", types.MappingProxyType)


@dataclasses.dataclass
class Open:
    x: int


def new(text):
    """An equal str that nobody else has."""
    return "".join(text)


def sample():
    """Of every plain type, made anew."""
    n = int("7")
    return [
        None, True, ..., NotImplemented, n, -(10**n), 1 << 70, -(1 << 100), 10**n, 1.5 * n, complex(n, 1), "", "x", "ab" * n,
        "\xe9", "\xe9" * n, "\u20ac" * n, "\U0001f600" * n, "\ud800" * n, b"", b"z", b"ab" * n, bytearray(b"cd" * n),
        [], [n], (), (n, "t" * n), {}, {"key": n, "other": [n]}, {n: "v" * n, (n, "u" * n): {n}}, set(), {n, "w" * n},
        set(range(100)), frozenset({n, "y" * n}), [[[{"deep": ({"er": [n]},)}]]], {str(i): (i,) for i in range(1000)},
    ]  # fmt: skip


def plain(obj):
    """What freezing makes of it, in ordinary objects, but with dicts."""
    if isinstance(obj, list | tuple):
        return tuple(plain(each) for each in obj)
    if isinstance(obj, set | frozenset):
        return frozenset(plain(each) for each in obj)
    if isinstance(obj, dict | MAPPING):
        return {plain(key): plain(value) for key, value in obj.items()}
    return bytes(obj) if isinstance(obj, bytearray) else obj
