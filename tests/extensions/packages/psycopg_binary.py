# SPDX-License-Identifier: MIT
import datetime
import decimal
import ipaddress
import uuid

import psycopg
from psycopg import adapt, conninfo, pq, sql
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

VALUES = [
    1, 2**40, 1.5, True, "text", b"\0raw", decimal.Decimal("-1.50"), datetime.date(2024, 2, 29), [1, None, 3],
    [["a", 'b"c'], ["d", "e"]], uuid.UUID(int=7), ipaddress.ip_address("127.0.0.1"), Jsonb({"a": [1]}), Range(1, 5),
    datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC), datetime.timedelta(days=1, seconds=2), None,
]  # fmt: skip


def dumped(format):
    transformer = adapt.Transformer()
    values = transformer.dump_sequence(VALUES, [format] * len(VALUES))
    return [None if each is None else bytes(each) for each in values], list(transformer.types)


def loaded(oid, format, data):
    return adapt.Transformer().get_loader(oid, format).load(data)


def smoke():
    try:
        psycopg.connect("host=127.0.0.1 port=1 dbname=none connect_timeout=1")
    except psycopg.OperationalError as error:
        refused = (type(error).__name__, "refused" in str(error))
    escaping = pq.Escaping()
    query = sql.SQL("select {} from {} where a = {}").format(
        sql.Identifier("x y"), sql.Identifier("t"), sql.Literal("it's")
    )
    return {
        "implementation": pq.__impl__,
        "text": dumped(adapt.PyFormat.TEXT),
        "binary": dumped(adapt.PyFormat.BINARY),
        "loaded": [
            loaded(23, pq.Format.BINARY, b"\0\0\0\x2a"), loaded(16, pq.Format.TEXT, b"t"),
            str(loaded(1700, pq.Format.TEXT, b"1.50")), loaded(1082, pq.Format.TEXT, b"2024-02-29").isoformat(),
            loaded(1007, pq.Format.TEXT, b"{1,NULL,{2,3}}"), loaded(17, pq.Format.TEXT, b"\\x00ff"),
            loaded(3802, pq.Format.TEXT, b'{"a": [1]}'), loaded(1186, pq.Format.TEXT, b"1 day 00:00:01").total_seconds(),
            loaded(701, pq.Format.BINARY, bytes.fromhex("3ff8000000000000")),
        ],
        "escaped": [bytes(escaping.escape_bytea(b"\0'")), bytes(escaping.unescape_bytea(b"\\x0041"))],
        "conninfo": conninfo.conninfo_to_dict("postgresql://me@localhost:5432/db"),
        "query": query.as_string(None),
        "error": psycopg.errors.lookup("23505").__name__,
        "version": pq.version() > 100000,
        "refused": refused,
    }  # fmt: skip
