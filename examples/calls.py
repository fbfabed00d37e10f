#!/usr/bin/python3
"""gRPC for the examples, without generated code: messages are text.

    calls.py PORT                             a server of every method: says each message again, behind the method's name;
                                              methods whose name begins with Watch say it three times
    calls.py HOST:PORT METHOD MESSAGE...      a call with these messages: prints the answers, then what it ended with, which
                                              the exit code is the number of (7 = PERMISSION_DENIED)
"""
import sys
from concurrent import futures

import grpc

SECONDS = 60


class Everything(grpc.GenericRpcHandler):
    def service(self, call):
        method = call.method.rpartition("/")[2]

        def answer(messages, context):
            for message in messages:
                for _ in range(3 if method.startswith("Watch") else 1):
                    yield f"{method} {message.decode()}".encode()

        return grpc.stream_stream_rpc_method_handler(answer)


def serve(port):
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Everything()])
    server.add_insecure_port(f"[::]:{port}")
    server.start()
    server.wait_for_termination()


def call(target, method, messages):
    with grpc.insecure_channel(target) as channel:
        answers = channel.stream_stream(method)(iter([message.encode() for message in messages]), timeout=SECONDS)
        try:
            for answer in answers:
                print(answer.decode())
        except grpc.RpcError:
            pass
        print(answers.code().name, answers.details())
        return answers.code().value[0]


if len(sys.argv) == 2:
    serve(sys.argv[1])
else:
    sys.exit(call(sys.argv[1], sys.argv[2], sys.argv[3:]))
