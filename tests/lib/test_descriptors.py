# SPDX-License-Identifier: MIT
"""Sockets, connections and descriptors: duplicated by a send, handed over by a move."""

import os
import socket
import sys
import unittest
from multiprocessing.connection import Pipe

import interlock
import support

try:
    import ssl
except ImportError:
    ssl = None


class Holder:
    def __init__(self, held):
        self.held = held


class Subclass(socket.socket):
    pass


class Descriptors(support.TestCase):
    def setUp(self):
        self.channel = interlock.Channel(None)
        self.near, self.far = socket.socketpair()
        for each in (self.near, self.far):
            self.addCleanup(each.close)
        self.far.settimeout(support.LIMIT)

    def sent(self, obj, **kwargs):
        self.channel.send(obj, **kwargs)
        got = self.channel.recv(support.LIMIT)
        if hasattr(got, "close"):
            self.addCleanup(got.close)
        return got

    def refused(self, obj, reason, **kwargs):
        with self.assertRaisesRegex(interlock.TransferError, reason):
            self.channel.send(obj, **kwargs)


class Sockets(Descriptors):
    def test_are_duplicated(self):
        got = self.sent(self.near)
        self.assertNotEqual(got.fileno(), self.near.fileno())
        self.assertFalse(os.get_inheritable(got.fileno()))
        for each in (got, self.near):
            each.sendall(b"x")
            self.assertEqual(self.far.recv(9), b"x")
        got.close()
        self.near.sendall(b"y")
        self.assertEqual(self.far.recv(9), b"y")

    def test_are_used_in_other_interpreters(self):
        def talk(near):
            near.sendall(b"ping")
            return near.recv(9)

        self.far.sendall(b"pong")
        self.assertEqual(self.interpreter().call(talk, self.near), b"pong")
        self.assertEqual(self.far.recv(9), b"ping")

    def test_keep_what_they_are(self):
        for timeout in (None, 0.0, 2.5):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
                each.settimeout(timeout)
                each.bind(("127.0.0.1", 0))
                got = self.sent(each)
                for name in ("family", "type", "proto"):
                    self.assertEqual(getattr(got, name), getattr(each, name))
                self.assertEqual(got.getsockname(), each.getsockname())
                self.assertEqual((got.gettimeout(), got.getblocking()), (timeout, timeout != 0.0))

    def test_met_twice_are_one(self):
        first, second = self.sent([self.near, self.near])
        self.addCleanup(first.close)
        self.assertIs(first, second)

    def test_are_handed_over_by_a_move(self):
        got = self.sent([self.near], move=True)[0]
        self.addCleanup(got.close)
        self.assertEqual(self.near.fileno(), -1)
        got.sendall(b"x")
        self.assertEqual(self.far.recv(9), b"x")
        got.close()
        self.assertEqual(self.far.recv(9), b"")

    def test_inside_an_instance_are_duplicated_by_a_move(self):
        got = self.sent(Holder(self.near), move=True).held
        self.addCleanup(got.close)
        for each in (got, self.near):
            each.sendall(b"x")
            self.assertEqual(self.far.recv(9), b"x")

    def test_stay_open_when_a_move_fails(self):
        full = interlock.Channel(1)
        full.send(0)
        with self.assertRaises(interlock.ChannelFull):
            full.try_send(self.near, move=True)
        self.refused([self.near, (each for each in ())], r"message\[1\]: a generator", move=True)
        self.near.sendall(b"x")
        self.assertEqual(self.far.recv(9), b"x")
        self.near.close()
        self.assertEqual(self.far.recv(9), b"", "something else has it open")

    def test_that_were_not_received_are_closed(self):
        self.channel.send(self.near)
        self.channel.send([self.near], move=True)
        self.channel.cancel()
        self.assertEqual(self.far.recv(9), b"")

    def test_outlive_the_interpreter_that_sent_them(self):
        def send(channel):
            import socket

            near, far = socket.socketpair()
            near.sendall(b"early")
            channel.send(far, move=True)

        interpreter = interlock.Interpreter()
        interpreter.call(send, self.channel)
        interpreter.close()
        with self.channel.recv() as far:
            self.assertEqual(far.recv(9), b"early")
            self.assertEqual(far.recv(9), b"")

    def test_that_cannot_cross(self):
        self.near.close()
        self.refused({"s": self.near}, r"message\['s'\]: a socket cannot leave its interpreter: it is closed")
        with Subclass() as other:
            self.refused(other, "only socket.socket crosses")

    @unittest.skipIf(ssl is None, "this Python has no ssl")
    def test_of_tls_cannot_cross(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with context.wrap_socket(socket.socket(), server_hostname="localhost") as secure:
            self.refused([secure], r"message\[0\]: a SSLSocket .*: its TLS session belongs to one interpreter")

    @unittest.skipUnless(sys.platform == "linux", "counts descriptors in /proc")
    def test_leave_no_descriptor_behind(self):
        def count():
            return len(os.listdir("/proc/self/fd"))

        full = interlock.Channel(1)
        full.send(0)
        self.sent(self.near).close()
        before = count()
        for _ in range(100):
            self.channel.send([self.near, interlock.Descriptor(self.near)])
            self.channel.recv()[0].close()
            with self.assertRaises(interlock.ChannelFull):
                full.try_send(self.near, move=True)
        self.assertEqual(count(), before)


class Connections(Descriptors):
    def test_are_duplicated(self):
        near, far = Pipe()

        def answer(near):
            near.send([near.recv(), "answer"])
            near.close()

        with near, far:
            far.send("question")
            self.interpreter().call(answer, near)
            self.assertTrue(far.poll(support.LIMIT))
            self.assertEqual(far.recv(), ["question", "answer"])
            near.send("still open")
            self.assertEqual(far.recv(), "still open")

    def test_of_one_direction_stay_so(self):
        reading, writing = Pipe(duplex=False)
        with reading, writing:
            got = self.sent(reading)
            self.assertEqual((got.readable, got.writable), (True, False))
            writing.send(1)
            self.assertEqual(got.recv(), 1)

    def test_are_handed_over_by_a_move(self):
        near, far = Pipe()
        with far:
            got = self.sent(near, move=True)
            self.assertTrue(near.closed)
            got.send(1)
            self.assertEqual(far.recv(), 1)
            self.refused(near, "a Connection cannot leave its interpreter: it is closed")


class Others(Descriptors):
    def test_a_descriptor_of_anything(self):
        reading, writing = os.pipe()

        def write(descriptor):
            import os

            with os.fdopen(descriptor.take(), "w") as file:
                file.write("text")

        with os.fdopen(reading) as file:
            self.interpreter().call(write, interlock.Descriptor(writing))
            os.close(writing)
            self.assertEqual(file.read(), "text")

    def test_what_a_descriptor_takes(self):
        with self.assertRaises(OSError):
            interlock.Descriptor(987654)
        with self.assertRaises(TypeError):
            interlock.Descriptor("1")
        with self.assertRaises(ValueError):
            interlock.Descriptor(-1)
        descriptor = self.sent(interlock.Descriptor(self.near))
        number = descriptor.take()
        self.addCleanup(os.close, number)
        self.assertFalse(os.get_inheritable(number))
        self.assertTrue(os.path.sameopenfile(number, self.near.fileno()))
        self.assertEqual(descriptor, self.sent(descriptor))

    def test_a_descriptor_that_nobody_has_is_closed(self):
        descriptor = interlock.Descriptor(self.near)
        self.near.close()
        del descriptor
        self.assertEqual(self.far.recv(9), b"")

    def test_open_files_are_refused(self):
        with open(os.devnull) as file:
            self.refused([file], r"message\[0\]: a TextIOWrapper cannot leave its interpreter")


if __name__ == "__main__":
    support.main()
