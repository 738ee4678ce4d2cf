# SPDX-License-Identifier: MIT
import datetime
import decimal

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


class PointAdapter:
    def __init__(self, point):
        self.point = point

    def getquoted(self):
        return b"point(%d, %d)" % (self.point.x, self.point.y)


def cast(oid, text):
    return psycopg2.extensions.string_types[oid](text, None)


def smoke():
    psycopg2.extensions.register_adapter(Point, PointAdapter)
    values = [
        1, -2, 1.5, float("inf"), True, None, b"\0raw", decimal.Decimal("1.10"), [1, 2], (3, 4), Point(5, 6),
        datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
        datetime.timedelta(days=1, seconds=2),
    ]  # fmt: skip
    doubled = psycopg2.extensions.new_type((23,), "DOUBLED", lambda text, cursor: 2 * int(text))
    try:
        psycopg2.connect(host="127.0.0.1", port=1, dbname="none", connect_timeout=1)
    except psycopg2.OperationalError as error:
        refused = (type(error).__name__, "refused" in str(error))
    try:
        psycopg2.extensions.parse_dsn("nonsense=")
    except psycopg2.ProgrammingError as error:
        syntax = str(error)
    psycopg2.extras.register_uuid()
    return {
        "adapted": [psycopg2.extensions.adapt(each).getquoted() for each in values],
        "json": psycopg2.extras.Json({"a": [1]}).getquoted(),
        "cast": [cast(23, "42"), cast(16, "t"), str(cast(1700, "1.50")), cast(1082, "2024-02-29").isoformat()],
        "stamp": cast(1114, "2024-02-29 12:00:00.5").isoformat(),
        "array": cast(1007, "{1,NULL,3}"),
        "bytes": bytes(cast(17, "\\x00ff")),
        "range": [type(cast(1186, "1 day 00:00:01")).__name__, repr(psycopg2.extras.NumericRange(1, 5))],
        "uuid": str(psycopg2.extensions.string_types[2950]("00000000-0000-0000-0000-000000000007", None)),
        "doubled": doubled("21", None),
        "dsn": psycopg2.extensions.parse_dsn("postgresql://me@localhost:5432/db?sslmode=disable"),
        "made": psycopg2.extensions.make_dsn(dbname="a b", host="localhost"),
        "quoted": psycopg2.extensions.QuotedString("it's").getquoted(),
        "error": psycopg2.errors.lookup("23505").__name__,
        "encrypted": psycopg2.extensions.encrypt_password("secret", "me", algorithm="md5"),
        "version": psycopg2.extensions.libpq_version() > 100000,
        "refused": refused,
        "syntax": syntax,
    }
