# SPDX-License-Identifier: MIT
"""What is told of exceptions that hold very much, or what cannot be looked at."""

import support


def fail(error):
    raise error


class Texts(support.TestCase):
    def setUp(self):
        self.i = self.interpreter()

    def test_an_exception_that_holds_more_than_can_be_shown(self):
        """Its text would double with each of the lists, or be longer than what it tells."""
        doubled = []
        for _ in range(100):
            doubled = [doubled, doubled]
        numbers = list(range(100_000))

        def chained(cause):
            raise ValueError("from another") from KeyError(cause)

        for args in ([doubled], [numbers], ["x" * 2_000_000], [{"a": (1, numbers)}], [ValueError(doubled)]):
            with self.assertRaises(KeyError) as caught:
                self.i.call(fail, KeyError(*args))
            if args[0] is numbers:
                self.assertEqual(caught.exception.args, (numbers,))
            text = str(caught.exception.__cause__)
            self.assertIn("in fail", text)
            self.assertIn("KeyError: it holds too much to be shown", text)
            self.assertLess(len(text), 2000)
        self.assertIs(*caught.exception.args[0].args[0])
        with self.assertRaisesRegex(ValueError, "from another") as caught:
            self.i.call(chained, doubled)
        self.assertIn("ValueError: from another", str(caught.exception.__cause__))

    def test_an_exception_whose_text_is_long_but_ends(self):
        round_about = [1]
        round_about.append(round_about)

        class Verbose(Exception):
            def __str__(self):
                return "words " * 100_000

        def raise_verbose():
            raise Verbose

        for args, shown in (([round_about], "[1, [...]]"), ([list(range(1000))], "998, 999]"), (["x" * 9000], "xxx")):
            with self.assertRaises(KeyError) as caught:
                self.i.call(fail, KeyError(*args))
            self.assertIn(shown, str(caught.exception.__cause__))
        with self.assertRaises(Exception) as caught:
            self.i.call(raise_verbose)
        self.assertIn("words words", str(caught.exception.__cause__))

    def test_an_exception_whose_arguments_cannot_be_looked_at(self):
        """Its traceback is there all the same."""

        def raise_one():
            class Odd(list):
                def __iter__(self):
                    raise ValueError("not now")

            raise KeyError(Odd([1]))

        with self.assertRaises(Exception) as caught:
            self.i.call(raise_one)
        self.assertIn("in raise_one", str(caught.exception.__cause__))
        self.assertIn("KeyError: [1]", str(caught.exception.__cause__))


if __name__ == "__main__":
    support.main()
