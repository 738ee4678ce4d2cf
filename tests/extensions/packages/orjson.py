# SPDX-License-Identifier: MIT
import dataclasses
import datetime
import enum
import uuid

import orjson


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    y: float


def smoke():
    value = {
        "point": Point(1, 2.5),
        "colour": Colour.RED,
        "when": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
        "id": uuid.UUID(int=7),
        "text": 'grün "quoted" \n',
        "list": [1, -(2**53), 1e300, None, True],
    }
    dumped = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    errors = []
    for broken in (b'{"a": ', b"[1,]", b"\xff", "nul"):
        try:
            orjson.loads(broken)
        except orjson.JSONDecodeError as error:
            errors.append((error.msg, error.pos))
    try:
        orjson.dumps({1, 2})
    except TypeError as error:
        errors.append(str(error))
    return {
        "dumped": dumped.decode(),
        "loaded": orjson.loads(dumped),
        "indented": orjson.dumps([{"a": [1]}], option=orjson.OPT_INDENT_2).decode(),
        "default": orjson.dumps(1 + 2j, default=lambda z: [z.real, z.imag]).decode(),
        "keys": orjson.dumps({1: 2, None: 3}, option=orjson.OPT_NON_STR_KEYS).decode(),
        "fragment": orjson.dumps({"raw": orjson.Fragment(b"[1,2]")}).decode(),
        "many": len(orjson.dumps([{"key": each, "text": str(each)} for each in range(5000)])),
        "errors": errors,
    }
