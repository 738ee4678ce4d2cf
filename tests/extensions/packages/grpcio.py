# SPDX-License-Identifier: MIT
import concurrent.futures

import grpc


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            "/test/upper": grpc.unary_unary_rpc_method_handler(self.upper),
            "/test/count": grpc.unary_stream_rpc_method_handler(self.count),
            "/test/join": grpc.stream_unary_rpc_method_handler(self.join),
            "/test/echo": grpc.stream_stream_rpc_method_handler(self.echo),
        }.get(details.method)

    def upper(self, request, context):
        if not request:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "empty")
        context.set_trailing_metadata([("said", dict(context.invocation_metadata())["say"])])
        return request.upper()

    def count(self, request, context):
        yield from (b"%d" % each for each in range(int(request)))

    def join(self, requests, context):
        return b"+".join(requests)

    def echo(self, requests, context):
        for each in requests:
            yield each * 2


def talk(channel):
    upper = channel.unary_unary("/test/upper")
    answer, call = upper.with_call(b"text", metadata=[("say", "hello")], timeout=10)
    errors = []
    for method, request in (("/test/upper", b""), ("/test/absent", b"x")):
        try:
            channel.unary_unary(method)(request, timeout=10)
        except grpc.RpcError as error:
            errors.append((error.code().name, error.details()))
    futures = [upper.future(b"%d a" % each, metadata=[("say", "")], timeout=10) for each in range(10)]
    return {
        "answer": answer,
        "metadata": call.trailing_metadata()[0].value,
        "counted": list(channel.unary_stream("/test/count")(b"5", timeout=10)),
        "joined": channel.stream_unary("/test/join")(iter([b"a", b"b", b"c"]), timeout=10),
        "echoed": list(channel.stream_stream("/test/echo")(iter([b"x", b"y"]), timeout=10)),
        "futures": [each.result() for each in futures],
        "errors": errors,
    }


def smoke():
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads, handlers=[Handler()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                return talk(channel)
        finally:
            server.stop(None).wait()
