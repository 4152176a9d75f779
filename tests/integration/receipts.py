"""What a native client is told, and when: with the broker down, up again, the agent killed, and at its end.

    receipts.py --agent PATH

Two exporters get the same records; one of them has a header with the record's id, the other none.
"""

import argparse
import collections
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import time

from opentelemetry.proto.logs.v1 import logs_pb2

HERE = os.path.dirname(os.path.abspath(__file__))
for place in (HERE, os.path.join(HERE, "..", "stack"), os.path.join(HERE, "..", "faults")):
    sys.path.insert(0, place)

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from writers import fields, frame, nested, number_field  # noqa: E402

HELLO, RECORDS, FLUSH, FLUSHED, RECEIPT = 1, 2, 3, 33, 34
RECEIVED, STORED, DELIVERED = 1, 2, 3
PREAMBLE = b"\xc1SL\x01"
RUN = 10
DEADLINE_SECONDS = 180
STREAM = b"receipts"


class Client:
    def __init__(self, agent, level):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(DEADLINE_SECONDS)
        self.connection.connect(agent.socket)
        self.data, self.told = b"", []
        self.connection.sendall(PREAMBLE + frame(HELLO, nested(3, STREAM) + number_field(4, level)))

    def send(self, first, last, again=False):
        for begin in range(first, last, RUN):
            logs = logs_pb2.ResourceLogs()
            for n in range(begin, begin + RUN):
                logs.scope_logs.add().log_records.add().body.string_value = f"record {n}"
            self.connection.sendall(frame(RECORDS, number_field(1, begin) + number_field(2, RUN) +
                                          nested(3, logs.SerializeToString()) + number_field(7, again)))

    def flush(self, token, level, milliseconds=0):
        self.connection.sendall(
            frame(FLUSH, number_field(1, token) + number_field(2, level) + number_field(3, milliseconds)))

    def next(self, kind):
        """The next frame of that kind; what is read before it is kept in `told`. None: the agent has closed."""
        while True:
            while len(self.data) < 4 or len(self.data) < 4 + struct.unpack_from("<I", self.data)[0]:
                chunk = self.connection.recv(65536)
                if not chunk:
                    return None
                self.data += chunk
            size = struct.unpack_from("<I", self.data)[0]
            for number, body in fields(self.data[4:4 + size]):
                self.told.append((number, dict(fields(body))))
            self.data = self.data[4 + size:]
            if self.told[-1][0] == kind:
                return self.told[-1][1]

    def receipts(self):
        return [body for kind, body in self.told if kind == RECEIPT]


def start(options, folder, brokers):
    return Agent(options.agent, folder, f"""
drain_timeout: 3s
termination_message: {folder}/message
spool: {{path: {folder}/spool, max_bytes: 64MiB}}
exporters:
  marked: {{type: kafka, brokers: "{brokers}", topic: marked, headers: {{event-id: "{{event.id}}"}}}}
  plain: {{type: kafka, brokers: "{brokers}", topic: plain}}
routes: {{logs: {{signals: [logs], exporters: [marked, plain]}}}}
""")


def told_by_a_deadline_while_the_broker_is_down(client, agent):
    client.send(1, 101)
    client.flush(1, STORED)
    assert client.next(FLUSHED)[3] == STORED
    client.flush(2, DELIVERED, 300)
    assert client.next(FLUSHED) == {1: 2, 2: 100, 3: STORED}
    assert not client.receipts(), "a receipt of level delivered with the broker down"
    assert agent.books()["exporters"]["plain"]["held"] == 100


def receipted_once_it_is_up(client):
    client.flush(3, DELIVERED, 1000 * DEADLINE_SECONDS)
    assert client.next(FLUSHED) == {1: 3, 2: 100, 3: DELIVERED}
    if not client.receipts():
        client.next(RECEIPT)
    assert client.receipts()[-1] == {1: STREAM, 2: 100, 3: DELIVERED}, client.receipts()


def known_after_a_kill(options, folder, brokers, agent, client):
    client.send(101, 141)
    client.flush(4, STORED)
    assert client.next(FLUSHED)[3] == STORED
    agent.kill()
    agent = start(options, folder, brokers)
    client = Client(agent, DELIVERED)
    client.send(1, 141, again=True)
    client.send(141, 161)
    client.flush(1, DELIVERED, 1000 * DEADLINE_SECONDS)
    assert client.next(FLUSHED)[3] == DELIVERED
    books = agent.books()
    assert books["door"]["logs"]["duplicate"] == 140, books["door"]["logs"]
    assert books["door"]["logs"]["routed"] == 20, books["door"]["logs"]
    assert not imbalance(books), imbalance(books)
    return agent, client


def ends_by_its_deadline(folder, agent, client):
    client.send(161, 171)
    client.flush(2, STORED)
    assert client.next(FLUSHED)[3] == STORED
    client.flush(3, DELIVERED)
    begun = time.monotonic()
    line = agent.stop()
    assert time.monotonic() - begun < 60, "drain_timeout is 3 s"
    assert "held=20 " in line, line  # ten for each exporter
    with open(os.path.join(folder, "message"), encoding="ascii") as file:
        assert file.read().strip() == line
    assert client.next(FLUSHED) == {1: 3, 2: 170, 3: STORED}
    assert client.next(FLUSHED) is None


def check(brokers, topic, header):
    from topic import records
    ids = collections.Counter()
    for message in records(brokers, topic, None, DEADLINE_SECONDS):
        event = json.loads(message.value())["event"]
        ids[event["id"]] += 1
        assert event["id"] == (STREAM + struct.pack(">Q", event["sequence"])).hex(), event
        assert (message.headers() or []) == ([("event-id", event["id"].encode())] if header else []), message.headers()
    expected = {(STREAM + struct.pack(">Q", n)).hex() for n in range(1, 161)}
    assert set(ids) == expected, (len(ids), len(expected))
    twice = [name for name in ids if ids[name] > 1 and int(name[16:], 16) <= 100]
    assert not twice, f"kept twice: {twice}"
    return sum(ids.values()) - len(ids)


def run(options, folder):
    kafka = os.path.join(folder, "kafka")
    brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
    agent = None
    try:
        stack("kafka.sh", "kill", kafka)
        agent = start(options, folder, brokers)
        client = Client(agent, DELIVERED)
        told_by_a_deadline_while_the_broker_is_down(client, agent)
        stack("kafka.sh", "start", kafka)
        receipted_once_it_is_up(client)
        agent, client = known_after_a_kill(options, folder, brokers, agent, client)
        again = check(brokers, "marked", True) + check(brokers, "plain", False)
        stack("kafka.sh", "kill", kafka)
        ends_by_its_deadline(folder, agent, client)
        print(f"160 records delivered to each of two, {again} copies again after the kill; 10 held at the end")
    finally:
        if agent:
            agent.kill()
        stack("kafka.sh", "stop", kafka)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    folder = tempfile.mkdtemp(prefix="sluice-receipts-")
    try:
        run(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
