# SPDX-License-Identifier: MIT
"""Classes that the tests of instances find by name, in every interpreter."""

import abc
import dataclasses


class Plain:
    pass


class Child(Plain):
    pass


class Slots:
    __slots__ = ("b", "a", "__private")


class MoreSlots(Slots):
    __slots__ = ("c",)


class SlotsAndDict(Slots):
    pass


class NoSlots:
    __slots__ = ()


class Weak:
    __slots__ = ("a", "__weakref__")


class Outer:
    class Inner:
        pass


class Abstract(abc.ABC):
    @abc.abstractmethod
    def f(self): ...


class Concrete(Abstract):
    def f(self):
        return self.value


@dataclasses.dataclass
class Record:
    name: str
    size: int = 0
    link: object = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int
    b: object


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: object


def rewrite():
    """What a receiver may have made of the classes."""

    def __setstate__(self, state):
        self.got = state

    Plain.__setstate__ = __setstate__
