# SPDX-License-Identifier: MIT
"""What the tests of proxies have proxies of."""

import asyncio
import sys
import threading

import interlock
import support


class Account:
    """An object whose class crosses by value, with what a proxy may meet."""

    def __init__(self, balance=0):
        self.balance = balance
        self.notes = ["opened"]

    def add(self, amount, *, twice=False):
        self.balance += amount * (2 if twice else 1)
        return self

    def history(self):
        yield from self.notes

    def fail(self):
        raise ValueError("no such account")

    def where(self):
        return interpreter_id()

    def thread(self):
        return threading.get_ident()

    def wait(self, channel):
        return channel.recv(support.LIMIT)

    def call_back(self, function, *args):
        return function(*args)

    def release(self):
        return "released"

    async def double(self, value):
        await asyncio.sleep(0)
        return 2 * value

    def __enter__(self):
        self.notes.append("entered")
        return self

    def __exit__(self, kind, error, traceback):
        self.notes.append(None if error is None else str(error))
        return isinstance(error, ZeroDivisionError)


def interpreter_id():
    import _interlock

    return _interlock.interpreter_id()


def make(value, **options):
    return interlock.proxy(value, **options)


def make_account():
    sys.account = interlock.proxy(Account(5))  # sys: a module that every interpreter has by itself
    return sys.account


def kept():
    return sys.account.unwrap().balance


def call_method(proxy, name, *args):
    return getattr(proxy, name)(*args)
