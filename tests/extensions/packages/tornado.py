# SPDX-License-Identifier: MIT
import asyncio
import json

import tornado.speedups
import tornado.util
from tornado import httpclient, httpserver, netutil, tcpclient, tcpserver, web, websocket


class Hello(web.RequestHandler):
    async def post(self, name):
        await asyncio.sleep(0)
        self.write({"name": name, "sum": sum(json.loads(self.request.body)), "query": self.get_argument("q")})


class Echo(websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message.upper())


class Lines(tcpserver.TCPServer):
    async def handle_stream(self, stream, address):
        stream.write((await stream.read_until(b"\n")) * 2)


def listening(server):
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    return sockets[0].getsockname()[1]


async def main():
    server = httpserver.HTTPServer(
        web.Application([("/hello/(.*)", Hello), ("/echo", Echo)], log_function=lambda _: None)
    )
    port = listening(server)
    lines = Lines()
    client = httpclient.AsyncHTTPClient(force_instance=True)
    url = f"http://127.0.0.1:{port}"
    answers = await asyncio.gather(
        *(client.fetch(f"{url}/hello/{each}?q=a%20b", method="POST", body=f"[{each}, 2]") for each in range(5))
    )
    absent = await client.fetch(f"{url}/absent", raise_error=False)
    socket = await websocket.websocket_connect(f"ws://127.0.0.1:{port}/echo")
    await socket.write_message("text " * 100)
    heard = await socket.read_message()
    socket.close()
    stream = await tcpclient.TCPClient().connect("127.0.0.1", listening(lines))
    await stream.write(b"line\n")
    doubled = await stream.read_bytes(10)
    stream.close()
    client.close()
    lines.stop()
    server.stop()
    await server.close_all_connections()
    return {
        "answers": [json.loads(each.body) for each in answers],
        "absent": absent.code,
        "heard": (heard[:9], len(heard)),
        "doubled": doubled,
    }


def smoke():
    return asyncio.run(main()) | {
        "compiled": tornado.util._websocket_mask is tornado.speedups.websocket_mask,
        "masked": tornado.speedups.websocket_mask(b"\1\2\3\4", b"some text").hex(),
    }
