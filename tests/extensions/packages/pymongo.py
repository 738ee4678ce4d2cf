# SPDX-License-Identifier: MIT
import datetime
import uuid

import bson
import pymongo
from bson import binary, codec_options, decimal128, json_util, objectid, raw_bson, regex, son
from pymongo import errors


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


def fallback(value):
    return {"x": value.x, "y": value.y}


def smoke():
    document = {
        "number": 1,
        "long": 2**40,
        "float": 1.5,
        "text": "grün",
        "nothing": None,
        "list": [True, {"nested": [1, 2]}],
        "id": objectid.ObjectId("65e0a1b2c3d4e5f601234567"),
        "when": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
        "uuid": binary.Binary.from_uuid(uuid.UUID(int=7)),
        "decimal": decimal128.Decimal128("1.50"),
        "pattern": regex.Regex("^a", "i"),
    }
    options = codec_options.CodecOptions(
        document_class=son.SON,
        tz_aware=True,
        uuid_representation=binary.UuidRepresentation.STANDARD,
        type_registry=codec_options.TypeRegistry(fallback_encoder=fallback),
    )
    encoded = bson.encode(document, codec_options=options)
    decoded = bson.decode(encoded, options)
    found = []
    for broken in (encoded[:-1], encoded[:4] + b"\xff" + encoded[5:]):
        try:
            bson.decode(broken)
        except bson.errors.InvalidBSON as error:
            found.append(type(error).__name__)
    for wrong in ({1: 2}, {"x": 1j}, {"x": 2**70}):
        try:
            bson.encode(wrong)
        except (bson.errors.InvalidDocument, OverflowError) as error:
            found.append(type(error).__name__)
    client = pymongo.MongoClient("127.0.0.1", 1, serverSelectionTimeoutMS=50, connect=False)
    try:
        client.admin.command("ping")
    except errors.ServerSelectionTimeoutError as error:
        found.append(type(error).__name__)
    finally:
        client.close()
    many = b"".join(bson.encode({"n": each}) for each in range(1000))
    return {
        "compiled": (bson.has_c(), pymongo.has_c()),
        "encoded": encoded.hex(),
        "decoded": [(key, str(value)) for key, value in decoded.items()],
        "json": json_util.dumps(bson.decode(encoded), json_options=json_util.CANONICAL_JSON_OPTIONS),
        "fallback": bson.decode(bson.encode({"p": Point(1, 2)}, codec_options=options)),
        "raw": raw_bson.RawBSONDocument(encoded)["list"][1]["nested"],
        "many": sum(each["n"] for each in bson.decode_iter(many)),
        "generated": len({objectid.ObjectId() for _ in range(100)}),
        "errors": found,
    }
