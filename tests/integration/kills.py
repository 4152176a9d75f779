"""SIGKILL of the agent, of the broker, of both, while acknowledged records flow: none of them is lost.

    kills.py --agent PATH [--kills N] [--seed N] [--durability process|node]

Writers send OTLP logs over the Unix socket; the reply to an Export is its receipt. What was acknowledged must be in
Kafka in the end, whatever was killed when. A record that is there twice must have the same event.id twice (it was
delivered again), unless its writer had no answer and sent it again itself.
"""

import argparse
import collections
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, STACK)
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402

WRITERS = 4
RUN = 25  # records a request
PACE_SECONDS = 0.01  # between a writer's requests: about 10,000 records a second in all
DEADLINE_SECONDS = 180
TOPIC = "kills"


class Writer(threading.Thread):
    """Sends runs until it is told to stop; a run without an answer is sent again."""

    def __init__(self, name, socket):
        super().__init__(daemon=True)
        self.label, self.socket = name, socket
        self.acknowledged, self.repeated = [], set()
        self.stopping = threading.Event()

    def request(self, first):
        message = logs_service_pb2.ExportLogsServiceRequest()
        scope = message.resource_logs.add().scope_logs.add()
        for n in range(first, first + RUN):
            record = scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=9)
            record.body.string_value = f"{self.label} {n}"
            record.attributes.add(key="writer").value.string_value = self.label
            record.attributes.add(key="n").value.int_value = n
        return message

    def run(self):
        first = 0
        while not self.stopping.is_set():
            with grpc.insecure_channel("unix:" + self.socket) as channel:
                export = logs_service_pb2_grpc.LogsServiceStub(channel).Export
                try:
                    while not self.stopping.is_set():
                        export(self.request(first), timeout=10)
                        self.acknowledged.append(first)
                        first += RUN
                        self.stopping.wait(PACE_SECONDS)
                except grpc.RpcError:
                    self.repeated.add(first)
                    self.stopping.wait(0.02)

    def stop(self):
        self.stopping.set()
        self.join(30)
        assert not self.is_alive(), "a writer hangs"


def settings(brokers, folder, durability):
    return f"""
spool: {{path: {folder}/spool, max_bytes: 256MiB, durability: {durability}}}
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: {TOPIC}}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""


class Stage:
    """The agent and the broker, killed and started again at the same addresses."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.kafka = os.path.join(folder, "kafka")
        self.brokers = stack("kafka.sh", "start", self.kafka)[1]["KAFKA_BROKERS"]
        self.agent = self.start_agent()

    def start_agent(self):
        return Agent(self.options.agent, self.folder, settings(self.brokers, self.folder, self.options.durability))

    def kill_agent(self):
        self.agent.kill()
        self.agent = self.start_agent()

    def kill_broker(self):
        stack("kafka.sh", "kill", self.kafka)
        stack("kafka.sh", "start", self.kafka)

    def kill_both(self):
        stack("kafka.sh", "kill", self.kafka)
        self.agent.kill()
        self.agent = self.start_agent()
        stack("kafka.sh", "start", self.kafka)

    def settle(self):
        """Until the log is empty; returns the books."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            books = self.agent.books()
            page = books["exporters"]["kafka"]
            if page["held"] == 0 and page["backlog_segments"] == 0:
                assert not imbalance(books), imbalance(books)
                return books
            time.sleep(0.1)
        raise AssertionError(f"still held: {books}\n" + "".join(self.agent.log[-20:]))

    def close(self):
        self.agent.kill()
        stack("kafka.sh", "stop", self.kafka)


def check(brokers, writers):
    from topic import records
    ids = collections.defaultdict(list)
    for message in records(brokers, TOPIC, None, DEADLINE_SECONDS):
        document = json.loads(message.value())
        ids[document["labels"]["writer"], document["numeric_labels"]["n"]].append(document["event"]["id"])
    sent, again = 0, 0
    for writer in writers:
        for first in writer.acknowledged:
            for n in range(first, first + RUN):
                found = ids.get((writer.label, n))
                assert found, f"{writer.label} {n} was acknowledged and is lost"
                assert len(set(found)) == 1 or first in writer.repeated, f"{writer.label} {n}: ids {found}"
                sent += 1
                again += len(found) - 1
    return sent, again


def run(options, folder):
    chance = random.Random(options.seed)
    stage = Stage(options, folder)
    try:
        writers = [Writer(f"writer-{i}", stage.agent.socket) for i in range(WRITERS)]
        for writer in writers:
            writer.start()
        for kill in range(options.kills):
            time.sleep(chance.uniform(0.02, 0.5))  # when it strikes, not a wait for something
            which = "broker" if kill % 8 == 3 else "both" if kill % 8 == 6 else "agent"
            getattr(stage, "kill_" + which)()
        for writer in writers:
            writer.stop()
        books = stage.settle()
        sent, again = check(stage.brokers, writers)
        page = books["exporters"]["kafka"]
        assert page["damaged"] == page["set_aside"] == 0, page
        print(f"{options.kills} kills, {sent} records acknowledged, 0 lost, {again} delivered again "
              f"(seed {options.seed}, durability {options.durability}); last run recovered {page['recovered']}")
        print(stage.agent.stop())
    finally:
        stage.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", default="process")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-kills-")
    try:
        run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
