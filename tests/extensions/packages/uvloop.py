# SPDX-License-Identifier: MIT
import asyncio
import os
import socket

import uvloop


async def echo(reader, writer):
    while data := await reader.readline():
        writer.write(data.upper())
        await writer.drain()
    writer.close()


async def talk(port, lines):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for each in lines:
        writer.write(each)
        answers.append(await reader.readline())
    writer.close()
    await writer.wait_closed()
    return answers


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, future):
        self.future = future

    def datagram_received(self, data, address):
        self.future.set_result(data)


async def datagram():
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    receiver, _ = await loop.create_datagram_endpoint(lambda: Datagrams(future), ("127.0.0.1", 0))
    sender, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=receiver.get_extra_info("sockname")
    )  # fmt: skip
    sender.sendto(b"datagram")
    try:
        return await asyncio.wait_for(future, 5)
    finally:
        sender.close()
        receiver.close()


async def main():
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    talks = await asyncio.gather(*(talk(port, [f"{each}a\n".encode(), b"b\n"]) for each in range(10)))
    order = []
    for delay in (0.03, 0.01, 0.02):
        loop.call_later(delay, order.append, delay)
    loop.call_soon(order.append, 0)
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    read, write = os.pipe()
    ready = loop.create_future()
    loop.add_reader(read, lambda: ready.set_result(os.read(read, 10)))
    os.write(write, b"pipe")
    await loop.sock_sendall(left, b"pair")
    result = {
        "loop": type(loop).__module__,
        "talks": talks,
        "pair": await loop.sock_recv(right, 10),
        "pipe": await ready,
        "thread": await loop.run_in_executor(None, sum, range(10)),
        "datagram": await datagram(),
        "address": (await loop.getaddrinfo("127.0.0.1", 80, type=socket.SOCK_STREAM))[0][4],
    }
    await asyncio.sleep(0.05)
    loop.remove_reader(read)
    for each in (left, right):
        each.close()
    for each in (read, write):
        os.close(each)
    server.close()
    await server.wait_closed()
    return result | {"order": order}


def smoke():
    return uvloop.run(main())
