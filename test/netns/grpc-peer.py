"""gRPC without generated code: messages are bytes. Usage: grpc-peer.py server PORT | client ADDRESS:PORT METHOD KIND COUNT"""
import sys
from concurrent import futures

import grpc

NONE = lambda data: data


def numbers(request, context):
    for i in range(int(request)):
        yield str(i).encode()


def total(requests, context):
    return str(sum(int(request) for request in requests)).encode()


def echo(requests, context):
    yield from requests


def fails(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


def handlers(service):
    return grpc.method_handlers_generic_handler(
        service,
        {
            "Unary": grpc.unary_unary_rpc_method_handler(lambda request, context: request[::-1], NONE, NONE),
            "Same": grpc.unary_unary_rpc_method_handler(lambda request, context: request, NONE, NONE),
            "Fails": grpc.unary_unary_rpc_method_handler(fails, NONE, NONE),
            "Numbers": grpc.unary_stream_rpc_method_handler(numbers, NONE, NONE),
            "Total": grpc.stream_unary_rpc_method_handler(total, NONE, NONE),
            "Echo": grpc.stream_stream_rpc_method_handler(echo, NONE, NONE),
        },
    )


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handlers("shop.Open"), handlers("shop.Secret")))
    server.add_insecure_port("[::]:" + port)
    server.start()
    server.wait_for_termination()


def call(target, method, kind, count):
    with grpc.insecure_channel(target) as channel:
        try:
            for _ in range(int(count)):
                print(one(channel, method, kind))
        except grpc.RpcError as error:
            print(error.code().name, error.details())


def one(channel, method, kind):
    numbers_in = (str(i).encode() for i in range(100))
    if kind == "unary":
        return channel.unary_unary(method, NONE, NONE)(b"abc" * 1000, timeout=20)[:9].decode()
    if kind == "server":
        return sum(1 for _ in channel.unary_stream(method, NONE, NONE)(b"100", timeout=20))
    if kind == "client":
        return channel.stream_unary(method, NONE, NONE)(numbers_in, timeout=20).decode()
    return sum(int(answer) for answer in channel.stream_stream(method, NONE, NONE)(numbers_in, timeout=20))


if sys.argv[1] == "server":
    serve(sys.argv[2])
else:
    call(*sys.argv[2:])
