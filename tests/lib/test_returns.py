# SPDX-License-Identifier: MIT
"""What an interpreter lent comes back to it, whatever it is doing meanwhile."""

import array
import gc
import os
import sys
import threading
import unittest
import weakref

import interlock
import support

COUNT = int(100_000 / support.SLOWER)


def lend(out, gone, count):
    """Sends views of `count` arrays; tells `gone` when the last array has ended."""
    import array
    import sys
    import weakref

    references = sys.references = {}

    def ended(number):
        del references[number]
        if not references:
            gone.send("all")

    for number in range(count):
        owner = array.array("b", b"12345678")
        references[number] = weakref.ref(owner, lambda _, number=number: ended(number))
        out.send(memoryview(owner))
        del owner


def lend_and_wait(out, gone, count, resume):
    lend(out, gone, count)
    resume.recv()


def lend_and_spin(out, gone, count, stop):
    lend(out, gone, count)
    while not stop.is_set():
        pass


def still_lent():
    import sys

    return len(sys.references)


def allocated():
    gc.collect()
    return sys.getallocatedblocks()


class Doing(support.TestCase):
    """The owner of 100,000 buffers gets them back while it does something else."""

    def setUp(self):
        self.owner = self.interpreter()
        self.out, self.gone = interlock.Channel(None), interlock.Channel(1)

    def drop_all(self):
        views = [self.out.recv(support.LIMIT) for _ in range(COUNT)]
        self.assertEqual(bytes(views[-1]), b"12345678")
        views.clear()
        self.assertEqual(self.gone.recv(support.LIMIT), "all")

    def test_nothing(self):
        before = None
        for _ in range(2):
            self.owner.call(lend, self.out, self.gone, COUNT)
            self.drop_all()
            after = self.owner.call(allocated)
            if before is not None:
                self.assertLess(after - before, COUNT / 10)
            before = after

    def test_waiting_for_a_message(self):
        resume = interlock.Channel(1)
        waiting = self.owner.submit(lend_and_wait, self.out, self.gone, COUNT, resume)
        self.drop_all()
        self.assertFalse(waiting.done())
        resume.send(None)
        waiting.result(support.LIMIT)

    def test_running_python_code(self):
        stop = interlock.Event()
        running = self.owner.submit(lend_and_spin, self.out, self.gone, COUNT, stop)
        try:
            self.drop_all()
            self.assertFalse(running.done())
        finally:
            stop.set()
        running.result(support.LIMIT)

    def test_sending_more(self):
        """The receiver drops what it has while the owner still sends."""
        out = interlock.Channel(100)
        sending = self.owner.submit(lend, out, interlock.Channel(None), COUNT)
        for _ in range(COUNT):
            out.recv(support.LIMIT)
        sending.result(support.LIMIT)
        self.assertEqual(self.owner.call(still_lent), 0)


def drop_then_answer(views, released, answer):
    del views[:]
    answer.send(released.wait(support.LIMIT))


class Main(support.TestCase):
    def wait_for_release(self, wait):
        """The main thread waits by `wait(answer)` while another interpreter drops what main lent."""
        released, answer = interlock.Event(), interlock.Channel(1)
        owner = array.array("b", b"123")
        finalizer = weakref.finalize(owner, released.set)
        other = self.interpreter()
        done = other.submit(drop_then_answer, [memoryview(owner)], released, answer)
        del owner
        wait(answer, done)
        self.assertFalse(finalizer.alive)

    def test_waits_for_a_message(self):
        self.wait_for_release(lambda answer, done: self.assertTrue(answer.recv(support.LIMIT)))

    def test_waits_in_select(self):
        self.wait_for_release(
            lambda answer, done: self.assertEqual(interlock.select([answer], support.LIMIT), (0, True))
        )

    def test_a_wait_in_another_thread_is_woken_as_well(self):
        got = []

        def wait(answer, done):
            thread = self.in_thread(lambda: got.append(answer.recv(support.LIMIT)))
            thread.join(support.LIMIT)

        self.wait_for_release(wait)
        self.assertEqual(got, [True])

    def test_the_owner_itself_releases_at_once(self):
        channel = interlock.Channel(1)
        owner = bytearray(b"123")
        channel.send(memoryview(owner))
        channel.recv().release()
        owner.append(4)

    def test_many_threads_give_back(self):
        owner = bytearray(8)
        channel = interlock.Channel(None)
        count = int(2000 / support.SLOWER)

        def drop(channel, count):
            for _ in range(count):
                channel.recv()

        others = [self.interpreter() for _ in range(3)]
        done = [each.submit(drop, channel, count) for each in others]
        for _ in range(count * len(others)):
            channel.send(memoryview(owner))
        for each in done:
            each.result(support.LIMIT)
        self.wait_until_resizable(owner)

    def wait_until_resizable(self, owner):
        ended = threading.Event()
        timer = threading.Timer(support.LIMIT, ended.set)
        timer.start()
        self.addCleanup(timer.cancel)
        while not ended.is_set():
            try:
                return owner.append(0)
            except BufferError:
                pass
        self.fail("the buffer has not come back")


class Ends(support.TestCase):
    def test_a_view_outlives_the_interpreter_that_lent_it(self):
        def make():
            import array
            import ctypes
            import mmap

            mapped = mmap.mmap(-1, 4096)
            mapped[:4] = b"mmap"
            text = array.array("w", "array")
            viewed = bytearray(b"held by another view")
            make.keep = viewed, memoryview(viewed)
            views = [b"bytes" * 1000, bytearray(b"bytearray" * 1000), text, (ctypes.c_short * 2)(1, 2), viewed]
            return [*map(memoryview, views), mapped]

        interpreter = interlock.Interpreter()
        views = interpreter.call(make)
        interpreter.close()
        expected = [b"bytes" * 1000, b"bytearray" * 1000, memoryview(array.array("w", "array")).tobytes()]
        self.assertEqual([each.tobytes() for each in views[:3]], expected)
        self.assertEqual(views[3].cast("B").cast("h").tolist(), [1, 2])
        self.assertEqual(views[4], b"held by another view")
        self.assertEqual(views[5][:4], b"mmap")
        views[1][0] = views[5][0] = 0
        del views

    def test_a_message_outlives_the_interpreter_that_lent_it(self):
        def send(channel):
            channel.send(memoryview(bytearray(b"left")))
            channel.send(memoryview(bytearray(b"dropped")))

        channel = interlock.Channel(None)
        interpreter = interlock.Interpreter()
        interpreter.call(send, channel)
        interpreter.close()
        self.assertEqual(channel.recv(), b"left")
        channel.cancel()

    def test_views_dropped_while_their_owners_end(self):
        def make():
            return [memoryview(bytearray(1000)) for _ in range(100)]

        for _ in range(int(20 / support.SLOWER) + 1):
            interpreter = interlock.Interpreter()
            views = [interpreter.call(make) for _ in range(10)]
            thread = self.in_thread(views.clear)
            interpreter.close()
            thread.join(support.LIMIT)

    def test_the_memory_of_bytes_is_freed_after_their_interpreter(self):
        if support.ADDRESS_SANITIZER or sys.platform != "linux":
            self.skipTest("counts resident memory")
        out, _ = self.run_program(
            "import interlock\n"
            "def make(): return [memoryview(bytearray(b'x') * 8_000_000), memoryview(b'x' * 8_000_000)]\n"
            "def resident():\n"
            "    with open('/proc/self/statm') as file: return int(file.read().split()[1]) * 4096\n"
            "def cycle():\n"
            "    with interlock.Interpreter() as i: views = i.call(make)\n"
            "    assert views[0][-1] == views[1][-1] == ord('x')\n"
            "for _ in range(3): cycle()\n"
            "before = resident()\n"
            "for _ in range(10): cycle()\n"
            "print(resident() - before)\n"
        )
        # Kept, it would be 160 MB.
        self.assertLess(int(out), 60_000_000)

    def test_the_process_may_end_with_anything_lent(self):
        self.run_program(
            "import interlock\n"
            "interpreter, channel = interlock.Interpreter(), interlock.Channel(None)\n"
            "def keep(view):\n"
            "    import sys\n"
            "    sys.kept = view\n"
            "    return memoryview(bytearray(b'x' * 100))\n"
            "view = interpreter.call(keep, memoryview(bytearray(100)))\n"
            "channel.send(memoryview(bytearray(b'never received')))\n"
        )

    @unittest.skipUnless(hasattr(os, "fork"), "no fork()")
    def test_the_child_of_a_fork_leaves_what_its_parent_lent(self):
        self.run_program(
            "import interlock, os\n"
            "interpreter, channel = interlock.Interpreter(), interlock.Channel(None)\n"
            "view = interpreter.call(lambda: memoryview(bytearray(b'theirs')))\n"
            "own = bytearray(b'own')\n"
            "channel.send(memoryview(own))\n"
            "mine = channel.recv()\n"
            "if child := os.fork():\n"
            "    assert os.waitpid(child, 0)[1] == 0\n"
            "else:\n"
            "    assert view == b'theirs' and mine == own\n"
            "    del view, mine\n"
            "    other = interlock.Channel(1)\n"
            "    again = bytearray(3)\n"
            "    other.send(memoryview(again))\n"
            "    other.recv().release()\n"
            "    again.append(1)\n"
        )

    def test_interpreters_that_others_made(self):
        self.run_program(
            "import _interpreters\n"
            "source = '''\n"
            "import interlock\n"
            "channel, owner = interlock.Channel(2), bytearray(b'123')\n"
            "channel.send(memoryview(owner))\n"
            "channel.recv().release()\n"
            "owner.append(4)\n"
            "channel.send(memoryview(owner))\n"
            "kept = channel.recv()\n"
            "'''\n"
            "for _ in range(3):\n"
            "    created = _interpreters.create()\n"
            "    failure = _interpreters.exec(created, source)\n"
            "    assert failure is None, failure\n"
            "    _interpreters.destroy(created)\n"
        )


if __name__ == "__main__":
    support.main()
