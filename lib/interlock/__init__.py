# SPDX-License-Identifier: MIT
"""Python on all cores of one process: interpreters with their own locks, and channels between them.

    from interlock import Pool

    with Pool() as pool:
        for result in pool.map(work, items):
            ...

Pool is a concurrent.futures.Executor whose workers are interpreters; Interpreter is one of them by
itself; Channel passes objects between any of them, copied or moved, also in asyncio; moved() hands over what
is passed to a call; select() waits for several channels. Lock, Semaphore, Event and Barrier work across
interpreters, and cross themselves. freeze() makes an immutable object that all of them can have without a copy;
proxy() lets other interpreters use an object that stays where it is; register() says how objects of a type
cross, explain() shows it. Functions cross even if they are defined in the main script. global_lock serialises
what all interpreters share, such as the environment.
"""

from types import MappingProxyType as _MappingProxyType

from _interlock import (
    Arena,
    Barrier,
    Channel,
    ChannelClosed,
    ChannelEmpty,
    ChannelFull,
    Descriptor,
    Event,
    InterpreterEnded,
    Lock,
    Semaphore,
    Sender,
    TransferError,
    after,
    every,
    freeze,
    global_lock,
    moved,
    select,
)
from _interlock import can_freeze as _can_freeze
from _interlock import can_have_images as _can_have_images
from _interlock import can_move as _can_move

from ._errors import RemoteError, RemoteTraceback

# What this process can do, by name. "move": send(move=True) hands objects over; else it copies them. "freeze": what
# freeze() gives is shared; else it is copied, too. "extensions": interpreters have private copies of extension modules.
features = _MappingProxyType({"extensions": _can_have_images(), "freeze": _can_freeze(), "move": _can_move()})

__version__ = "0.1.0"

# Not imported before they are used: an interpreter that only runs calls needs none of it.
_LAZY = {
    "BrokenPool": "pool",
    "Explanation": "_explain",
    "Interpreter": "interpreter",
    "Pool": "pool",
    "Proxy": "_proxy",
    "explain": "_explain",
    "proxy": "_proxy",
    "register": "_register",
    "unregister": "_register",
}

__all__ = [
    "Arena",
    "Barrier",
    "BrokenPool",
    "Channel",
    "ChannelClosed",
    "ChannelEmpty",
    "ChannelFull",
    "Descriptor",
    "Event",
    "Explanation",
    "Interpreter",
    "InterpreterEnded",
    "Lock",
    "Pool",
    "Proxy",
    "RemoteError",
    "RemoteTraceback",
    "Semaphore",
    "Sender",
    "TransferError",
    "after",
    "every",
    "explain",
    "features",
    "freeze",
    "global_lock",
    "moved",
    "proxy",
    "register",
    "select",
    "unregister",
]


def __getattr__(name):
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *_LAZY})
