#!/usr/bin/python3
"""Kafka brokers for examples and tests: librdkafka's mock cluster, reached where the pods are.

    kafka.py HOST:PORT                            one broker
    kafka.py FOLDER NUMBER HOST:PORT HOST:PORT..  broker NUMBER (from 0) of several, each in a pod of its own

The mock's brokers listen on 127.0.0.1 and tell their clients so. This listens on PORT, and says HOST:PORT in its place wherever an answer
names one of them: HOST is a name or an address of nine characters, as "127.0.0.1" is. Broker 0 has the mock cluster in it; the
others reach it by sockets in FOLDER.
"""
import os
import socket
import struct
import sys
import threading
import time

LOCAL = b"127.0.0.1"


def read(source, count):
    data = b""
    while len(data) < count:
        piece = source.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def answers(broker, client, places):
    """Copies answers, each behind four bytes of its size, with what they say of places changed."""
    while True:
        size = read(broker, 4)
        answer = read(broker, struct.unpack(">I", size)[0])
        for was, now in places:
            answer = answer.replace(was, now)
        client.sendall(size + answer)


def requests(client, broker):
    while data := client.recv(65536):
        broker.sendall(data)


def guarded(copy, *arguments):
    try:
        copy(*arguments)
    except (OSError, EOFError):
        pass
    for end in arguments[:2]:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(server, connect, places):
    while True:
        client, _ = server.accept()
        try:
            broker = connect()
        except OSError:
            client.close()
            continue
        threading.Thread(target=guarded, args=(requests, client, broker), daemon=True).start()
        threading.Thread(target=guarded, args=(answers, broker, client, places), daemon=True).start()


def unix(path):
    end = socket.socket(socket.AF_UNIX)
    end.connect(path)
    return end


def open_sockets(folder, ports, places):
    """Lets the other brokers in, by a socket for each."""
    for number, port in list(enumerate(ports))[1:]:
        server = socket.socket(socket.AF_UNIX)
        server.bind(f"{folder}/{number}.new")
        server.listen(64)
        os.rename(f"{folder}/{number}.new", f"{folder}/{number}.sock")
        connect = lambda port=port: socket.create_connection(("127.0.0.1", port))
        threading.Thread(target=serve, args=(server, connect, places), daemon=True).start()


def mock(count):
    """The ports of a mock cluster, which lives as long as this process."""
    import confluent_kafka

    mock.producer = confluent_kafka.Producer({"test.mock.num.brokers": count, "log_level": 0})
    while len(brokers := mock.producer.list_topics(timeout=30).brokers) < count:
        time.sleep(0.1)
    return [brokers[number].port for number in sorted(brokers)]


def main():
    folder, number, *names = sys.argv[1:] if len(sys.argv) > 2 else ["", "0", sys.argv[1]]
    number = int(number)
    hosts = [name.rsplit(":", 1) for name in names]
    if number == 0:
        ports = mock(len(hosts))
        places = [
            (LOCAL + struct.pack(">I", port), host.encode() + struct.pack(">I", int(own)))
            for port, (host, own) in zip(ports, hosts)
        ]
        open_sockets(folder, ports, places)
        connect = lambda: socket.create_connection(("127.0.0.1", ports[0]))
    else:
        places = []
        connect = lambda: unix(f"{folder}/{number}.sock")
    server = socket.create_server(("::", int(hosts[number][1])), family=socket.AF_INET6, dualstack_ipv6=True)
    serve(server, connect, places)


main()
