# SPDX-License-Identifier: MIT
"""How objects of the standard library cross that pickle refuses, or would copy once more.

Sockets and connections get a descriptor of their own in the receiver. Arrays and structures of ctypes are
rebuilt around their bytes. NewTypes and the sentinels of dataclasses are compared by identity. Whoever has
such an object has its module.
"""

import sys

from _interlock import Descriptor, PickleBuffer

from ._classes import _reduce_new_type


def reduce(obj):
    """The parts of an object that this module knows, else None. TypeError says why it is refused."""
    if (socket := sys.modules.get("socket")) and isinstance(obj, socket.socket):
        return _reduce_socket(obj, socket)
    connection = sys.modules.get("multiprocessing.connection")
    if connection and type(obj) is connection.Connection:
        return _reduce_connection(obj)
    ctypes = sys.modules.get("ctypes")
    if ctypes and type(obj).__reduce__ is ctypes._SimpleCData.__reduce__:
        return _reduce_c_data(obj, ctypes)
    typing = sys.modules.get("typing")
    if typing and type(obj) is typing.NewType:
        return _reduce_new_type(obj)
    dataclasses = sys.modules.get("dataclasses")
    if dataclasses and type(obj).__module__ == "dataclasses":
        return _reduce_sentinel(obj, dataclasses)
    return None


def _reduce_socket(obj, socket):
    if (ssl := sys.modules.get("ssl")) and isinstance(obj, ssl.SSLSocket):
        raise TypeError("its TLS session belongs to one interpreter")
    if type(obj) is not socket.socket:
        raise TypeError("of the classes of sockets, only socket.socket crosses")
    if obj.fileno() < 0:
        raise TypeError("it is closed")
    return _socket, (int(obj.family), int(obj.type), obj.proto, obj.gettimeout(), Descriptor(obj))


def _socket(family, kind, proto, timeout, descriptor):
    import socket

    return _wrap(descriptor, lambda number: _timed(socket.socket(family, kind, proto, number), timeout))


def _timed(made, timeout):
    made.settimeout(timeout)
    return made


def _reduce_connection(obj):
    if obj.closed:
        raise TypeError("it is closed")
    return _connection, (obj.readable, obj.writable, Descriptor(obj))


def _connection(readable, writable, descriptor):
    from multiprocessing.connection import Connection

    return _wrap(descriptor, lambda number: Connection(number, readable, writable))


def _wrap(descriptor, make):
    number = descriptor.take()
    try:
        return make(number)
    except BaseException:
        import os

        os.close(number)
        raise


def _reduce_c_data(obj, ctypes):
    cls = type(obj)
    try:
        if not isinstance(obj, (ctypes.Array, ctypes.Structure, ctypes.Union)):
            return obj.__reduce__()
        (cls * 0)().__reduce__()  # what ctypes says of the type, without the bytes of obj
    except ValueError:
        raise TypeError("it contains pointers") from None
    return _c_data, (cls, PickleBuffer(obj)), vars(obj) or None, None, None, _set_attributes


def _c_data(cls, buffer):
    return cls.from_buffer(buffer)


def _set_attributes(obj, attributes):
    vars(obj).update(attributes)


def _reduce_sentinel(obj, dataclasses):
    for name, other in vars(dataclasses).items():
        if other is obj:
            return getattr, (dataclasses, name)
    return None
