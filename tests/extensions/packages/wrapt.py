# SPDX-License-Identifier: MIT
import copy
import inspect

import wrapt
import wrapt._wrappers


@wrapt.decorator
def traced(wrapped, instance, args, kwargs):
    return wrapped.__name__, type(instance).__name__, wrapped(*args, **kwargs)


@traced
def function(a, b=2):
    """Of the test."""
    return a + b


class Thing:
    @traced
    def method(self, x):
        return x

    @traced
    @classmethod
    def of_class(cls, x):
        return cls.__name__, x

    @traced
    @staticmethod
    def static(x):
        return x


class Proxy(wrapt.ObjectProxy):
    def extra(self):
        return len(self.__wrapped__)

    def __deepcopy__(self, memo):
        return Proxy(copy.deepcopy(self.__wrapped__, memo))


def smoke():
    proxy = Proxy([1, 2, 3])
    proxy.append(4)
    proxy += [5]
    number = wrapt.ObjectProxy(7)
    partial = wrapt.PartialCallableObjectProxy(function, 5)
    calls = []
    method = wrapt.FunctionWrapper(Thing.static, lambda wrapped, instance, args, kwargs: calls.append(args))
    method(1, 2)
    thing = Thing()
    weak = wrapt.WeakFunctionProxy(thing.method)
    before = weak(3)
    del thing
    try:
        weak(3)
    except ReferenceError as error:
        gone = str(error)
    return {
        "compiled": wrapt.ObjectProxy.__mro__[-2].__module__,
        "function": (function(1), function.__doc__, str(inspect.signature(function))),
        "methods": (Thing().method(1), Thing.of_class(2), Thing.static(3), Thing().of_class(4)),
        "proxy": (list(proxy), proxy.extra(), isinstance(proxy, list), proxy == [1, 2, 3, 4, 5], proxy[1:3]),
        "number": (number + 1, 2**number, -number, divmod(number, 2), hash(number) == hash(7), f"{number:03d}"),
        "partial": partial(b=6),
        "calls": calls,
        "copied": copy.deepcopy(proxy) == proxy,
        "weak": before,
        "gone": gone,
        "bool": (bool(wrapt.ObjectProxy("")), str(wrapt.ObjectProxy("x"))),
    }
