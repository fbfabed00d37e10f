"""librdkafka as a Kafka broker and its clients, all on 127.0.0.1 as they see it.

    kafka-peer.py broker FILE              one broker; its port is written to FILE
    kafka-peer.py produce PORT SECONDS     prints how many messages were written and acknowledged in a second
    kafka-peer.py fetch PORT SECONDS       the same of messages read: the whole topic, again and again
    kafka-peer.py check PORT TOPIC         writes one message; prints what becomes of it
"""
import os
import sys
import time

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

TOPIC = 'bench'
PARTITIONS = 4
MESSAGE = b'm' * 4096


def producer(port, **more):
    return confluent_kafka.Producer({'bootstrap.servers': f'127.0.0.1:{port}', 'linger.ms': 2, **more})


def broker(file):
    mock = confluent_kafka.Producer({'test.mock.num.brokers': 1})
    port = next(iter(mock.list_topics(timeout=30).brokers.values())).port
    with open(file + '.new', 'w') as out:
        out.write(str(port))
    os.rename(file + '.new', file)
    while True:
        mock.poll(60)


def produce(port, seconds):
    client = producer(port, **{'queue.buffering.max.messages': 2000})
    done = 0

    def tell(error, _message):
        nonlocal done
        if error is not None:
            raise RuntimeError(str(error))
        done += 1

    client.list_topics(TOPIC, timeout=30)
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        for index in range(100):
            try:
                client.produce(TOPIC, MESSAGE, partition=index % PARTITIONS, on_delivery=tell)
            except BufferError:
                client.poll(0.01)
        client.poll(0)
    print(done / (time.monotonic() - began))


def fetch(port, seconds):
    client = confluent_kafka.Consumer({
        'bootstrap.servers': f'127.0.0.1:{port}',
        'group.id': 'bench',
        'enable.auto.commit': False,
        'enable.partition.eof': True,
        'fetch.wait.max.ms': 10,
    })
    beginning = [TopicPartition(TOPIC, index, OFFSET_BEGINNING) for index in range(PARTITIONS)]
    client.assign(beginning)
    done = 0
    began = 0.0
    while began == 0.0 or time.monotonic() - began < seconds:
        for message in client.consume(500, timeout=0.01):
            error = message.error()
            if error is None:
                done += 1
                if began == 0.0:
                    began = time.monotonic()
            elif error.code() == KafkaError._PARTITION_EOF:
                client.seek(beginning[message.partition()])
            else:
                raise RuntimeError(str(error))
    print(done / (time.monotonic() - began))


def check(port, topic):
    client = producer(port, **{'message.timeout.ms': 10000})
    client.produce(topic, MESSAGE, on_delivery=lambda error, _message: print('written' if error is None else error.name()))
    client.flush(20)


role, *rest = sys.argv[1:]
if role == 'broker':
    broker(rest[0])
elif role == 'check':
    check(*rest)
else:
    (produce if role == 'produce' else fetch)(rest[0], float(rest[1]))
