# SPDX-License-Identifier: MIT
import asyncio
import threading

import zmq
import zmq.asyncio


def answer(socket):
    while (parts := socket.recv_multipart())[0] != b"end":
        socket.send_multipart([each.upper() for each in parts])


def request_and_reply(context):
    server, client = context.socket(zmq.REP), context.socket(zmq.REQ)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    client.connect(f"tcp://127.0.0.1:{port}")
    thread = threading.Thread(target=answer, args=(server,))
    thread.start()
    answers = []
    for each in range(3):
        client.send_multipart([b"part %d" % each, b"x" * 1000])
        answers.append([part[:8] for part in client.recv_multipart()])
    client.send(b"end")
    thread.join()
    client.close()
    server.close()
    return answers


def inproc(context):
    with context.socket(zmq.PULL) as pull, context.socket(zmq.PUSH) as push:
        pull.bind("inproc://pipe")
        push.connect("inproc://pipe")
        poller = zmq.Poller()
        poller.register(pull, zmq.POLLIN)
        before = poller.poll(0)
        push.send_json({"a": [1, 2]})
        push.send_pyobj((1, "x"))
        push.send(b"y" * 100000, copy=False)
        after = [event for _, event in poller.poll(1000)]
        return before, after, pull.recv_json(), pull.recv_pyobj(), len(pull.recv(copy=False).bytes)


async def talk():
    with zmq.asyncio.Context() as context:
        left, right = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        left.bind("inproc://pair")
        right.connect("inproc://pair")
        got = await asyncio.gather(right.recv(), left.send(b"to the right"))
        left.close()
        right.close()
        return got[0]


def smoke():
    with zmq.Context() as context:
        try:
            context.socket(zmq.REQ).connect("nonsense")
        except zmq.ZMQError as error:
            refused = error.errno
        result = {"answers": request_and_reply(context), "inproc": inproc(context)}
        with context.socket(zmq.PULL) as socket:
            socket.rcvtimeo = 10
            try:
                socket.recv()
            except zmq.Again as error:
                result["again"] = str(error)
            socket.setsockopt(zmq.LINGER, 7)
            result["option"] = socket.linger
        context.destroy(0)
    key = zmq.curve_keypair()
    return result | {
        "asyncio": asyncio.run(talk()),
        "curve": (zmq.curve_public(key[1]) == key[0], len(key[0])),
        "version": zmq.zmq_version_info() >= (4,),
        "refused": refused,
    }
