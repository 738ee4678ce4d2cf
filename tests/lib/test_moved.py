# SPDX-License-Identifier: MIT
"""moved() and move=True wherever objects are sent, passed or returned; and what happens when they are not."""

import _thread
import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import unittest

import _interlock
import interlock
import support
from interlock import Channel, moved


class Record:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, Record) and self.value == other.value

    __hash__ = None


class Stubborn:
    def __reduce_ex__(self, protocol):
        raise TypeError("it stays")


def payloads():
    """What moves as it is, and what is copied and then emptied."""
    return [[1, ["two" * 2]], [1, Record([2])]]


def echo(*args, **kwargs):
    return args, kwargs


def returning_moved():
    sys.kept = [[1], "text" * 3]
    return ["a", moved(sys.kept)]


def what_is_left():
    return sys.kept


def wait_for(channel):
    channel.recv()


def wait_in_list(items):
    items[0].send(0)
    items[1].recv()


def interrupt_main():
    """As Ctrl-C does."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        _thread.interrupt_main()


def raise_with_moved():
    raise ValueError(moved([1, [2]]))


class Failure(Exception):
    pass


class Held(Failure):
    pass


class Rebuilt(Exception):
    """Knows better than the exception's parts what it needs."""

    def __init__(self, items):
        super().__init__()
        self.items = items

    def __reduce__(self):
        return Rebuilt, (self.items,)


def fail(error, attribute=False):
    """Raises an exception that nothing else holds, with what nothing else holds."""
    inner = [["text" * 3]]
    addresses = [id(inner), id(inner[0])]
    big = bytes(5000)
    addresses.append(id(big))
    table = {"inner": inner, "addresses": addresses}
    if attribute:
        raise_with_attributes(error, table=table, big=big)
    raise error(table, big)


def raise_with_attributes(error, **attributes):
    try:
        raise error
    except error as caught:
        vars(caught).update(attributes)
        raise


def fail_with_what_is_held(copied):
    sys.kept = [[1], {"k": [Record(2) if copied else 2]}]
    raise Failure(sys.kept, {"again": sys.kept})


def fail_with_a_held_exception():
    sys.kept = Held([1, [2]])
    sys.kept.attribute = [3]
    raise sys.kept


def fail_with_what_cannot_cross():
    raise Failure([1], (each for each in ()))


def what_is_held():
    return vars(sys.kept) | {"args": sys.kept.args} if isinstance(sys.kept, Held) else sys.kept


class Exceptions(support.TestCase):
    def raised(self, function, *args):
        with self.assertRaises(Exception) as caught:
            self.worker.call(function, *args)
        return caught.exception

    def setUp(self):
        self.worker = self.interpreter()

    @unittest.skipUnless(_interlock.can_move(), "objects are copied")
    def test_what_only_the_exception_holds_is_handed_over(self):
        for attribute in (False, True):
            error = self.raised(fail, Failure, attribute)
            table, big = (error.table, error.big) if attribute else error.args
            self.assertEqual([id(table["inner"]), id(table["inner"][0]), id(big)], table["addresses"])
            self.assertEqual(type(error), Failure)

    def test_what_something_else_holds_stays_as_it_is(self):
        for copied in (False, True):
            error = self.raised(fail_with_what_is_held, copied)
            expected = [[1], {"k": [Record(2) if copied else 2]}]
            self.assertEqual(error.args, (expected, {"again": expected}))
            self.assertIs(error.args[0], error.args[1]["again"])
            self.assertEqual(self.worker.call(what_is_held), expected)
        error = self.raised(fail_with_a_held_exception)
        self.assertEqual((error.args, error.attribute), (([1, [2]],), [3]))
        self.assertEqual(self.worker.call(what_is_held), {"args": ([1, [2]],), "attribute": [3]})

    def test_one_that_says_itself_how_it_crosses(self):
        def fail_rebuilt():
            raise Rebuilt([1, [2]])

        self.assertEqual(self.raised(fail_rebuilt).items, [1, [2]])

    def test_one_with_what_cannot_cross(self):
        error = self.raised(fail_with_what_cannot_cross)
        self.assertIsInstance(error, interlock.RemoteError)
        self.assertIn("Failure", str(error))


class Everywhere(support.TestCase):
    """Each way of sending hands over what is marked, and nothing else."""

    def both(self, send, receive):
        for payload, expected in zip(payloads(), payloads(), strict=True):
            with self.subTest(payload=payload):
                kept = payload[1]
                send(payload)
                self.assertEqual(receive(), expected)
                self.assertEqual(payload, [])
                if isinstance(kept, list):
                    self.assertEqual(kept, [])

    def test_send(self):
        channel = Channel(1)
        self.both(lambda obj: channel.send(moved(obj)), channel.recv)
        self.both(lambda obj: channel.try_send(moved(obj)), channel.recv)
        self.both(lambda obj: channel.send(moved(obj), move=True), channel.recv)
        sender = channel.sender()
        self.both(lambda obj: sender.send(obj, move=True), channel.recv)
        self.both(lambda obj: sender.try_send(obj, move=True), channel.recv)

    def test_asend(self):
        channel = Channel(1)
        for end in (channel, channel.sender()):
            self.both(lambda obj, end=end: asyncio.run(self.until_sent(end.asend(obj, move=True))), channel.recv)
            self.both(lambda obj, end=end: asyncio.run(self.until_sent(end.asend(moved(obj)))), channel.recv)

    async def until_sent(self, sending):
        await sending

    def test_send_many(self):
        channel = Channel(None)
        for end in (channel, channel.sender()):
            self.both(lambda obj, end=end: end.send_many((obj,), move=True), channel.recv)
            self.both(lambda obj, end=end: end.send_many((each for each in [obj]), move=True), channel.recv)
            self.both(lambda obj, end=end: end.send_many([moved(obj)]), channel.recv)

    def test_select(self):
        full, channel = Channel(1), Channel(1)
        full.send(0)
        self.both(lambda obj: interlock.select([(full, moved(obj)), (channel, moved(obj))]), channel.recv)

        def send(obj, sender=channel.sender()):  # noqa: B008
            mark = moved(obj)
            interlock.select([(full, mark), (full, mark), (sender, mark), (channel, mark)], biased=True)

        self.both(send, channel.recv)

    def test_arguments(self):
        got = []
        interpreter = self.interpreter()
        self.both(lambda obj: got.append(interpreter.call(echo, moved(obj))), lambda: got.pop()[0][0])
        self.both(lambda obj: got.append(interpreter.call(echo, key=moved(obj))), lambda: got.pop()[1]["key"])
        self.both(lambda obj: got.append(interpreter.submit(echo, moved(obj))), lambda: got.pop().result()[0][0])
        self.both(lambda obj: got.append(interpreter.call(echo, {1: moved(obj)})), lambda: got.pop()[0][0][1])

    def test_pool(self):
        with interlock.Pool(1) as pool:
            got = []
            self.both(lambda obj: got.append(pool.submit(echo, moved(obj))), lambda: got.pop().result()[0][0])
            self.both(lambda obj: got.append(list(pool.map(echo, [moved(obj)]))), lambda: got.pop()[0][0][0])
            kept = [[n] for n in range(500)]
            self.assertEqual(list(pool.map(echo, map(moved, kept))), [(([n],), {}) for n in range(500)])
            self.assertEqual(kept, [[]] * 500)

    def test_proxies(self):
        interpreter, got = self.interpreter(), []
        proxy = interpreter.call(interlock.proxy, {"key": 1})
        self.both(lambda obj: proxy.update(got=moved(obj)), lambda: proxy["got"])
        self.both(lambda obj: got.append(proxy.pop.submit("new", moved(obj))), lambda: got.pop().result())

    def test_a_proxy_of_ones_own_gets_the_object(self):
        sent = [1]
        own = interlock.proxy({})
        own["got"] = moved(sent)
        own.update(more=moved(sent))
        self.assertIs(own.unwrap()["got"], sent)
        self.assertIs(own.unwrap()["more"], sent)

    def test_a_result(self):
        interpreter = self.interpreter()
        self.assertEqual(interpreter.call(returning_moved), ["a", [[1], "text" * 3]])
        self.assertEqual(interpreter.call(what_is_left), [])

    def test_an_exception(self):
        with self.assertRaises(ValueError) as caught:
            self.interpreter().call(raise_with_moved)
        self.assertEqual(caught.exception.args, ([1, [2]],))

    def test_a_list_of_items_is_left_empty(self):
        channel = Channel(None)
        inner = [1]
        items = [inner, "text" * 3, 7, Record(8), None]
        channel.send_many(items, move=True)
        self.assertEqual((items, inner), ([], []))
        self.assertEqual(channel.recv_many(9), [[1], "text" * 3, 7, Record(8), None])

    def test_what_is_not_marked_is_copied(self):
        channel, copied, given = Channel(1), [1], [2]
        channel.send([copied, moved(given), copied])
        got = channel.recv()
        self.assertEqual((got, copied, given), ([[1], [2], [1]], [1], []))
        self.assertIs(got[0], got[2])

    def test_what_two_marked_objects_share_arrives_once(self):
        for payload in payloads():
            channel, shared = Channel(1), [payload]
            channel.send((moved(payload), moved(shared), {"k": moved([payload])}))
            first, second, third = channel.recv()
            self.assertIs(second[0], first)
            self.assertIs(third["k"][0], first)
            self.assertEqual((payload, shared), ([], []))

    def test_a_mark_that_is_met_twice(self):
        for payload in payloads():
            channel, mark = Channel(1), moved(payload)
            channel.send([mark, [mark]])
            got = channel.recv()
            self.assertIs(got[0], got[1][0])

    def test_marks_in_marks(self):
        channel = Channel(1)
        for depth in (1, 2, 20_000):
            given = innermost = [1]
            for _ in range(depth):
                given = moved([*range(1000, 1050), given])
            channel.send(given)
            got = channel.recv()
            for _ in range(depth):
                self.assertEqual(got[:-1], list(range(1000, 1050)))
                got = got[-1]
            self.assertEqual(got, [1])
            self.assertEqual(innermost, [])
        given = mark = [2]
        for _ in range(300_000):
            mark = moved(mark)
        channel.send(mark)
        self.assertEqual((channel.recv(), given), ([2], []))
        for _ in range(300_000):
            mark = moved(mark)
        del mark

    def test_marks_in_what_moves_share_with_it(self):
        channel = Channel(1)
        for depth in (1, 2, 3):
            for wrap in (moved, lambda given: Record(moved(given)), lambda given: moved(Record(given))):
                shared, rest = [1, 2], [[n] for n in range(200)]
                given = [shared, "text" * 3]
                for _ in range(depth):
                    given = [*([n] for n in range(200)), wrap(given)]
                with self.subTest(depth=depth):
                    channel.send([shared, rest, given, {"k": shared}], move=True)
                    self.assertEqual(shared, [])
                    got, got_rest, inner, more = channel.recv()
                    self.assertEqual((got, got_rest), ([1, 2], [[n] for n in range(200)]))
                    self.assertIs(more["k"], got)
                    for _ in range(depth):
                        inner = getattr(inner[-1], "value", inner[-1])
                    self.assertEqual(inner, [[1, 2], "text" * 3])
                    if depth == 1:
                        self.assertIs(inner[0], got)

    def test_inside_an_instance(self):
        channel, given = Channel(1), [1]
        record = Record(moved(given))
        channel.send(record)
        self.assertEqual((channel.recv(), given), (Record([1]), []))

    @unittest.skipUnless(_interlock.can_move(), "objects are copied")
    def test_what_only_the_mark_holds_is_handed_over(self):
        channel = Channel(2)
        item = bytes(1000)
        mark, address = moved(item), id(item)
        del item
        channel.send(mark)
        self.assertEqual(id(channel.recv()), address)
        items = [bytes(1001), bytes(1002)]
        addresses = [id(each) for each in items]
        channel.send_many(items, move=True)
        self.assertEqual([id(each) for each in channel.recv_many(2)], addresses)
        channel.send_many((each for each in [bytes(1003)]), move=True)
        self.assertEqual(len(channel.recv()), 1003)


class Marks(support.TestCase):
    def test_good_for_once(self):
        for payload in payloads():
            channel, mark = Channel(1), moved(payload)
            channel.send(mark)
            self.assertEqual(repr(mark), "<interlock.moved, done>")
            with self.assertRaisesRegex(interlock.TransferError, r"message\[0\]: .* has moved before"):
                channel.try_send([mark])
            with self.assertRaisesRegex(ValueError, "has moved before"):
                mark.take()

    def test_take(self):
        sent = [1]
        mark = moved(sent)
        self.assertEqual(repr(mark), "<interlock.moved of a list>")
        self.assertIs(mark.take(), sent)
        with self.assertRaises(interlock.TransferError):
            Channel(1).send(mark)

    def test_arguments(self):
        for wrong in ((), (1, 2)):
            with self.assertRaises(TypeError):
                moved(*wrong)
        with self.assertRaises(TypeError):
            moved(obj=1)

    def test_are_collected(self):
        cycle = []
        cycle.append(moved(cycle))
        del cycle
        gc.collect()
        self.assertFalse([each for each in gc.get_objects() if type(each) is moved])

    def test_what_is_read_more_than_once_is_not_moved(self):
        mark = moved([1])
        with self.assertRaisesRegex(interlock.TransferError, "not moved"):
            interlock.Channel(1).send(lambda: mark)
        self.assertEqual(mark.take(), [1])

    def test_code_that_uses_the_mark_meanwhile(self):
        channel, mark = Channel(1), moved([1])

        class Taker:
            def __reduce_ex__(self, protocol):
                mark.take()
                return list, ()

        with self.assertRaisesRegex(interlock.TransferError, "has moved before"):
            channel.send([mark, Taker()])
        mark = moved([Record(1)])
        with self.assertRaisesRegex(interlock.TransferError, "has moved before"):
            channel.send([mark, Taker()])
        self.assertEqual(len(channel), 0)


class Failing(support.TestCase):
    """What was not sent is where it was, and the mark is as good as new."""

    def unchanged(self, send, *errors):
        for payload, expected in zip(payloads(), payloads(), strict=True):
            kept, mark = payload[1], moved(payload)
            with self.subTest(payload=payload):
                if errors:
                    with self.assertRaises(errors):
                        send(mark)
                else:
                    send(mark)
                self.assertEqual(payload, expected)
                self.assertIs(payload[1], kept)
                self.assertIs(mark.take(), payload)

    def test_no_room(self):
        channel = Channel(1)
        channel.send(0)
        self.unchanged(channel.try_send, interlock.ChannelFull)
        self.unchanged(lambda mark: channel.send(mark, timeout=0.001), TimeoutError)
        self.unchanged(lambda mark: channel.send_many([mark], timeout=0.001), TimeoutError)
        self.unchanged(lambda mark: channel.send_many((mark for _ in "1"), timeout=0.001), TimeoutError)
        self.unchanged(lambda mark: interlock.select([(channel, mark)], timeout=0.001), TimeoutError)
        self.unchanged(lambda mark: interlock.select([(channel, mark), interlock.after(0)]))

    def test_a_closed_channel(self):
        channel = Channel(1)
        sender = channel.sender()
        sender.close()
        for end in (channel, sender):
            self.unchanged(end.send, interlock.ChannelClosed)
            self.unchanged(lambda mark, end=end: end.send_many([mark]), interlock.ChannelClosed)
            self.unchanged(lambda mark, end=end: interlock.select([(end, mark)]), interlock.ChannelClosed)

    def test_a_refused_neighbour(self):
        interpreter, channel = self.interpreter(), Channel(4)
        refused = interlock.TransferError
        self.unchanged(lambda mark: channel.send([mark, Stubborn()]), refused)
        self.unchanged(lambda mark: channel.send_many([mark, Stubborn()]), refused)
        self.unchanged(lambda mark: interlock.select([(channel, mark), (channel, Stubborn())]), refused)
        self.unchanged(lambda mark: interpreter.call(echo, mark, Stubborn()), refused)
        self.unchanged(lambda mark: interpreter.submit(echo, mark, Stubborn()), refused)
        self.assertEqual(len(channel), 0)

    def test_a_refused_part_has_a_path(self):
        payload = [1, {"bad": Stubborn()}]
        with self.assertRaisesRegex(interlock.TransferError, r"^args\[0\]\['k'\]\[1\]\['bad'\]: .*: it stays$"):
            self.interpreter().call(echo, {"k": moved(payload)})
        self.assertEqual(len(payload), 2)

    def test_an_interpreter_that_has_ended(self):
        interpreter = interlock.Interpreter()
        proxy = interpreter.call(interlock.proxy, [])
        interpreter.close()
        self.unchanged(lambda mark: interpreter.call(echo, mark), interlock.InterpreterEnded)
        self.unchanged(lambda mark: interpreter.submit(echo, mark), interlock.InterpreterEnded)
        self.unchanged(proxy.append, interlock.InterpreterEnded)

    def test_a_list_keeps_what_was_not_sent(self):
        channel = Channel(2)
        inner = [[n] for n in range(4)]
        items = [*inner, "text" * 2]
        with self.assertRaises(TimeoutError) as caught:
            channel.send_many(items, timeout=0.001, move=True)
        self.assertEqual(caught.exception.sent, 2)
        self.assertEqual(items, [[2], [3], "text" * 2])
        self.assertIs(items[0], inner[2])
        self.assertEqual(inner, [[], [], [2], [3]])
        items.insert(1, Stubborn())
        with self.assertRaises(interlock.TransferError):
            channel.send_many(items, move=True)
        self.assertIs(items[0], inner[2])
        self.assertEqual((items[0], items[2:]), ([2], [[3], "text" * 2]))

    def test_a_cancelled_asend(self):
        async def cancelled(mark, channel):
            task = asyncio.ensure_future(channel.asend(mark))
            await asyncio.sleep(0)  # it runs until it waits
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        for capacity in (0, 1):

            def fail(mark, capacity=capacity):
                channel = Channel(capacity)
                if capacity:
                    channel.send(0)
                asyncio.run(cancelled(mark, channel))

            self.unchanged(fail)

    def test_an_asend_that_is_dropped(self):
        def drop(mark):
            channel = Channel(0)
            sending = channel.asend(mark)
            loop = asyncio.new_event_loop()
            task = loop.create_task(sending)
            loop.call_soon(loop.stop)
            loop.run_forever()
            task._log_destroy_pending = False
            loop.close()
            del task, sending
            gc.collect()

        self.unchanged(drop)

    def test_an_asend_that_was_never_awaited(self):
        self.unchanged(lambda mark: Channel(1).asend(mark).close())

    def test_a_call_that_is_interrupted_before_it_begins(self):
        interpreter = self.interpreter()
        gate = Channel(1)

        def interrupted(mark):
            busy = interpreter.submit(wait_for, gate)
            while interpreter.stats()["queued"]:
                pass
            timer = threading.Timer(0, self.interrupt_when_queued, (interpreter,))
            timer.start()
            try:
                interpreter.call(echo, mark)
            finally:
                timer.join()
                gate.send(0)
                busy.result(support.LIMIT)

        self.unchanged(interrupted, KeyboardInterrupt)

    def interrupt_when_queued(self, interpreter):
        while interpreter.stats()["queued"] == 0:
            pass
        interrupt_main()

    def test_a_call_that_is_interrupted_after_it_began_keeps_what_it_got(self):
        begun, gate = Channel(1), Channel(1)
        sent = [begun, gate]
        thread = self.in_thread(lambda: (begun.recv(support.LIMIT), interrupt_main()))
        with self.assertRaises(KeyboardInterrupt):
            self.interpreter().call(wait_in_list, moved(sent))
        thread.join(support.LIMIT)
        self.assertEqual(sent, [])

    def test_a_pool_that_is_shut_down(self):
        pool = interlock.Pool(1)
        pool.shutdown()
        self.unchanged(lambda mark: pool.submit(echo, mark), RuntimeError)
        self.unchanged(lambda mark: pool.map(echo, [mark]), RuntimeError)

    def test_arguments_of_a_map_that_cannot_cross(self):
        with interlock.Pool(1) as pool:
            self.unchanged(lambda mark: pool.map(echo, [mark, Stubborn()]), interlock.TransferError)


class Dropped(support.TestCase):
    def test_messages_that_nobody_receives_are_freed(self):
        def drop(count):
            channel = Channel(None)
            for _ in range(count):
                channel.send([moved([1.5, ["x" * 9]]), moved({"k": [2]})])
                with contextlib.suppress(interlock.TransferError):
                    channel.send([moved([1.5, ["x" * 9]]), Stubborn()])
            channel.cancel()
            gc.collect()
            return sys.getallocatedblocks()

        # One block of each message would be 490, every time.
        growth = [-drop(10) + drop(500) for _ in range(4)]
        self.assertLess(min(growth), 400)


if __name__ == "__main__":
    if not _interlock.can_move() and "PYTHONMALLOC" not in os.environ:  # -X dev
        os.environ["PYTHONMALLOC"] = "mimalloc"
        os.execv(sys.executable, sys.orig_argv)
    support.main()
