"""What was dropped is told in the topic: the gap documents add up to the books, across a SIGKILL of the agent.

    gaps.py --agent PATH

The broker is away and the log is small, so records are shed. The agent is killed with all of that untold, and sheds
more; then the broker comes back.
"""

import argparse
import collections
import json
import os
import shutil
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, HERE)
sys.path.insert(0, STACK)

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from topic import records  # noqa: E402

TOPIC = "gaps"
LINES = 12000
DEADLINE_SECONDS = 120
SERVICES, LEVELS = ("checkout", "cart"), ("debug", "info", "error")


def settings(brokers, folder):
    return f"""
max_delay: 50ms
gap_interval: 1s
spool: {{path: {folder}/spool, max_bytes: 8MiB}}
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: {TOPIC}, when_full: shed}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""


def write(agent):
    """More than the log holds; returns the exporter's page when all of it was received."""
    before = agent.books()["door"]["logs"]["received"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for n in range(LINES):
            line = {"event": "x" * 1000, "n": n, "service": {"name": SERVICES[n % 2]}, "level": LEVELS[n % 3]}
            connection.sendall(json.dumps(line).encode() + b"\n")
    return until(agent, lambda books: books["door"]["logs"]["received"] == before + LINES)


def until(agent, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        books = agent.books()
        if condition(books):
            assert not imbalance(books), imbalance(books)
            return books["exporters"]["kafka"]
        assert time.monotonic() < deadline, (books, agent.log[-20:])
        time.sleep(0.05)


def gaps_of(brokers):
    """Records by reason, and by service and level, as the topic tells; a document that came twice is one."""
    seen, reasons, services = set(), collections.Counter(), collections.Counter()
    for message in records(brokers, TOPIC, None, DEADLINE_SECONDS):
        document = json.loads(message.value())
        if document["event"].get("action") != "gap" or document["event"]["id"] in seen:
            continue
        seen.add(document["event"]["id"])
        count, labels = document["numeric_labels"]["gap_records"], document["labels"]
        assert document["log"]["level"] == "warn" and labels["gap_exporter"] == "kafka", document
        assert document["event"]["start"] <= document["event"]["end"] == document["@timestamp"], document
        assert f"{count:,} " in document["message"] and f"({labels['gap_reason']})" in document["message"], document
        reasons[labels["gap_reason"]] += count
        services[document.get("service", {}).get("name"), labels.get("gap_level")] += count
    return len(seen), reasons, services


def run(options, folder):
    kafka = os.path.join(folder, "kafka")
    brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
    agent = None
    try:
        stack("kafka.sh", "kill", kafka)
        agent = Agent(options.agent, folder, settings(brokers, folder))
        dropped = collections.Counter()
        for _life in range(2):
            page = write(agent)
            assert page["dropped"]["shed"] > 1000, page
            dropped.update(page["dropped"])
            untold = page["untold"]
            assert untold + page["generated"] > 0 and untold <= sum(dropped.values()), page
            agent.kill()  # nothing of it could be told
            agent = Agent(options.agent, folder, settings(brokers, folder))
        page = agent.books()["exporters"]["kafka"]
        assert page["untold"] == sum(dropped.values()), (page, dropped)
        stack("kafka.sh", "start", kafka)
        page = until(agent, lambda books: all(books["exporters"]["kafka"][k] == 0
                                              for k in ("untold", "held", "backlog_segments")))
        documents, reasons, services = gaps_of(brokers)
        assert documents == page["generated"] > 0, (documents, page)
        assert reasons == +dropped, (reasons, dropped)
        known = {(service, level) for service in SERVICES for level in LEVELS} | {(None, None)}
        assert set(services) <= known and len(services) > 1, services
        print(f"{sum(dropped.values())} dropped in two lives, told by {documents} documents: {dict(services)}")
        print(agent.stop())
    finally:
        if agent:
            agent.kill()
        stack("kafka.sh", "stop", kafka)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-gaps-")
    try:
        run(options, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
