# SPDX-License-Identifier: MIT
import contextvars
import threading

import greenlet

variable = contextvars.ContextVar("variable", default=0)


def ping_pong():
    heard = []

    def one():
        for each in range(3):
            heard.append(("one", other.switch(each)))
        return "end"

    def two(value):
        while True:
            heard.append(("two", value))
            value = first.switch(value * 10)

    first, other = greenlet.greenlet(one), greenlet.greenlet(two)
    heard.append(first.switch())
    return heard


def deep(n):
    return greenlet.getcurrent().parent.switch(n) if n == 0 else deep(n - 1) + 1


def set_variable(value):
    variable.set(value)
    greenlet.getcurrent().parent.switch()
    return variable.get()


def in_threads():
    results = []

    def work(number):
        worker = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch(number) + 1)
        results.append((worker.switch(), worker.switch(number * 2)))

    threads = [threading.Thread(target=work, args=(each,)) for each in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sorted(results)


def smoke():
    nested = greenlet.greenlet(deep)
    nested.switch(100)
    contexts = [greenlet.greenlet(set_variable) for _ in range(3)]
    for number, each in enumerate(contexts):
        each.switch(number)
    thrown = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch("waiting"))
    waiting = thrown.switch()
    try:
        thrown.throw(KeyError, "thrown")
    except KeyError as error:
        caught = repr(error)
    killed = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch())
    killed.switch()
    traced = []
    greenlet.settrace(lambda event, pair: traced.append(event))
    greenlet.greenlet(lambda: None).switch()
    greenlet.settrace(None)
    return {
        "ping pong": ping_pong(),
        "deep": nested.switch(5),
        "contexts": [each.switch() for each in contexts],
        "waiting": waiting,
        "caught": caught,
        "killed": isinstance(killed.throw(greenlet.GreenletExit), greenlet.GreenletExit),
        "traced": traced,
        "threads": in_threads(),
        "many": sum(greenlet.greenlet(lambda n: n).switch(each) for each in range(1000)),
        "dead": [nested.dead, bool(nested), thrown.dead],
    }
