# SPDX-License-Identifier: MIT
"""How exceptions cross: the object itself where it can, always the text of its traceback."""

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
    try:
        import traceback

        # An interrupt interrupts whatever runs: the exception being handled then is not its context,
        # and showing that would run code of the program's while interrupts wait.
        chain = type(exception) is not KeyboardInterrupt
        text = "".join(traceback.format_exception(exception, chain=chain))
    except Exception:
        text = ""
    cls = type(exception)
    name = cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    try:
        message = str(exception)
    except Exception:
        message = "its message cannot be shown"
    return text, name, message, exception


def restore(parts):
    """The exception to raise, from what describe() gave, or from its first three items."""
    text, name, message = parts[:3]
    exception = parts[3] if len(parts) > 3 else None
    if not isinstance(exception, BaseException):
        exception = RemoteError(message, name)
    if text:
        exception.__cause__ = RemoteTraceback(text)
    return exception
