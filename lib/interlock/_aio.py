# SPDX-License-Identifier: MIT
"""Channels in asyncio: one bell for each event loop, and no helper thread.

Works with any loop that has add_reader() (the default one of POSIX, uvloop), and with those that can only
read sockets (the proactor loop of Windows).
"""

import asyncio
import socket
import weakref

import _interlock

_bells = weakref.WeakKeyDictionary()  # event loop -> _Bell

_A_LITTLE = 0.0005  # seconds until a channel is tried again whose next cell another thread is busy with


class _Bell:
    """What rings when operations of one loop may go on."""

    def __init__(self, loop):
        self._bell = _interlock.LoopBell()
        try:
            loop.add_reader(self._bell.fileno(), self._tell)
        except NotImplementedError:
            self._bell = _interlock.LoopBell(as_socket=True)
            self._begin_to_listen(loop)
        self.waiter = self._bell.waiter

    def _begin_to_listen(self, loop):
        # Not kept here: the loop does, and a bell that led to its loop would keep that for ever.
        task = loop.create_task(self._listen(loop), name="interlock bell")
        task._log_destroy_pending = False  # it lasts as long as the loop
        task.add_done_callback(self._listen_on)

    def _listen_on(self, task):
        """An interrupt ends the loop, and what runs just then: after that it may run again."""
        if not task.cancelled() and isinstance(task.exception(), KeyboardInterrupt):
            self._begin_to_listen(task.get_loop())

    async def _listen(self, loop):
        family = getattr(socket, "AF_UNIX", socket.AF_INET)
        with socket.fromfd(self._bell.fileno(), family, socket.SOCK_STREAM) as ear:
            ear.setblocking(False)
            while await loop.sock_recv(ear, 4096):
                self._tell()

    def _tell(self):
        for waiter in self._bell.take():
            future = getattr(waiter, "future", None)
            if future is not None and not future.done():
                future.set_result(None)


async def _run(channel, *item):
    """One operation: sends item if there is one, else receives."""
    loop = asyncio.get_running_loop()
    bell = _bells.get(loop)
    if bell is None:
        bell = _bells[loop] = _Bell(loop)
    waiter = bell.waiter(channel, *item)
    step = waiter.start()
    while not step:
        if step is None:
            await asyncio.sleep(_A_LITTLE)
            step = waiter.start()
            continue
        waiter.future = loop.create_future()
        try:
            await waiter.future
        except BaseException:
            waiter.cancel()
            raise
        step = waiter.resume()
    return waiter.result()


async def receive(channel):
    return await _run(channel)


async def send(channel, item, sender=None):
    """sender: kept until the item was sent, if it is sent through one."""
    await _run(channel, item)


async def receive_next(channel):
    """For `async for`."""
    try:
        return await _run(channel)
    except _interlock.ChannelClosed:
        raise StopAsyncIteration from None
