"""librdkafka's mock cluster in a pod, and the way to it from another one.

    kafka-mock.py broker ADDRESS FILE   one broker; its port is written to FILE, and is open on ADDRESS too
    kafka-mock.py relay ADDRESS PORT    127.0.0.1:PORT leads to ADDRESS:PORT, since the broker says that it is on 127.0.0.1
"""
import os
import socket
import sys
import threading


def copy(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
        try:
            end.shutdown(how)
        except OSError:
            pass


def relay(listen, connect):
    server = socket.create_server(listen, family=socket.AF_INET)
    while True:
        client, _ = server.accept()
        try:
            target = socket.create_connection(connect)
        except OSError:
            client.close()
            continue
        threading.Thread(target=copy, args=(client, target), daemon=True).start()
        threading.Thread(target=copy, args=(target, client), daemon=True).start()


def broker(address, file):
    import confluent_kafka

    producer = confluent_kafka.Producer({'test.mock.num.brokers': 1})
    port = next(iter(producer.list_topics(timeout=30).brokers.values())).port
    with open(file + '.new', 'w') as out:
        out.write(str(port))
    os.rename(file + '.new', file)
    relay((address, port), ('127.0.0.1', port))


if sys.argv[1] == 'broker':
    broker(sys.argv[2], sys.argv[3])
else:
    relay(('127.0.0.1', int(sys.argv[3])), (sys.argv[2], int(sys.argv[3])))
