# SPDX-License-Identifier: MIT
import datetime

import msgpack
import msgpack._cmsgpack


def smoke():
    value = {"numbers": [1, -1, 2**40, 1.5], "text": "grün", "raw": b"\0\1", "nothing": None, "yes": True}
    packed = msgpack.packb(value)
    unpacker = msgpack.Unpacker(use_list=False)
    for each in (packed[:7], packed[7:], msgpack.packb([1, [2, 3]])):
        unpacker.feed(each)
    pairs = msgpack.packb({"x": 1 + 2j}, default=lambda z: msgpack.ExtType(42, f"{z.real},{z.imag}".encode()))
    when = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    errors = []
    for broken in (packed[:5], packed + b"\xc1", b"\xc1"):
        try:
            msgpack.unpackb(broken)
        except ValueError as error:
            errors.append(type(error).__name__)
    return {
        "compiled": msgpack.Packer is msgpack._cmsgpack.Packer,
        "packed": packed.hex(),
        "same": msgpack.unpackb(packed) == value,
        "streamed": list(unpacker),
        "extension": msgpack.unpackb(pairs, ext_hook=lambda code, data: (code, data.decode())),
        "when": msgpack.unpackb(msgpack.packb(when, datetime=True), timestamp=3).isoformat(),
        "errors": errors,
    }
