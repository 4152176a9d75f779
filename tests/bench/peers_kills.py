"""Sluice, rsyslog, syslog-ng and the OpenTelemetry Collector under the same kills: what is lost and what comes twice.

    peers_kills.py --build DIR --peers FOLDER [--only NAME]... [--lines N] [--kills N] [--seed N]

Each writes into the same real Kafka, set up to lose as little as its manual offers. Two schedules: SIGKILL at random
points while the broker is there; the broker killed, then the agent, then both back. 10,000 lines a second go into a
socket that acknowledges nothing; or OTLP, whose replies are receipts: then only what was answered is counted as sent.
"""

import argparse
import collections
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
sys.path.insert(0, os.path.join(HERE, "..", "faults"))

import topic as topics  # noqa: E402
from peers_settings import PEERS  # noqa: E402
from servers import stack  # noqa: E402
from writers import RUN, OtlpWriter  # noqa: E402

RATE = 10000  # lines a second
CHUNK = 100   # lines a write
SDKS = 4      # OTLP writers
FILL = "x" * 160
READY_SECONDS, QUIET_SECONDS, SETTLE_SECONDS = 60, 15, 120
PATIENCE_SECONDS = 60
IDENTITY = re.compile(rb"(writer-\d+|line) (\d+)")


class LineWriter(threading.Thread):
    """Writes lines at the rate; a chunk whose write failed is written again to who comes next."""

    def __init__(self, connect, count):
        super().__init__(daemon=True)
        self.connect, self.count = connect, count
        self.sent, self.repeated = [], set()
        self.ended = threading.Event()

    def connection(self):
        while not self.ended.is_set():
            try:
                return self.connect()
            except OSError:
                time.sleep(0.01)
        raise SystemExit

    def finish(self):
        """Until all is written, or an agent has read nothing for too long; what was not written then is not sent."""
        self.join(self.count / RATE + PATIENCE_SECONDS)
        self.ended.set()

    def run(self):
        connection = self.connection()
        begin = time.monotonic()
        for first in range(0, self.count, CHUNK):
            if self.ended.is_set():
                break
            time.sleep(max(0, begin + first / RATE - time.monotonic()))
            data = "".join(f"<14>app: line {n} {FILL}\n" for n in range(first, first + CHUNK)).encode()
            while True:
                try:
                    connection.sendall(data)
                    break
                except OSError:
                    self.repeated.add(first)
                    connection.close()
                    connection = self.connection()
            self.sent.append(first)
        connection.close()

    def expected(self):
        return [("line", n, first in self.repeated) for first in list(self.sent) for n in range(first, first + CHUNK)]


class OtlpWriters:
    """Four that wait for each answer, as an SDK does; what had none is sent again."""

    def __init__(self, path, lines):
        self.writers = [OtlpWriter(f"writer-{i}", path, SDKS * RUN / RATE) for i in range(SDKS)]
        self.seconds = lines / RATE

    def start(self):
        self.end = time.monotonic() + self.seconds
        for writer in self.writers:
            writer.start()

    def finish(self):
        time.sleep(max(0, self.end - time.monotonic()))
        for writer in self.writers:
            writer.stop()

    def expected(self):
        return [(writer.label, n, first in writer.resent) for writer in self.writers
                for first in writer.promised for n in range(first, first + RUN)]


class Subject:
    """One agent's process, killed and started again."""

    def __init__(self, options, peer, folder, brokers, topic):
        self.path = os.path.join(folder, "in.sock")
        self.folder = folder
        self.command, environment = peer.prepare(options, folder, self.path, brokers, topic)
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SLUICE_"))},
                            **environment}
        self.log = open(os.path.join(folder, "log"), "ab")
        self.start()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.process = subprocess.Popen(self.command, env=self.environment, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, open(self.log.name).read()[-2000:]
                time.sleep(0.02)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        return connection

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self.log.close()


def random_kills(options, subject, _kafka):
    chance = random.Random(options.seed)
    seconds = options.lines / RATE
    begin = time.monotonic()
    for at in sorted(chance.uniform(0.05, 0.9) * seconds for _ in range(options.kills)):
        time.sleep(max(0, begin + at - time.monotonic()))
        subject.kill()
        subject.start()


def outage(options, subject, kafka):
    part = options.lines / RATE / 4
    time.sleep(part)
    stack("kafka.sh", "kill", kafka)
    time.sleep(part)
    subject.kill()
    subject.start()
    stack("kafka.sh", "start", kafka)


SCHEDULES = {"kills": random_kills, "outage": outage}


def settle(brokers, topic):
    """Until nothing new has come for a while."""
    consumer = topics.open_consumer(brokers)
    deadline = time.monotonic() + SETTLE_SECONDS
    last, since = None, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < QUIET_SECONDS:
        count = sum(topics.ends(consumer, topic).values())
        if count != last:
            last, since = count, time.monotonic()
        time.sleep(0.5)
    consumer.close()


def judge(brokers, topic, expected):
    """(sent, lost, twice): of what was written once only, so that each copy is the agent's."""
    copies = collections.Counter()
    for message in topics.records(brokers, topic, None, SETTLE_SECONDS):
        for name, n in IDENTITY.findall(message.value() or b""):
            copies[name.decode(), int(n)] += 1
    lost = sum(copies[name, n] == 0 for name, n, _ in expected)
    twice = sum(max(0, copies[name, n] - 1) for name, n, repeated in expected if not repeated)
    return len(expected), lost, twice


def run(options, name, schedule, kafka, brokers):
    peer = PEERS[name]
    topic = re.sub(r"\W+", "-", f"{name}-{schedule}")
    topics.create(brokers, topic)
    folder = tempfile.mkdtemp(prefix="sluice-peer-")
    subject = Subject(options, peer, folder, brokers, topic)
    try:
        writer = OtlpWriters(subject.path, options.lines) if peer.otlp else LineWriter(subject.connect, options.lines)
        begin = time.monotonic()
        writer.start()
        SCHEDULES[schedule](options, subject, kafka)
        writer.finish()
        took = time.monotonic() - begin
        settle(brokers, topic)
        sent, lost, twice = judge(brokers, topic, writer.expected())
        print(f"| {name} | {schedule} | {sent:,} | {lost:,} | {twice:,} | {took:.0f} s |", flush=True)
    finally:
        subject.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--peers", required=True, help="what peers.sh printed")
    parser.add_argument("--otelcol", required=True, help="the collector's program")
    parser.add_argument("--only", action="append", choices=list(PEERS))
    parser.add_argument("--schedule", action="append", choices=list(SCHEDULES))
    parser.add_argument("--lines", type=int, default=200000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-peers-")
    kafka = os.path.join(folder, "kafka")
    try:
        brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
        print("| agent | schedule | sent | lost | twice | writing took |\n|---|---|---|---|---|---|", flush=True)
        for schedule in options.schedule or SCHEDULES:
            for name in options.only or PEERS:
                run(options, name, schedule, kafka, brokers)
    finally:
        stack("kafka.sh", "kill", kafka)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
