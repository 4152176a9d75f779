"""Segment files that somebody cuts under a running agent while its broker does not answer: it lives, sends what is whole,
and says what is not.

    lost_pages.py --agent PATH
"""

import argparse
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "stack"))

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from topic import create, records  # noqa: E402

TOPIC = "lost-pages"
RECORDS = 6000  # of about 1.4 KB: seven segments
AFTERWARDS = 500
DEADLINE_SECONDS = 120


def write(agent, numbers):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for n in numbers:
            connection.sendall(json.dumps({"message": "x" * 1000, "n": n}).encode() + b"\n")


def until(agent, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        assert agent.process.poll() is None, f"the agent ended: {agent.process.returncode}\n" + "".join(agent.log[-5:])
        books = agent.books()
        assert not imbalance(books), imbalance(books)
        page = books["exporters"]["kafka"]
        if condition(page):
            return page
        assert time.monotonic() < deadline, (page, agent.log[-10:])
        time.sleep(0.05)


def cut(spool):
    """The first file, which the exporter has in its hand, one that waits, and the one that is written."""
    files = sorted(glob.glob(os.path.join(spool, "kafka", "*.segment")))
    assert len(files) >= 5, files
    for path in (files[0], files[2], files[-1]):
        os.truncate(path, os.path.getsize(path) // 2 - 1000)
    os.truncate(files[3], 0)


def events(agent, name):
    return [entry for entry in map(json.loads, list(agent.log)) if entry["event"] == name]


def status(options, agent):
    return subprocess.run([options.agent, "status", "--http", agent.addresses["http_listen"]], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def metric(agent, start):
    return sum(int(line.rsplit(" ", 1)[1]) for line in agent.get("/metrics").splitlines() if line.startswith(start))


def whole(brokers):
    """The numbers of the documents in the topic, and how many messages are none: those that were sent as zeros."""
    found, broken = set(), 0
    for message in records(brokers, TOPIC, None, DEADLINE_SECONDS):
        try:
            found.add(json.loads(message.value())["numeric_labels"]["n"])
        except ValueError:
            assert b"\0" in message.value(), message.value()[:100]
            broken += 1
    return found, broken


def perform(options, folder, kafka, brokers):
    spool = os.path.join(folder, "spool")
    agent = Agent(options.agent, folder, f"""
max_delay: 50ms
max_memory: 24MiB
gap_interval: 0s
spool: {{path: {spool}, max_bytes: 64MiB}}
exporters:
  kafka: {{type: kafka, brokers: "{brokers}", topic: {TOPIC}, when_full: block}}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
""")
    try:
        write(agent, range(RECORDS))
        until(agent, lambda page: page["held"] == RECORDS)
        cut(spool)
        write(agent, range(RECORDS, RECORDS + AFTERWARDS))
        page = until(agent, lambda page: page["routed"] == RECORDS + AFTERWARDS)
        assert page["trouble"]["page_lost"] == 1, page  # its writer ran into one of them
        shown = status(options, agent)
        assert "page_lost" in shown and "damaged" in shown, shown
        stack("kafka.sh", "resume", kafka)
        page = until(agent, lambda page: page["held"] == 0)
        assert page["dead"] == 0 and page["trouble"]["page_lost"] == 0, page
        damaged = page["dropped"]["damaged"]
        assert damaged > 0 and sum(page["dropped"].values()) == damaged, page
        assert page["delivered"] == RECORDS + AFTERWARDS - damaged, page
        assert len(events(agent, "page_lost")) == 4, agent.log
        assert metric(agent, "sluice_exporter_lost_pages_total") == page["pages_lost"] > 0
        assert metric(agent, 'sluice_exporter_dropped_records_total{exporter="kafka",reason="damaged"}') == damaged
        assert len(glob.glob(os.path.join(spool, "kafka", "*.damaged"))) == page["set_aside"] > 0
        agent.stop()
        found, broken = whole(brokers)
        # What was counted as delivered is there; what is there beyond it was sent before its page was lost.
        assert len(found) >= page["delivered"], (len(found), page)
        assert len(found) + broken <= RECORDS + AFTERWARDS
        # The one that ran into the cut, and what stood on the page that it goes through.
        missing = set(range(RECORDS, RECORDS + AFTERWARDS)) - found
        assert len(missing) <= 5, missing
        print(f"{page['pages_lost']} pages lost, {damaged} records dropped, {len(found)} delivered, "
              f"{broken} sent as zeros")
    finally:
        agent.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-pages-")
    kafka = os.path.join(folder, "kafka")
    try:
        brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
        create(brokers, TOPIC)
        stack("kafka.sh", "pause", kafka)
        perform(options, folder, kafka, brokers)
    finally:
        stack("kafka.sh", "stop", kafka)
        shutil.rmtree(folder, ignore_errors=True)


main()
