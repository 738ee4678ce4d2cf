# SPDX-License-Identifier: MIT
import asyncio

import aiohttp
import aiohttp.http_parser
import aiohttp.http_writer
from aiohttp import web


async def hello(request):
    body = await request.json()
    return web.json_response({"path": request.path, "sum": sum(body["numbers"]), "query": dict(request.query)})


async def echo(request):
    answers = web.WebSocketResponse()
    await answers.prepare(request)
    async for each in answers:
        await answers.send_str(each.data.upper())
    return answers


async def chunks(request):
    response = web.StreamResponse()
    response.enable_compression()
    await response.prepare(request)
    for each in range(5):
        await response.write(b"chunk %d\n" % each)
    return response


async def main():
    application = web.Application()
    application.add_routes([web.post("/hello/{name}", hello), web.get("/echo", echo), web.get("/chunks", chunks)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(base) as session:
        answers = []
        for each in range(3):
            async with session.post(f"/hello/{each}?q=a%20b", json={"numbers": [each, 2]}) as response:
                answers.append((response.status, await response.json()))
        async with session.ws_connect("/echo") as socket:
            await socket.send_str("text " * 100)
            heard = (await socket.receive()).data
        async with session.get("/chunks") as response:
            text = await response.text()
        async with session.get("/absent") as response:
            absent = (response.status, response.headers["Content-Type"])
    await runner.cleanup()
    return {"answers": answers, "heard": heard, "text": text, "absent": absent}


def smoke():
    compiled = [aiohttp.http_parser.HttpRequestParser.__module__, aiohttp.http_writer._serialize_headers.__name__]
    return asyncio.run(main()) | {"compiled": compiled}
