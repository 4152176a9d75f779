"""What one flooding connection does to the others: how long records of 20 quiet connections take from the write to
their arrival in Kafka, alone and beside a flood.

    flood.py --build DIR --brokers HOST:PORT [--seconds N]
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))

from agent_process import Agent  # noqa: E402

QUIET = 20  # connections
EVERY_SECONDS = 0.01  # each writes a record so often
DEADLINE_SECONDS = 60
SENT = re.compile(rb'"sent":(\d+)')


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    return connection


def flood(path, stop, written):
    """One connection that writes as fast as it is read."""
    record = json.dumps({"level": "info", "event": "flood", "service": "flood", "text": "x" * 240}).encode() + b"\n"
    batch, count = record * 200, 0
    with connect(path) as connection:
        while not stop.is_set():
            connection.sendall(batch)
            count += 200
    written.value = count


def receive(brokers, topic, count, ready, out):
    """Reads what comes on the topic from now on; puts the nanoseconds that each record took."""
    from confluent_kafka import TopicPartition
    from topic import ends, open_consumer
    consumer = open_consumer(brokers)
    consumer.assign([TopicPartition(topic, partition, end) for partition, end in ends(consumer, topic).items()])
    consumer.poll(0.5)
    ready.set()
    took, deadline = [], time.monotonic() + DEADLINE_SECONDS
    while len(took) < count and time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.01):
            took.append(time.monotonic_ns() - int(SENT.search(message.value())[1]))
    consumer.close()
    out.put(took)


def latencies(brokers, topic, path, seconds):
    """Of all the quiet connections' records, sorted, in milliseconds."""
    context = multiprocessing.get_context("fork")
    rounds, ready, out = int(seconds / EVERY_SECONDS), context.Event(), context.Queue()
    reader = context.Process(target=receive, args=(brokers, topic, rounds * QUIET, ready, out))
    reader.start()
    assert ready.wait(DEADLINE_SECONDS)
    connections = [connect(path) for _ in range(QUIET)]
    begin = time.monotonic()
    for n in range(rounds):
        time.sleep(max(0.0, begin + n * EVERY_SECONDS - time.monotonic()))
        for connection in connections:
            connection.sendall(b'{"level":"info","event":"quiet","service":"quiet","sent":%d}\n' % time.monotonic_ns())
    for connection in connections:
        connection.close()
    took = sorted(nanoseconds / 1e6 for nanoseconds in out.get(timeout=DEADLINE_SECONDS))
    reader.join()
    assert len(took) == rounds * QUIET, f"{len(took)} of {rounds * QUIET} came"
    return took


def percentile(values, of):
    return values[min(len(values) - 1, int(len(values) * of))]


def compare(binary, brokers, folder, seconds):
    """Prints both, and the ratio of the 99th percentiles."""
    from topic import create
    name = f"flood{os.getpid()}"
    create(brokers, name + "-quiet")
    create(brokers, name + "-flood")
    agent = Agent(binary, folder, f"""
max_delay: 10ms
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: "{name}-{{service.name}}"}}}}
""")
    context = multiprocessing.get_context("fork")
    stop, written = context.Event(), context.Value("q", 0)
    flooder = context.Process(target=flood, args=(agent.socket, stop, written))
    try:
        latencies(brokers, name + "-quiet", agent.socket, 0.5)  # so that everything is connected
        quiet = latencies(brokers, name + "-quiet", agent.socket, seconds)
        flooder.start()
        flooded = latencies(brokers, name + "-quiet", agent.socket, seconds)
        stop.set()
        flooder.join(DEADLINE_SECONDS)
        assert flooder.exitcode == 0
        agent.stop()
        ratio = percentile(flooded, 0.99) / percentile(quiet, 0.99)
        for kind, values in (("quiet", quiet), ("flooded", flooded)):
            print(f"{kind}: p50 {percentile(values, 0.5):.1f} ms, p99 {percentile(values, 0.99):.1f} ms, max {values[-1]:.1f} ms")
        print(f"beside a flood of {written.value / seconds / 1000:.0f},000 records a second p99 is {ratio:.2f} times the quiet one",
              flush=True)
    finally:
        if flooder.pid and flooder.is_alive():
            flooder.kill()
        agent.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-flood-")
    try:
        compare(f"{options.build}/agent/sluice", options.brokers, folder, options.seconds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
