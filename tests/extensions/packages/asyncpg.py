# SPDX-License-Identifier: MIT
import asyncio
import uuid

import asyncpg
from asyncpg.pgproto import pgproto, types
from asyncpg.protocol import record

OK = b"R\0\0\0\x08\0\0\0\0"


def message(kind, *parts):
    body = b"".join(parts)
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def parameter(name, value):
    return message(b"S", name, b"\0", value, b"\0")


READY = message(b"Z", b"I")
START = OK + parameter(b"server_version", b"16.1") + parameter(b"client_encoding", b"UTF8") + READY
COLUMNS = b"\0\x02" + b"".join(
    name + b"\0" + bytes(6) + (25).to_bytes(4, "big") + b"\xff\xff" + b"\xff" * 4 + b"\0\0" for name in (b"a", b"b")
)


class Server:
    """Says what PostgreSQL would say to simple queries."""

    async def talk(self, reader, writer):
        await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
        writer.write(START)
        while kind := await reader.read(1):
            text = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big") - 4)
            if kind == b"X":
                break
            if b"broken" in text:
                fields = b"SERROR\0C42601\0Msyntax error\0\0"
                writer.write(message(b"E", fields) + READY)
            else:
                writer.write(message(b"C", b"INSERT 0 7\0") + READY)
        writer.close()


async def through_server():
    server = await asyncio.start_server(Server().talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="me", password="x", database="d", ssl=False, timeout=10
    )  # fmt: skip
    try:
        status = await connection.execute("insert")
        try:
            await connection.execute("broken")
        except asyncpg.PostgresSyntaxError as error:
            refused = (error.sqlstate, str(error))
        return status, refused, tuple(connection.get_server_version()), connection.get_settings().client_encoding
    finally:
        await connection.close()
        server.close()


def smoke():
    number = pgproto.UUID("00000000-0000-0000-0000-000000000007")
    made = asyncpg.Range(1, 5)
    return {
        "server": asyncio.run(through_server()),
        "uuid": (str(number), number == uuid.UUID(int=7), number.int, hash(number) == hash(uuid.UUID(int=7))),
        "range": (made.lower, made.upper, made.issubset(asyncpg.Range(0, 9))),
        "bits": (types.BitString("1011").to_int(), types.BitString.from_int(5, 4).as_string()),
        "shapes": (tuple(types.Box((1, 2), (3, 4)).high), len(types.Path((0, 0), (1, 1)).points)),
        "record": (record.Record.__name__, issubclass(record.Record, asyncpg.Record)),
        "errors": asyncpg.UniqueViolationError.sqlstate,
    }
