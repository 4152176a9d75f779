"""SIGKILL of the agent, of the broker, of both, of peers, while records with receipts flow: none of them is lost.

    kills.py --agent PATH [--kills N] [--brokers N] [--both N] [--peers N] [--seed N] [--pace S]
             [--durability process|node]

Writers speak OTLP (the reply to an Export is the receipt), native (receipts of STORED and DELIVERED; what has none is sent again, with
the same sequences) and lines (no receipts: only counted). What has a receipt must be in Kafka in the end, whatever was
killed when. A record that is there twice must have the same event.id twice (it was delivered again), unless an OTLP
writer had no answer and sent it again itself; no id stands for two records. The books balance after each kill.
"""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "integration"), os.path.join(TESTS, "stack")]

import topic  # noqa: E402
from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from writers import RUN, DeliveredWriter, LineWriter, NativeWriter, OtlpWriter, cut_frames, cut_lines  # noqa: E402

WRITERS = ((OtlpWriter, 2), (NativeWriter, 1), (DeliveredWriter, 1), (LineWriter, 1))
DEADLINE_SECONDS = 300
TOPIC = "kills"
# A broker that was killed may register again when its old session is over: 9 s by default.
BROKER_PROPERTIES = "broker.session.timeout.ms=1000 broker.heartbeat.interval.ms=200"
# A peer as a process: connects, writes what it is given, says so, and waits for its death.
PEER = """
import signal, socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.connect(sys.argv[1])
    peer.sendall(sys.stdin.buffer.read())
    print("ready", flush=True)
    signal.pause()
"""


def settings(brokers, folder, durability):
    # Each start of an agent begins a segment of its own: max_bytes is room for more starts than there are.
    return f"""
spool: {{path: {folder}/spool, max_bytes: 2GiB, durability: {durability}}}
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: {TOPIC}}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""


class Stage:
    """The agent and the broker, killed and started again at the same addresses."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.kafka = os.path.join(folder, "kafka")
        os.environ["KAFKA_PROPERTIES"] = BROKER_PROPERTIES
        self.brokers = stack("kafka.sh", "start", self.kafka)[1]["KAFKA_BROKERS"]
        topic.create(self.brokers, TOPIC)
        self.restart = None  # of the broker, going on beside the rest
        self.broken = None
        self.peers = []  # labels
        self.recovered, self.delivered = 0, 0  # of all agents that were killed
        self.agent = self.start_agent()

    def start_agent(self):
        return Agent(self.options.agent, self.folder, settings(self.brokers, self.folder, self.options.durability))

    def balanced(self):
        books = self.agent.books()
        page = books["exporters"]["kafka"]
        assert not imbalance(books), imbalance(books)
        assert page["damaged"] == page["damaged_records"] == page["set_aside"] == 0, page
        return books

    def kill_agent(self):
        page = self.balanced()["exporters"]["kafka"]
        self.recovered += page["recovered"]
        self.delivered += page["delivered"]
        self.agent.kill()
        self.agent = self.start_agent()
        self.balanced()

    def kill_broker(self):
        """It starts again while the agent is being killed further."""
        self.await_broker()
        stack("kafka.sh", "kill", self.kafka)
        self.restart = threading.Thread(target=self.start_broker, daemon=True)
        self.restart.start()

    def start_broker(self):
        try:
            stack("kafka.sh", "start", self.kafka)
        except (SystemExit, subprocess.CalledProcessError) as broken:
            self.broken = broken

    def await_broker(self):
        if self.restart:
            self.restart.join()
        assert not self.broken, f"the broker does not come back: {self.broken}"

    def kill_both(self):
        self.kill_broker()
        self.kill_agent()

    def kill_peer(self):
        """In the middle of a frame or line."""
        label = f"peer-{len(self.peers)}"
        self.peers.append(label)
        data = (cut_frames if len(self.peers) % 2 else cut_lines)(label)
        peer = subprocess.Popen([sys.executable, "-I", "-S", "-c", PEER, self.agent.socket], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        peer.stdin.write(data)
        peer.stdin.close()
        assert peer.stdout.readline() == b"ready\n", "a peer could not write"
        peer.kill()
        peer.wait()
        peer.stdout.close()

    def settle(self):
        """Until the log is empty; returns the books."""
        self.await_broker()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline:
            books = self.balanced()
            page = books["exporters"]["kafka"]
            if page["held"] == 0 and page["backlog_segments"] == 0:
                return books
            time.sleep(0.1)
        raise AssertionError(f"still held: {books}\n" + "".join(self.agent.log[-20:]))

    def close(self):
        self.agent.kill()
        if self.restart:
            self.restart.join()
        stack("kafka.sh", "stop", self.kafka)


def read_topic(brokers):
    """(writer, n) → event.ids of the documents, the half lines of dead peers left out; and how many of those."""
    ids, halves = collections.defaultdict(list), 0
    for message in topic.records(brokers, TOPIC, None, DEADLINE_SECONDS):
        document = json.loads(message.value())
        if document["event"].get("action") == "gap":
            continue  # of lines that were shed
        if "writer" not in document.get("labels", {}):
            assert document["message"].startswith('{"level": "info", "message": "peer-'), document
            halves += 1
            continue
        ids[document["labels"]["writer"], document["numeric_labels"]["n"]].append(document["event"]["id"])
    return ids, halves


def check(ids, writers, peers):
    """Returns how many records had a receipt, and how many documents were there again."""
    owner = {}
    sent = {writer.label: writer.sent for writer in writers} | {label: RUN for label in peers}
    resent = {(writer.label, n) for writer in writers for first in writer.resent for n in range(first, first + RUN)}
    by_label = {writer.label: writer for writer in writers}
    for (label, n), found in ids.items():
        assert n < sent[label], f"{label} {n} was never written"
        assert len(set(found)) == 1 or (label, n) in resent, f"{label} {n} has the ids {found}"
        wanted = by_label[label].id_of(n) if label in by_label else None
        assert not wanted or set(found) == {wanted}, f"{label} {n} has the ids {found}, not {wanted}"
        for event_id in set(found):
            assert event_id not in owner, f"{event_id} is {owner[event_id]} and {label} {n}"
            owner[event_id] = (label, n)
    promised = [(writer.label, n) for writer in writers for first in writer.promised for n in range(first, first + RUN)]
    lost = [record for record in promised if record not in ids]
    assert not lost, f"{len(lost)} of {len(promised)} records with a receipt are lost: {lost[:20]}"
    return len(promised), sum(len(found) - 1 for found in ids.values())


def schedule(options, chance):
    """Which is killed when, in an order of its own for each seed. Brokers in the second half, spread: the first is the
    agent's alone, amid deliveries."""
    order = ["agent"] * options.kills + ["peer"] * options.peers
    chance.shuffle(order)
    brokers = ["broker"] * options.brokers + ["both"] * options.both
    chance.shuffle(brokers)
    for i, which in enumerate(brokers):
        order.insert((len(brokers) + i) * len(order) // (2 * len(brokers)), which)
    return order


def perform(options, stage):
    chance = random.Random(options.seed)
    writers = [kind(f"{kind.__name__}-{i}", stage.agent.socket, options.pace)
               for kind, count in WRITERS for i in range(count)]
    for writer in writers:
        writer.start()
    killed = collections.Counter()
    for which in schedule(options, chance):
        # When it strikes, not a wait for something: mostly at the agent's start, at times amid deliveries.
        time.sleep(chance.uniform(0.0, 0.1) if chance.random() < 0.6 else chance.uniform(0.3, 1.0))
        getattr(stage, "kill_" + which)()
        killed[which] += 1
    stage.await_broker()
    for writer in writers:
        writer.stop()
    stage.settle()
    ids, halves = read_topic(stage.brokers)
    promised, again = check(ids, writers, stage.peers)
    kills = sum(killed.values()) + killed["both"]
    print(f"{kills} kills ({', '.join(f'{n} {which}' for which, n in sorted(killed.items()))}), "
          f"{promised} records with a receipt, 0 lost; {again} documents delivered again with their id or sent again by "
          f"their writer, {halves} half lines, {stage.recovered} records recovered, {stage.delivered} delivered by agents that were killed; the books balanced after each "
          f"(seed {options.seed}, durability {options.durability})")
    print(stage.agent.stop())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--both", type=int, default=1)
    parser.add_argument("--peers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between a writer's runs")
    parser.add_argument("--durability", default="process")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-kills-")
    stage = Stage(options, folder)
    try:
        perform(options, stage)
    except BaseException:
        print(f"seed {options.seed}, durability {options.durability}; the agent said last:\n"
              + "".join(stage.agent.log[-20:]), file=sys.stderr)
        raise
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
