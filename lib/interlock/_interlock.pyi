"""The builtin module: what the C++ runtime offers to the Python side of the package.

Private to the package, except for the names that `interlock` re-exports.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, final

class TransferError(TypeError):
    """An object cannot leave its interpreter; the message gives the path to the culprit."""

class ChannelClosed(Exception): ...
class ChannelFull(Exception): ...
class ChannelEmpty(Exception): ...

class InterpreterEnded(RuntimeError):
    """The interpreter was closed, or gave up, before it could do what was asked."""

class Handle:
    """Base of everything that crosses by reference."""

@final
class Channel(Handle):
    def __init__(self, capacity: int = 1) -> None: ...
    capacity: int
    closed: bool
    def send(self, obj: Any, timeout: float | None = None) -> None: ...
    def recv(self, timeout: float | None = None) -> Any: ...
    def try_send(self, obj: Any) -> None: ...
    def try_recv(self) -> Any: ...
    def close(self) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __next__(self) -> Any: ...
    def __enter__(self) -> Channel: ...
    def __exit__(self, *exc: Any) -> None: ...

@final
class TaskQueue:
    """Tasks waiting for a home thread. Interpreters that share a queue are a pool's workers."""

    def __init__(self) -> None: ...
    def submit(
        self,
        completions: Completions,
        key: Any,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Task:
        """Queue function(*args, **kwargs); `completions` gets (key, task) when it has ended."""
    def close(self) -> None:
        """Refuse further tasks; what is queued is still done."""
    def cancel_queued(self) -> int:
        """Cancel every task not yet started; how many."""
    def __len__(self) -> int: ...

@final
class Task:
    def cancel(self) -> bool:
        """True if the task had not started: it never will."""
    def result(self) -> Any:
        """The value, or raise the exception, of a task that has ended."""
    state: str  # "queued", "running", "done", "cancelled"

@final
class Completions:
    """Ended tasks, on their way to the interpreter that submitted them."""

    def __init__(self) -> None: ...
    def wait(self, timeout: float | None = None) -> list[tuple[Any, Task]]:
        """Wait for at least one ended or started task... returns all there are; [] at the timeout or after wake()."""
    def wake(self) -> None:
        """Let the current or next wait() return []."""

@final
class Interpreter(Handle):
    """A home thread and its interpreter. `queue` is where the home thread takes tasks from."""

    id: int
    name: str
    alive: bool  # accepts calls
    @staticmethod
    def create(
        name: str | None, queue: TaskQueue | None, setup: Callable[..., Any] | None, setup_args: tuple[Any, ...]
    ) -> Interpreter: ...
    def call(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any: ...
    def interrupt(self) -> None: ...
    def close(self, timeout: float | None = None) -> bool:
        """Drain, then interrupt, then abandon at the timeout; False if abandoned."""
    def stats(self) -> dict[str, Any]: ...

@final
class MapJob:
    """function over many argument tuples on a pool's workers, results in order."""

    def __init__(self, queue: TaskQueue, function: Callable[..., Any], workers: int, chunksize: int | None) -> None: ...
    def feed(self, iterator: Iterator[tuple[Any, ...]], most: int | None) -> bool:
        """Take up to `most` argument tuples (None: all); False once the iterator is exhausted."""
    def next(self, timeout: float | None = None) -> Any:
        """The next result in order, or raise its exception; StopIteration after the last, TimeoutError."""
    def cancel(self) -> None: ...
    pending: int  # fed and not yet returned by next()

@final
class GlobalLock:
    """The upper tier: one lock for the process. Re-entrant, a context manager."""

    def acquire(self, timeout: float | None = None) -> bool: ...
    def release(self) -> None: ...
    def locked(self) -> bool: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exc: Any) -> None: ...

global_lock: Final[GlobalLock]

def interpreter_id() -> int:
    """Id of the calling interpreter; 0 is the main one."""

def available_parallelism() -> int: ...
