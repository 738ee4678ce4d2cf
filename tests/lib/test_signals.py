# SPDX-License-Identifier: MIT
"""signal.signal() and signal.getsignal() in interpreters: handlers belong to the main one, but for SIGINT."""

import errno
import os
import signal
import sys

import support
from interlock import Channel


def dispositions(*numbers):
    return [signal.getsignal(each) for each in numbers]


def report_to(channel):
    def handler(number, frame):
        if channel is not None:
            channel.send((number, frame is not None))
            return 1 / 0

    return handler


def wait_in_channel(channel):
    return (channel or Channel(1)).recv()


def wait_in_python(channel):
    while True:
        pass


def wait_with_handler(handler, wait, ready, channel=None):
    before = signal.signal(signal.SIGINT, handler)
    try:
        if signal.getsignal(signal.SIGINT) != handler:
            raise AssertionError(signal.getsignal(signal.SIGINT))
        ready.send("waits")
        return wait(channel)
    finally:
        signal.signal(signal.SIGINT, before)


def in_thread(function, *args):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        threads.submit(function, *args).result()


def wait_with_wakeup(descriptor, ready):
    ready.send(signal.set_wakeup_fd(descriptor, warn_on_full_buffer=False))
    Channel(1).recv()


class Signals(support.TestCase):
    """Handlers are objects of the main interpreter."""

    def test_no_other_interpreter_gets_a_handler(self):
        class Handler:
            def __call__(self, *args): ...

        def set_signal(number, handler):
            self.addCleanup(signal.signal, number, signal.signal(number, handler))

        set_signal(signal.SIGINT, handler := Handler())
        count = sys.getrefcount(handler)
        for other in (signal.SIG_DFL, signal.SIG_IGN):
            set_signal(signal.SIGTERM, other)
            found = self.interpreter().call(dispositions, signal.SIGTERM, signal.SIGINT)
            self.assertEqual(found, [other, signal.default_int_handler])
        self.assertEqual(sys.getrefcount(handler), count)
        self.assertIs(signal.getsignal(signal.SIGINT), handler)

    def test_an_interrupt_calls_the_handler_of_sigint(self):
        i, ready = self.interpreter(), Channel(1)
        for handler, expected in ((signal.SIG_DFL, KeyboardInterrupt), (report_to(ready), ZeroDivisionError)):
            for wait in (wait_in_channel, wait_in_python):
                with self.subTest(handler=handler, wait=wait.__name__):
                    future = i.submit(wait_with_handler, handler, wait, ready)
                    self.assertEqual(ready.recv(timeout=support.LIMIT), "waits")
                    i.interrupt()
                    self.assertIs(type(future.exception(support.LIMIT)), expected)
                    if expected is ZeroDivisionError:
                        self.assertEqual(ready.recv(timeout=support.LIMIT), (signal.SIGINT, True))
        self.assertEqual(i.call(dispositions, signal.SIGINT), [signal.default_int_handler])

    def test_a_handler_that_returns_lets_it_go_on(self):
        for handler in (signal.SIG_IGN, report_to(None)):
            with self.subTest(handler=handler):
                i, ready, channel = self.interpreter(), Channel(1), Channel(1)
                future = i.submit(wait_with_handler, handler, wait_in_channel, ready, channel)
                self.assertEqual(ready.recv(timeout=support.LIMIT), "waits")
                i.interrupt()
                channel.send("item")
                self.assertEqual(future.result(support.LIMIT), "item")

    def test_an_interrupt_writes_to_the_wakeup_descriptor(self):
        i, ready = self.interpreter(), Channel(1)
        there, back = os.pipe()
        with self.assertRaisesRegex(ValueError, "must be in non-blocking mode"):
            i.call(signal.set_wakeup_fd, back)
        os.set_blocking(back, False)
        self.addCleanup(os.close, there)
        self.addCleanup(os.close, back)
        future = i.submit(wait_with_wakeup, back, ready)
        self.assertEqual(ready.recv(timeout=support.LIMIT), -1)
        i.interrupt()
        self.assertIsInstance(future.exception(support.LIMIT), KeyboardInterrupt)
        self.assertEqual(os.read(there, 10), bytes([signal.SIGINT]))
        self.assertEqual(i.call(signal.set_wakeup_fd, -1), back)
        with self.assertRaises(TypeError):
            i.call(signal.set_wakeup_fd, "1")
        with self.assertRaisesRegex(ValueError, "main thread of an interpreter"):
            i.call(in_thread, signal.set_wakeup_fd, -1)

    def test_what_cannot_be_a_handler_is_refused(self):
        i = self.interpreter()
        for number, handler, error in (
            (signal.SIGTERM, signal.SIG_IGN, ValueError),
            (signal.SIGINT, None, TypeError),
            (signal.SIGINT, 2, TypeError),
            (0, signal.SIG_IGN, ValueError),
        ):
            with self.subTest(number=number, handler=handler), self.assertRaises(error):
                i.call(signal.signal, number, handler)
        with self.assertRaises(OSError) as caught:  # event loops go on from that
            i.call(signal.signal, signal.SIGTERM, signal.SIG_IGN)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        with self.assertRaisesRegex(ValueError, "main thread of an interpreter"):
            i.call(in_thread, signal.signal, signal.SIGINT, signal.SIG_DFL)

    def test_errors(self):
        for number, error in ((0, ValueError), (1000, ValueError), ("INT", TypeError), (1 << 70, OverflowError)):
            with self.subTest(number=number), self.assertRaises(error):
                self.interpreter().call(dispositions, number)


if __name__ == "__main__":
    support.main()
