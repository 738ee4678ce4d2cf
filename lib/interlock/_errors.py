# SPDX-License-Identifier: MIT
"""How exceptions cross: the object itself where it can, always the text of its traceback."""

import collections
import itertools
import types

__all__ = ["RemoteError", "RemoteTraceback"]


class RemoteError(RuntimeError):
    """Stands for an exception of another interpreter that could not be rebuilt here.

    `type_name` is the qualified name of its class.
    """

    def __init__(self, message, type_name=""):
        super().__init__(message, type_name)
        self.type_name = type_name

    def __str__(self):
        message = self.args[0]
        return f"{self.type_name}: {message}" if self.type_name else message


class RemoteTraceback(Exception):
    """The cause of an exception that came from another interpreter: where it was raised there."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return f'\n"""\n{self.text}"""'


def describe(exception):
    """(traceback text, class name, message, the exception), as decode_exception() expects it."""
    cls = type(exception)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    # An interrupt interrupts whatever runs: the exception being handled then is not its context,
    # and showing that would run code of the program's while interrupts wait.
    chain = cls is not KeyboardInterrupt
    message = ""
    try:
        import traceback

        if not any(map(_is_too_long, _chain(exception) if chain else [exception])):
            text = "".join(traceback.format_exception(exception, chain=chain))
        else:
            message = "it holds too much to be shown" if _is_too_long(exception) else str(exception)
            frames = traceback.format_tb(exception.__traceback__)
            text = "".join(["Traceback (most recent call last):\n", *frames, f"{name}: {message}\n"])
    except Exception:
        text = ""
    try:
        message = message or str(exception)
    except Exception:
        message = "its message cannot be shown"
    return text, name, message, exception


def _chain(exception):
    """The exceptions that a traceback shows."""
    found, left = {}, [exception]
    while left:
        each = left.pop()
        if each is None or id(each) in found:
            continue
        found[id(each)] = each
        left += each.__cause__, each.__context__
        if isinstance(each, BaseExceptionGroup):
            left += each.exceptions
    return found.values()


def _is_too_long(exception):
    """Whether the text of an exception that only shows its arguments would be too long. What they hold in several places
    is shown as often, with all that it holds: the text of a hundred objects may have no end."""
    if isinstance(type(exception).__str__, types.FunctionType):
        return False  # its class says what it shows
    try:
        return _weighs_too_much(exception.args)
    except Exception:
        return False  # what cannot be looked at may still be shown


def _weighs_too_much(shown):
    left, around, weight = [shown], set(), 0
    while left:
        obj = left.pop()
        if type(obj) is _End:
            around.discard(obj.key)
            continue
        weight += 1 + (len(obj) // 100 if isinstance(obj, (str, bytes, bytearray)) else 0)
        if weight > _MOST:
            return True
        parts = _parts(obj)
        if parts and id(obj) not in around:
            around.add(id(obj))
            left.append(_End(id(obj)))
            left += parts
    return False


_MOST = 10_000  # objects, or hundreds of characters


class _End:
    """Stands where all that an object shows has been met."""

    def __init__(self, key):
        self.key = key


def _parts(obj):
    """What repr() of an object is likely to show."""
    if isinstance(obj, dict):
        return list(itertools.islice(itertools.chain(obj, obj.values()), _MOST + 1))
    if isinstance(obj, (list, tuple, set, frozenset, collections.deque)):
        return list(itertools.islice(obj, _MOST + 1))
    if isinstance(obj, BaseException):
        return list(obj.args)
    if isinstance(type(obj).__repr__, types.FunctionType):
        return list(getattr(obj, "__dict__", {}).values())
    return []


def restore(parts):
    """The exception to raise, from what describe() gave, or from its first three items."""
    text, name, message = parts[:3]
    exception = parts[3] if len(parts) > 3 else None
    if not isinstance(exception, BaseException):
        exception = RemoteError(message, name)
    if text:
        exception.__cause__ = RemoteTraceback(text)
    return exception
