"""What is there already is sent again: dead letters, the spool of a killed agent, a file of records; and adopted.

    replay.py --agent PATH
"""

import argparse
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, HERE)
sys.path.insert(0, STACK)

from agent_process import Agent  # noqa: E402
from servers import stack  # noqa: E402
from topic import create, records  # noqa: E402

DEADLINE_SECONDS = 120


def settings(topic, brokers, service="replay", **more):
    exporter = more.pop("exporter", {})
    lines = "".join(f"\n    {name}: {value}" for name, value in exporter.items())
    rest = "".join(f"{name}: {value}\n" for name, value in more.items())
    return f"""max_delay: 50ms
gap_interval: 0s
service: {{name: {service}}}
{rest}exporters:
  kafka:
    type: kafka
    brokers: "{brokers}"
    topic: {topic}{lines}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
"""


def write(agent, lines):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for line in lines:
            connection.sendall(json.dumps(line).encode() + b"\n")


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


class Command:
    """`sluice replay …` or `adopt …` with settings of its own."""

    def __init__(self, binary, folder, text, *words, stdin=None):
        config = os.path.join(folder, "replay.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run([binary, words[0], "--config", config, *words[1:]], input=stdin, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False)
        self.status, self.log = done.returncode, done.stderr
        last = done.stdout.strip().splitlines()
        self.counts = {k: int(v) for k, v in (p.split("=") for p in last[-1].split())} if last else {}

    def expect(self, status, **counts):
        assert self.status == status, (self.status, self.counts, self.log)
        for name, value in counts.items():
            assert self.counts.get(name) == value, (name, self.counts, self.log)
        return self


def in_topic(brokers, topic):
    """The documents by id, each with key and headers; a copy of one must be the same."""
    found = {}
    for message in records(brokers, topic, None, DEADLINE_SECONDS):
        document = json.loads(message.value())
        one = (document, message.key(), message.headers())
        assert found.setdefault(document["event"]["id"], one) == one, one
    return found


def messages(brokers, topic):
    return sorted(d["message"] for d, _, _ in in_topic(brokers, topic).values())


def services(brokers, topic):
    return {d["service"]["name"] for d, _, _ in in_topic(brokers, topic).values()}


def dead_letters(options, folder, brokers):
    topic = "replay-dead"
    create(brokers, topic)
    dead = os.path.join(folder, "dead.jsonl")
    small = {"oversize": "dead_letter", "key": "labels.k", "headers": '{h: "{labels.k}"}',
             "properties": "{message.max.bytes: 2000}"}
    whole = {**small, "properties": "{message.max.bytes: 1000000}"}
    setting = {"dead_letters": f"{{path: {dead}}}"}
    agent = Agent(options.agent, folder, settings(topic, brokers, exporter=small, **setting))
    try:
        write(agent, [{"message": f"{i}" + "x" * 5000, "k": f"key{i}"} for i in range(5)])
        until(lambda: agent.books()["exporters"]["kafka"]["dead"] == 5, agent.books)
        held = Command(options.agent, folder, settings(topic, brokers, exporter=whole, **setting),
                       "replay", dead, "--remove").expect(1)
        assert "no agent writes" in held.log, held.log
        agent.stop()
    finally:
        agent.kill()
    with open(dead, encoding="utf-8") as file:
        letters = [json.loads(line) for line in file]
    replay = [options.agent, folder, settings(topic, brokers, exporter=whole, **setting), "replay", dead]
    Command(*replay, "--dry-run").expect(0, sent=5, delivered=0)
    assert not in_topic(brokers, topic)

    # Refused again: into a new file, and the one that is read stays as it is.
    before = os.stat(dead).st_size
    again = Command(options.agent, folder, settings(topic, brokers, exporter=small, **setting), "replay", dead)
    again.expect(1, sent=5, delivered=0, dead=5)
    new = [name for name in os.listdir(folder) if name.startswith("dead.jsonl.replay-")]
    assert len(new) == 1 and os.stat(dead).st_size == before, (new, again.log)
    with open(os.path.join(folder, new[0]), encoding="utf-8") as file:
        assert [json.loads(line)["id"] for line in file] == [letter["id"] for letter in letters]

    # A line that nobody can read is told and left out.
    with open(dead, "a", encoding="utf-8") as file:
        file.write('{"time":"2026-01-01T00:00:00Z","exporter":"kafka","id":"1"}\n')
    broken = Command(*replay).expect(1, sent=5, delivered=5, unreadable=1)
    assert "line 6" in broken.log and "id: " in broken.log, broken.log
    with open(dead, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(letter) + "\n" for letter in letters)
    Command(*replay, "--remove").expect(0, sent=5, delivered=5, dead=0, left=0)
    assert not os.path.exists(dead)
    found = in_topic(brokers, topic)
    for letter in letters:
        key = letter["document"]["labels"]["k"].encode()
        assert found.pop(letter["id"]) == (letter["document"], key, [("h", key)]), letter
    assert not found


def killed(options, folder, spool, topic, count):
    """An agent that never reaches its broker, killed with what it accepted; named `first`."""
    agent = Agent(options.agent, folder, settings(topic, "127.0.0.1:1", "first", spool=f"{{path: {spool}}}"))
    try:
        write(agent, [{"message": f"m{i:04}"} for i in range(count)])
        until(lambda: agent.books()["exporters"]["kafka"]["held"] == count, agent.books)
        yield agent
    finally:
        agent.process.send_signal(signal.SIGKILL)
        agent.process.wait()


def is_held(path):
    with open(path, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def interrupted(options, folder, text, spool):
    """A replay that waits for its broker ends when it is told to, and by force, and takes nothing with it."""
    config = os.path.join(folder, "interrupted.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(text)
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([options.agent, "replay", "--config", config, spool], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        until(lambda: is_held(os.path.join(spool, "kafka", "lock")), process.poll)
        process.send_signal(number)
        out, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == (1 if number == signal.SIGTERM else -number), (process.returncode, out)
        assert number == signal.SIGKILL or "delivered=0" in out, out


def spools(options, folder, brokers):
    topic = "replay-spool"
    create(brokers, topic)
    spool = os.path.join(folder, "spool")
    expected = [f"m{i:04}" for i in range(500)]
    text = settings(topic, brokers, "second")
    for agent in killed(options, folder, spool, topic, 500):
        for path in (spool, os.path.join(spool, "kafka")):
            live = Command(options.agent, folder, text, "replay", path).expect(1)
            assert "an agent has it open" in live.log, live.log
        assert agent.process.poll() is None
    Command(options.agent, folder, text, "replay", spool, "--dry-run").expect(0, sent=500)
    strange = Command(options.agent, folder, text.replace("type: kafka", "type: otlp").replace(
        f'    brokers: "{brokers}"\n    topic: {topic}\n', "").replace("[logs]", "[spans]"), "replay", spool)
    strange.expect(1)
    assert "holds ECS JSON documents" in strange.log, strange.log
    interrupted(options, folder, settings(topic, "127.0.0.1:1"), spool)
    Command(options.agent, folder, text, "replay", spool).expect(0, sent=500, delivered=500, left=0)
    assert messages(brokers, topic) == expected
    assert services(brokers, topic) == {"first"}
    Command(options.agent, folder, text, "replay", spool).expect(1)  # nothing is there any more


def adoption(options, folder, brokers):
    topic = "replay-adopt"
    create(brokers, topic)
    host, outside = os.path.join(folder, "host"), os.path.join(folder, "outside")
    os.mkdir(host)
    for name in ("a", "b"):
        for _ in killed(options, folder, os.path.join(host, name), topic, 300):
            pass
    for _ in killed(options, folder, outside, topic, 10):
        pass
    os.symlink(outside, os.path.join(host, "link"))
    os.symlink(os.path.join(outside, "kafka"), os.path.join(host, "kafka"))
    shutil.copytree(os.path.join(host, "a", "kafka"), os.path.join(host, "c", "unheard"))
    os.mkfifo(os.path.join(host, "b", "kafka", "00000099.segment"))
    os.mkdir(os.path.join(host, "empty"))
    # The sink of the first folder is away: it has its turn and no more.
    shutil.copytree(os.path.join(host, "a", "kafka"), os.path.join(host, "0", "away"))
    away = '\n  away: {type: kafka, brokers: "127.0.0.1:1"}\nroutes:'
    text = settings(topic, brokers, "node", drain_timeout="10s").replace("\nroutes:", away, 1)
    adopt = [options.agent, folder, text, "adopt", host]
    with open(os.path.join(host, "b", "kafka", "lock"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = Command(*adopt).expect(1, sent=600, delivered=300, left=300)
        for said in ("its owner has it open", "a symbolic link", "no exporter of that name", "answered nothing"):
            assert said in held.log, (said, held.log)
    assert sorted(os.listdir(host)) == ["0", "b", "c", "empty", "kafka", "link"], os.listdir(host)
    shutil.rmtree(os.path.join(host, "0"))
    Command(*adopt).expect(1, sent=300, delivered=300)
    assert os.listdir(os.path.join(outside, "kafka"))
    found = in_topic(brokers, topic)
    assert len(found) == 600 and services(brokers, topic) == {"first"}, len(found)


def record_file(options, folder, brokers):
    topic = "replay-records"
    create(brokers, topic)
    path = os.path.join(folder, "records.ndjson")
    lines = [json.dumps({"message": f"r{i:04}"}) + "\n" for i in range(2000)]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)
    text = settings(topic, brokers, "files")
    Command(options.agent, folder, text, "replay", path, "--dry-run").expect(0, sent=0)
    Command(options.agent, folder, text, "replay", path).expect(0, sent=2000, delivered=2000)
    assert messages(brokers, topic) == [f"r{i:04}" for i in range(2000)]
    Command(options.agent, folder, text, "replay", "-", stdin='{"message":"s1"}\nplain').expect(0, sent=2)
    found = messages(brokers, topic)
    assert found[0] == "plain" and found[-1] == "s1", found[:2]
    assert services(brokers, topic) == {"files"}
    for magic in (b"SLUICESG", b"SLUICEST", b"SLUICEGP"):
        with open(path, "wb") as file:
            file.write(magic + b"\n" * 100)
        refused = Command(options.agent, folder, text, "replay", path).expect(1)
        assert "name the folder it is in" in refused.log, refused.log
    assert messages(brokers, topic) == found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-replay-") as top:
        broker = os.path.join(top, "kafka")
        brokers = stack("kafka.sh", "start", broker)[1]["KAFKA_BROKERS"]
        try:
            for test in (dead_letters, spools, adoption, record_file):
                folder = os.path.join(top, test.__name__)
                os.mkdir(folder)
                test(options, folder, brokers)
                print(f"{test.__name__}: ok", flush=True)
        finally:
            stack("kafka.sh", "stop", broker)


if __name__ == "__main__":
    main()
