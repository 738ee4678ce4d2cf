# SPDX-License-Identifier: MIT
"""What a new interpreter takes over from the one that creates it, and what runs inside it."""

import _signal
import atexit
import os
import sys
import threading
import types
import warnings

import _interlock

_MAIN = "__main__"

serving = {}  # ident of a thread that runs calls by proxy -> its server; see _proxy_server


def settings(extensions=None):
    """What set_up() applies in the new interpreter. Called in the creator."""
    return {
        "extensions": _extension_settings(extensions),
        "path": [each for each in sys.path if isinstance(each, str)],
        "argv": list(sys.argv),
        "filters": _plain_filters(),
        "recursion_limit": sys.getrecursionlimit(),
        "switch_interval": sys.getswitchinterval(),
        "dont_write_bytecode": sys.dont_write_bytecode,
        "pycache_prefix": sys.pycache_prefix,
    }


def _extension_settings(extensions):
    loaded = sys.modules.get(f"{__package__}._extensions")
    if extensions is None and (loaded is None or not loaded.own):
        return None  # as mostly: nothing is imported for it, there or here
    from . import _extensions

    return _extensions.settings(extensions)


def _is_everywhere(category):
    """Other packages set filters for their categories when they are imported. Nothing is imported for a filter."""
    return _module(category) == _MAIN or _is_standard(category)


def _is_standard(category):
    return _module(category).partition(".")[0] in sys.stdlib_module_names


def _module(category):
    return str(getattr(category, "__module__", None))  # warnings take any object, and tuples of classes


def _plain_filters():
    return [_plain_filter(each) for each in warnings.filters if _is_everywhere(each[2])]


def _plain_filter(each):
    action, message, category, module, line = each[:5]
    return action, _pattern(message), category, _pattern(module), line


def _pattern(value):
    return value if value is None or isinstance(value, str | _Beginning) else value.pattern


def set_up(inherited, initializer=None, arguments=()):
    """First call in a new interpreter."""
    _adopt_home_thread()
    _take_over_signal_handlers()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork = _register_at_fork
    sys.path[:] = inherited["path"]
    sys.argv[:] = inherited["argv"]
    sys.setrecursionlimit(inherited["recursion_limit"])
    sys.setswitchinterval(inherited["switch_interval"])
    sys.dont_write_bytecode = inherited["dont_write_bytecode"]
    sys.pycache_prefix = inherited["pycache_prefix"]
    if inherited["filters"] != _plain_filters():  # mostly they are CPython's; to set one may need re
        _set_filters(inherited["filters"])
    if inherited["extensions"] is not None:
        from . import _extensions

        _extensions.apply(*inherited["extensions"])
    if initializer is not None:
        initializer(*arguments)


def _adopt_home_thread():
    """Makes the home thread the main thread of threading.

    CPython takes the process's main thread for it (3.13-3.15), which no subinterpreter runs on; the
    home thread would be a dummy, whose removal fails when the interpreter ends.
    """
    main = threading.main_thread()
    if main.ident == threading.get_ident():
        return
    threading._active.pop(main.ident, None)
    main._ident = threading.get_ident()
    if hasattr(threading, "_make_thread_handle"):
        main._handle = threading._make_thread_handle(main._ident)
    main._native_id = threading.get_native_id()
    threading._active[main._ident] = main


def _take_over_signal_handlers():
    """Signal handlers are objects of the main interpreter, whose references its lock guards.

    CPython's getsignal() gives them to any interpreter (3.13-3.15). That of SIGINT is for interrupts: asyncio.run()
    sets it, since an event loop does not survive an exception in the middle of what it does. Event loops also ask for
    a byte that wakes them.
    """
    _signal.getsignal = _interlock.signal_disposition
    _signal.signal = _interlock.set_signal_handler
    # The module `signal` has copies of these, and may have been imported by a sitecustomize.
    for module in (_signal, sys.modules.get("signal", _signal)):
        module.set_wakeup_fd = _set_wakeup_fd
        module.siginterrupt = _siginterrupt


def _set_wakeup_fd(fd, /, *, warn_on_full_buffer=True):
    """As CPython's; an interrupt must not wait for room."""
    if fd != -1 and os.get_blocking(fd):
        raise ValueError(f"the fd {fd} must be in non-blocking mode")
    return _interlock.set_wakeup_fd(fd, warn_on_full_buffer=warn_on_full_buffer)


def _siginterrupt(signalnum, flag, /):
    """No signal interrupts a system call of an interpreter but the main one; nothing is to change for that."""


def _register_at_fork(**functions):
    """No interpreter but the main one forks; others would keep the functions, and what they lead to, for nothing."""
    if unknown := functions.keys() - {"before", "after_in_child", "after_in_parent"}:
        raise TypeError(f"register_at_fork() got an unexpected keyword argument {min(unknown)!r}")
    if not functions:
        raise TypeError("At least one argument is required.")
    for name, each in functions.items():
        if not callable(each):
            raise TypeError(f"{name!r} must be callable, not {type(each).__name__}")


class _Beginning:
    """A regular expression for a text that begins with another, which takes no re until somebody looks at it."""

    def __init__(self, text):
        self.text = text

    def match(self, text):
        return text.startswith(self.text)

    def __getattr__(self, name):
        if name.startswith("__") or name == "text":
            raise AttributeError(name)
        import re

        return getattr(re.compile(re.escape(self.text)), name)

    def __eq__(self, other):
        return isinstance(other, _Beginning) and self.text == other.text

    def __hash__(self):
        return hash(self.text)


def ignore_warning(beginning, category):
    """From now on, of the calling interpreter. `beginning` is plain text."""
    warnings.filters.insert(0, ("ignore", _Beginning(beginning), category, None, 0))


def end_threads_at_exit(module, function):
    """A module's pool of threads, of which its function sets the number, is left with the caller alone."""
    atexit.register(lambda: getattr(module, function, lambda number: None)(1))  # it may have failed to begin


def _set_filters(filters):
    warnings.resetwarnings()
    for action, message, category, module, line in reversed(filters):
        if isinstance(message, _Beginning):
            ignore_warning(message.text, category)
        elif message is None and module is None:
            warnings.simplefilter(action, category, line)
        else:
            warnings.filterwarnings(action, message or "", category, module or "", line)


def _in_main(function, args, kwargs, /):
    return function(*args, **(kwargs or {}))


# Its frame is one of `__main__`, for builtin functions that look at it.
in_main = types.FunctionType(_in_main.__code__, sys.modules[_MAIN].__dict__)


def execute(source):
    """Runs source text in `__main__` of the calling interpreter."""
    exec(_compile(source), sys.modules[_MAIN].__dict__)


def tear_down():
    """Last call in an interpreter that ends; no interrupt reaches it.

    Whoever waits for what this one sends is told, even if daemon threads keep its Senders, and whoever calls
    its proxies, even if atexit functions were interrupted before they ended these.
    Filters with regular expressions go: CPython (seen in 3.15) leaks a part of them, and with it keeps the
    whole heap of the interpreter. So do those for categories of other packages, which lead to all that these are.
    """
    _interlock.close_senders()
    if proxies := sys.modules.get("interlock._proxy_server"):
        proxies.close()
    plain = [each for each in warnings.filters if each[1] is each[3] is None and _is_standard(each[2])]
    _set_filters([each[:5] for each in plain])


def set_variable(name, value):
    """Sets a variable of `__main__` of the calling interpreter."""
    setattr(sys.modules[_MAIN], name, value)


def _compile(source):
    name = "<interlock exec>"
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except IndentationError:
        import textwrap

        try:
            return compile(textwrap.dedent(source), name, "exec", dont_inherit=True)
        except SyntaxError:
            pass
        raise
