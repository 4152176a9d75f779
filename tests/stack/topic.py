#!/usr/bin/env python3
"""A Kafka client of its own for tests: makes topics, writes lines, reads everything back.

    topic.py create  TOPIC [--partitions N] [--set key=value]...
    topic.py produce TOPIC                    each line of stdin becomes one record
    topic.py count   TOPIC                    prints how many records the topic holds
    topic.py consume TOPIC --count N [--seconds S] [--envelope]
                                              prints N values, one a line; fails when fewer came in time
    topic.py consume TOPIC --to-end           prints what the topic holds now

KAFKA_BROKERS says where. --envelope prints JSON: partition, offset, timestamp, key, headers, value.
Importable too: `records(brokers, topic, ...)` yields the messages.
"""

import argparse
import json
import os
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic


def create(brokers, topic, partitions=1, config=None):
    """Makes the topic and returns when the broker serves it."""
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 4})
    for future in admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})]).values():
        future.result(30)


def produce(brokers, topic, values):
    """Writes the values and returns how many the broker acknowledged."""
    acknowledged = 0

    def on_delivery(error, _message):
        nonlocal acknowledged
        if error is not None:
            raise KafkaException(error)
        acknowledged += 1

    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20})
    for value in values:
        while True:
            try:
                producer.produce(topic, value, on_delivery=on_delivery)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush(30)
    return acknowledged


def ends(consumer, topic):
    """The end offset of each partition; every topic of the tests begins at offset 0."""
    metadata = consumer.list_topics(topic, timeout=30).topics[topic]
    if metadata.error is not None and metadata.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return {}
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return {
        partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[1]
        for partition in metadata.partitions
    }


def open_consumer(brokers):
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "sluice-tests",  # required by the client; nothing joins it
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            "fetch.wait.max.ms": 50,
        }
    )


def records(brokers, topic, count=None, seconds=60.0):
    """Yields the topic's messages from the beginning: `count` of them, or (None) what it holds now.

    Stops early at the deadline: the caller compares how many came with what it expects.
    """
    deadline = time.monotonic() + seconds
    consumer = open_consumer(brokers)
    try:
        end = ends(consumer, topic)
        while not end and count and time.monotonic() < deadline:
            time.sleep(0.1)  # the topic may be made by the first record
            end = ends(consumer, topic)
        wanted = sum(end.values()) if count is None else count
        if not end or not wanted:
            return
        consumer.assign([TopicPartition(topic, partition, 0) for partition in end])
        came = 0
        while came < wanted and time.monotonic() < deadline:
            for message in consumer.consume(min(1000, wanted - came), timeout=0.2):
                if message.error() is not None:
                    raise KafkaException(message.error())
                came += 1
                yield message
    finally:
        consumer.close()


def envelope(message):
    def text(value):
        return None if value is None else value.decode("utf-8", "backslashreplace")

    return json.dumps(
        {
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": message.timestamp()[1],
            "key": text(message.key()),
            "headers": [[name, text(value)] for name, value in message.headers() or []],
            "value": text(message.value()),
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("command", choices=["create", "produce", "count", "consume"])
    parser.add_argument("topic")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="key=value")
    parser.add_argument("--count", type=int)
    parser.add_argument("--to-end", action="store_true")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--envelope", action="store_true")
    given = parser.parse_args()
    brokers = os.environ["KAFKA_BROKERS"]

    if given.command == "create":
        create(brokers, given.topic, given.partitions, dict(pair.split("=", 1) for pair in given.set))
    elif given.command == "produce":
        lines = [line.rstrip(b"\n") for line in sys.stdin.buffer]
        return 0 if produce(brokers, given.topic, lines) == len(lines) else 1
    elif given.command == "count":
        consumer = open_consumer(brokers)
        print(sum(ends(consumer, given.topic).values()))
        consumer.close()
    else:
        if (given.count is None) != given.to_end:
            parser.error("consume wants either --count N or --to-end")
        came = 0
        for message in records(brokers, given.topic, given.count, given.seconds):
            came += 1
            line = envelope(message).encode() if given.envelope else message.value() or b""
            sys.stdout.buffer.write(line + b"\n")
        if given.count is not None and came < given.count:
            print(f"{given.topic}: {came} of {given.count} records came in {given.seconds} s", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
