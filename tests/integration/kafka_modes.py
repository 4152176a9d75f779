"""A real broker and what it takes: mode `lines`, limits below the agent's own, dead letters, `check --connect`.

    kafka_modes.py --agent PATH
"""

import argparse
import json
import os
import random
import shutil
import socket
import string
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, HERE)
sys.path.insert(0, STACK)

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from topic import create, records  # noqa: E402

RECORDS = 5000
DEADLINE_SECONDS = 120
TOPIC_LIMIT = 20000


def noise(size):
    """Text that no compression makes much smaller."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=size))


def settings(folder, brokers, topic, **exporter):
    more = "".join(f"\n    {name}: {value}" for name, value in exporter.items())
    return f"""
max_delay: 50ms
service: {{name: modes}}
dead_letters: {{path: {folder}/{topic}.dead.jsonl}}
exporters:
  kafka:
    type: kafka
    brokers: "{brokers}"
    topic: {topic}{more}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
"""


def write(agent, lines):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for line in lines:
            connection.sendall(json.dumps(line).encode() + b"\n")


def until(agent, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition(agent.books()["exporters"]["kafka"]):
        assert time.monotonic() < deadline, (agent.books(), agent.log[-20:])
        time.sleep(0.1)
    books = agent.books()
    assert not imbalance(books), imbalance(books)
    return books["exporters"]["kafka"]


def run(options, folder, text, lines, final):
    """Writes the lines, waits until so many records have their end; the exporter's page, and the own log."""
    agent = Agent(options.agent, folder, text)
    try:
        write(agent, lines)
        page = until(agent, lambda page: page["delivered"] + page["dead"] == final)
        agent.stop()
        return page, agent.log
    finally:
        agent.kill()


def documents(brokers, topic, count):
    """Every document of the topic's first messages, and how many messages they came in."""
    found, messages = [], 0
    deadline = time.monotonic() + DEADLINE_SECONDS
    for message in records(brokers, topic, None, DEADLINE_SECONDS):
        messages += 1
        assert not message.value().endswith(b"\n")
        found += [json.loads(line) for line in message.value().split(b"\n")]
        if len(found) >= count:
            break
        assert time.monotonic() < deadline
    return found, messages


def lines_mode(options, folder, brokers):
    create(brokers, "lines")
    page, _log = run(options, folder, settings(folder, brokers, "lines", mode="lines", lines_bytes="32KiB"),
                     ({"event": "many in one", "n": n} for n in range(RECORDS)), RECORDS)
    assert page["dead"] == 0, page
    found, messages = documents(brokers, "lines", RECORDS)
    assert [document["app"]["n"] if "app" in document else document["numeric_labels"]["n"]
            for document in found] == list(range(RECORDS))
    assert len({document["event"]["id"] for document in found}) == RECORDS
    assert messages == page["requests"] < RECORDS / 5, (messages, page)
    assert sum(page["closed"].values()) == page["requests"], page
    print(f"mode lines: {RECORDS} documents in {messages} messages; closed: {page['closed']}")


def large_among_small(size):
    for n in range(100):
        yield {"event": "small", "n": n}
        if n == 50:
            yield {"event": noise(size), "n": -1}


def dead_letters(folder, topic):
    with open(f"{folder}/{topic}.dead.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def check_dead(page, log, letters, size):
    assert (page["delivered"], page["dead"], page["dead_letters"]) == (100, 1, 1), page
    assert len(letters) == 1, letters
    letter = letters[0]
    assert letter["reason"] == "message_too_large" and letter["exporter"] == "kafka", letter
    assert len(letter["document"]["message"]) == size, "the document is whole"
    assert letter["document"]["event"]["id"] == letter["id"]
    named = [json.loads(line) for line in log if '"record_dead"' in line]
    assert [(n["service"], n["id"], n["reason"]) for n in named] == [("modes", letter["id"], "message_too_large")], named


def broker_refuses(options, folder, brokers, topic, **exporter):
    create(brokers, topic, config={"max.message.bytes": str(TOPIC_LIMIT)})
    size = 2 * TOPIC_LIMIT
    page, log = run(options, folder, settings(folder, brokers, topic, oversize="dead_letter", **exporter),
                    large_among_small(size), 101)
    check_dead(page, log, dead_letters(folder, topic), size)
    found, _messages = documents(brokers, topic, 100)
    assert sorted({next(iter(d.get("app", d.get("numeric_labels")).values())) for d in found}) == list(range(100))
    print(f"{topic}: the broker refuses one of 101, the rest arrives, {page['retries']} sent again")


def librdkafka_refuses(options, folder, brokers):
    create(brokers, "client-limit")
    page, log = run(options, folder,
                    settings(folder, brokers, "client-limit", oversize="dead_letter",
                             properties='{message.max.bytes: "20000"}', key="service.name"),
                    large_among_small(2 * TOPIC_LIMIT), 101)
    check_dead(page, log, dead_letters(folder, "client-limit"), 2 * TOPIC_LIMIT)
    letter = dead_letters(folder, "client-limit")[0]
    assert letter["key"] == "modes", letter
    assert page["retries"] == 0, page


def check_connect(options, folder, brokers):
    def say(topic, **exporter):
        path = os.path.join(folder, "check.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(settings(folder, brokers, topic, **exporter))
        done = subprocess.run([options.agent, "check", "--connect", path], capture_output=True, text=True, check=False,
                              env={k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")})
        return done.returncode, done.stdout + done.stderr

    code, said = say("broker-limit")
    assert code == 0 and f"more than the topic takes ({TOPIC_LIMIT}" in said, (code, said)
    code, said = say("lines")
    assert code == 0 and "warning" not in said, (code, said)
    code, said = say("never-made")
    assert code == 0 and 'there is no topic "never-made"' in said, (code, said)
    code, said = say("never-made")
    assert 'there is no topic "never-made"' in said, "check made the topic"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-modes-")
    broker = os.path.join(folder, "kafka")
    try:
        brokers = stack("kafka.sh", "start", broker)[1]["KAFKA_BROKERS"]
        lines_mode(options, folder, brokers)
        broker_refuses(options, folder, brokers, "broker-limit")
        broker_refuses(options, folder, brokers, "broker-limit-lines", mode="lines")
        librdkafka_refuses(options, folder, brokers)
        check_connect(options, folder, brokers)
    finally:
        stack("kafka.sh", "stop", broker)
        shutil.rmtree(folder, ignore_errors=True)


main()
