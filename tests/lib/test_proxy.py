# SPDX-License-Identifier: MIT
"""interlock.proxy(): objects that stay where they are."""

import threading

import interlock
import support
from proxied import Account, call_method, interpreter_id, kept, make, make_account


class Uses(support.TestCase):
    def setUp(self):
        self.owner = self.interpreter("owner")

    def test_a_call_runs_in_the_owner_and_its_result_crosses(self):
        account = self.owner.call(make_account)
        self.assertNotEqual(self.owner.id, interpreter_id())
        self.assertEqual(account.where(), self.owner.id)
        self.assertEqual(account.add(3, twice=True).balance, 11)
        self.assertEqual(self.owner.call(kept), 11)

    def test_attributes_are_read_set_and_deleted_there(self):
        account = self.owner.call(make_account)
        account.balance = 7
        self.assertEqual(self.owner.call(kept), 7)
        del account.balance
        with self.assertRaisesRegex(AttributeError, "balance"):
            _ = account.balance
        self.assertIn("notes", dir(account))

    def test_a_value_is_a_copy(self):
        account = self.owner.call(make_account)
        account.notes.append("here")
        self.assertEqual(account.notes, ["opened"])

    def test_what_returns_the_object_returns_the_proxy(self):
        account = self.owner.call(make_account)
        self.assertIs(account.add(1), account)

    def test_what_cannot_cross_comes_as_a_proxy(self):
        account = self.owner.call(make_account)
        history = account.history()
        self.assertIsInstance(history, interlock.Proxy)
        self.assertEqual(next(history), "opened")
        with self.assertRaises(StopIteration):
            next(history)

    def test_names_of_the_proxys_own_are_reached_through_its(self):
        account = self.owner.call(make_account)
        self.assertEqual(account.its.release(), "released")
        account.its.balance = 1
        self.assertEqual(account.its.balance, 1)
        del account.its.balance
        self.assertFalse(hasattr(account.its, "balance"))

    def test_special_attributes_are_not_passed_on(self):
        account = self.owner.call(make_account)
        with self.assertRaisesRegex(AttributeError, "__deepcopy__"):
            _ = account.__deepcopy__

    def test_containers(self):
        items = self.owner.call(make, [3, 1, 2])
        self.assertEqual(len(items), 3)
        self.assertTrue(items)
        self.assertIn(1, items)
        self.assertNotIn(9, items)
        self.assertEqual(items[0], 3)
        self.assertEqual(items[1:], [1, 2])
        items[0] = 4
        del items[1]
        items.append(5)
        self.assertEqual(list(items), [4, 2, 5])
        with self.assertRaises(IndexError):
            items[9]
        self.assertFalse(self.owner.call(make, {}))

    def test_comparisons(self):
        one = self.owner.call(make, [1])
        two = self.owner.call(make, [2])
        self.assertTrue(one == [1] and one != [2] and one < [2] and one <= [1] and two > [1] and two >= [2])
        self.assertTrue(one < two and one != two)
        self.assertEqual(len({one, one, two}), 2)
        with self.assertRaises(TypeError):
            one < 3  # noqa: B015

    def test_iteration_is_over_all_items_in_order(self):
        for size in (0, 1, 63, 64, 65, 1000):
            self.assertEqual(list(self.owner.call(make, range(size))), list(range(size)))

    def test_items_that_cannot_cross_come_as_proxies(self):
        first, second = self.owner.call(make_locks)
        self.assertIsInstance(first, interlock.Proxy)
        self.assertTrue(first.acquire(blocking=False))
        self.assertTrue(first.locked())
        self.assertEqual(second, "text")

    def test_what_an_iterator_raises_comes_after_its_items(self):
        iterator = iter(self.owner.call(make_failing_iterable))
        self.assertEqual([next(iterator), next(iterator)], [0, 1])
        with self.assertRaisesRegex(ValueError, "third"):
            next(iterator)

    def test_a_with_block_enters_and_leaves_there(self):
        account = self.owner.call(make_account)
        with account as entered:
            self.assertIs(entered, account)
        with account:
            raise ZeroDivisionError("hidden")
        with self.assertRaisesRegex(KeyError, "shown"), account:
            raise KeyError("shown")
        self.assertEqual(account.notes[1:], ["entered", None, "entered", "hidden", "entered", "'shown'"])

    def test_an_exception_that_cannot_cross_leaves_a_with_block_as_text(self):
        account = self.owner.call(make_account)
        error = OSError("open")
        error.lock = threading.Lock()
        with self.assertRaises(OSError), account:
            raise error
        self.assertIn("open", account.notes[-1])

    def test_an_exception_crosses_with_its_traceback(self):
        account = self.owner.call(make_account)
        with self.assertRaisesRegex(ValueError, "no such account") as caught:
            account.fail()
        self.assertIn("in fail", str(caught.exception.__cause__))

    def test_arguments_that_cannot_cross_are_refused_with_their_path(self):
        account = self.owner.call(make_account)
        with self.assertRaisesRegex(interlock.TransferError, r"args\[1\]\[0\]: a lock"):
            account.add([threading.Lock()])
        self.assertEqual(account.balance, 5)

    def test_repr_says_what_and_whose(self):
        items = self.owner.call(make, [1])
        self.assertEqual(repr(items), f"<interlock.Proxy of list in interpreter 'owner' (id {self.owner.id})>")
        self.assertIn("method 'append' of <interlock.Proxy of list", repr(items.append))

    def test_a_method_is_a_value_that_crosses(self):
        items = self.owner.call(make, [1])
        other = self.interpreter("other")
        other.call(call_with, items.append, 2)
        self.assertEqual(list(items), [1, 2])
        self.assertEqual(items.append, items.append)

    def test_a_proxy_goes_on_to_a_third_interpreter(self):
        account = self.owner.call(make_account)
        self.assertEqual(self.interpreter("third").call(call_method, account, "where"), self.owner.id)

    def test_a_class_and_a_module_can_have_proxies(self):
        cls = self.owner.call(make_class)
        account = cls(3)
        self.assertEqual(account.balance, 3)
        module = self.owner.call(make_module)
        self.assertEqual(module.get_ident(), self.owner.call(threading.get_ident))

    def test_calls_run_on_the_home_thread_in_order(self):
        items = self.owner.call(make, [])
        futures = [items.append.submit(i) for i in range(100)]
        for future in futures:
            future.result(support.LIMIT)
        self.assertEqual(list(items), list(range(100)))
        account = self.owner.call(make_account)
        self.assertEqual(account.thread(), self.owner.call(threading.get_ident))


def make_locks():
    return interlock.proxy([threading.Lock(), "text"])


def make_class():
    return interlock.proxy(Account)


def make_module():
    return interlock.proxy(threading)


class FailingIterable:
    def __iter__(self):
        yield 0
        yield 1
        raise ValueError("third")


def make_failing_iterable():
    return interlock.proxy(FailingIterable())


def call_with(function, *args):
    return function(*args)


class Here(support.TestCase):
    """Proxies in the interpreter of their object, and of the main interpreter's objects elsewhere."""

    def test_the_owner_uses_the_object_itself(self):
        account = Account(1)
        proxy = interlock.proxy(account)
        self.assertIs(proxy.unwrap(), account)
        self.assertEqual(proxy.thread(), threading.get_ident())
        self.assertIs(proxy.notes, account.notes)
        self.assertIs(proxy.add(1), proxy)
        self.assertEqual(list(interlock.proxy([1, 2])), [1, 2])
        self.assertIs(interlock.proxy(proxy), proxy)

    def test_a_proxy_that_returns_is_the_same_one(self):
        proxy = interlock.proxy(Account())
        back = self.interpreter().call(give_back, proxy)
        self.assertEqual(proxy, back)
        self.assertIs(back.unwrap(), proxy.unwrap())
        self.assertEqual(back.thread(), threading.get_ident())

    def test_only_the_owner_unwraps(self):
        other = self.interpreter()
        with self.assertRaisesRegex(RuntimeError, "in the main interpreter"):
            other.call(unwrap, interlock.proxy(Account()))

    def test_calls_of_objects_of_the_main_interpreter_run_on_a_thread_of_it(self):
        account = interlock.proxy(Account())
        other = self.interpreter()
        self.assertEqual(other.call(call_method, account, "where"), 0)
        self.assertNotEqual(other.call(call_method, account, "thread"), threading.get_ident())

    def test_an_object_is_equal_to_a_proxy_of_it_that_comes_back(self):
        account = Account()
        self.assertTrue(self.interpreter().call(compares_equal, interlock.proxy(account), interlock.proxy(account)))

    def test_submit_is_for_other_interpreters(self):
        with self.assertRaisesRegex(RuntimeError, "call it directly"):
            interlock.proxy(Account()).add.submit(1)


def give_back(proxy):
    return proxy


def unwrap(proxy):
    return proxy.unwrap()


def compares_equal(left, right):
    return left == right


if __name__ == "__main__":
    support.main()
