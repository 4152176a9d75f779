"""Hostile clients against the running agent: each class gets its documented answer and its counter, those beside it
are served, the books balance, and memory stays within the budget.

    hostile.py --agent PATH [--full]      --full: 400 MB without a newline instead of 64
"""

import argparse
import json
import multiprocessing
import os
import random
import re
import shutil
import struct
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
sys.path.insert(0, HERE)

import ecs_document  # noqa: E402
import flood  # noqa: E402
import hostile_clients as clients  # noqa: E402
from agent_process import Agent, imbalance  # noqa: E402
from hostile_clients import MIB  # noqa: E402
from servers import stack  # noqa: E402

DEADLINE_SECONDS = 120
MAX_MEMORY_MIB = 64
SLACK_MIB = 24  # the allocator's and librdkafka's own, beside what max_memory shares out
CROWD, WRITERS = 10000, 5000
# What a budget may be exceeded by: what must be kept though there is no room, up to one frame, one message.
SLOW_BYTES = 4  # of each slow connection, a second apart
SURPLUS = {"read_bytes": MIB, "message_bytes": 16 * MIB}
TOO_LARGE = b"\x08\x03"  # Error.code, in native.proto
RESOURCE_EXHAUSTED = "8"


class Test:
    def __init__(self, agent, options):
        self.agent, self.options = agent, options
        self.records = 0  # sent, and to arrive
        self.closings = {}  # by reason, that there were to be

    def metrics(self):
        found = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", self.agent.get("/metrics"), re.MULTILINE)
        return {(name, labels): float(value) for name, labels, value in found}

    def closed(self):
        """Connections that the agent closed, by reason."""
        return {labels.split('"')[1]: int(value) for (name, labels), value in self.metrics().items()
                if name == "sluice_closed_connections_total"}

    def sent(self, count):
        self.records += count

    def settled(self):
        """Until everything that was sent is delivered; then the books and the budgets are looked at."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            books = self.agent.books()
            page = books["exporters"]["kafka"]
            if page["delivered"] == self.records and books["door"]["logs"]["pending"] == 0:
                break
            assert time.monotonic() < deadline and self.agent.process.poll() is None and \
                page["delivered"] <= self.records, f"{self.records} records: {books}\n{''.join(self.agent.log[-10:])}"
            time.sleep(0.05)
        assert not imbalance(books), imbalance(books)
        metrics = self.metrics()
        for budget, surplus in SURPLUS.items():
            peak, limit = metrics[f"sluice_{budget}_peak", ""], metrics[f"sluice_{budget}_limit", ""]
            assert 0 < limit and peak <= limit + surplus, f"{budget}: {peak} of {limit}"

    def probe(self):
        """Somebody else's record still arrives."""
        clients.send_lines(self.agent.socket, clients.line(-1, probe=True))
        self.sent(1)
        self.settled()

    def closes(self, reason, count=1):
        """Until the agent has counted so many more connections closed for that reason."""
        return Closes(self, reason, count)


class Closes:
    def __init__(self, test, reason, count):
        self.test, self.reason, self.count = test, reason, count

    def __enter__(self):
        self.before = self.test.closed()

    def __exit__(self, kind, *_):
        if kind:
            return
        deadline = time.monotonic() + 30
        while True:
            now = self.test.closed()
            more = now[self.reason] - self.before[self.reason]
            if more >= self.count or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        assert more == self.count, f"{more} closed, not {self.count}, for {self.reason}: {now}"
        self.test.closings[self.reason] = self.test.closings.get(self.reason, 0) + self.count


def foreign_bytes(test):
    path = test.agent.socket
    for reason, data in (("tls", clients.tls_hello()), ("pickle", clients.pickled()),
                         ("http1", b"POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"),
                         ("binary", b"\x01\x02\xfe\x00" + random.Random(4).randbytes(1000))):
        with test.closes(reason):
            clients.refused(path, data)
    clients.send_lines(path, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")  # as good a text as any
    test.sent(2)


def frame_of_4_gib(test):
    with test.closes("broken"):
        answer = clients.refused(test.agent.socket, clients.PREAMBLE + clients.hello() + b"\xff\xff\xff\xff" + bytes(4096))
    assert TOO_LARGE in answer, answer


def message_of_4_gib(test):
    status = clients.grpc_status(test.agent.socket, b"\0\xff\xff\xff\xff" + bytes(4096), end=False)
    assert status == RESOURCE_EXHAUSTED, status


def gzip_bomb(test):
    status = clients.grpc_status(test.agent.socket, clients.gzip_bomb(256 * MIB), "gzip")
    assert status == RESOURCE_EXHAUSTED, status


def pings_unread(test):
    with test.closes("broken"):
        clients.never_reads(test.agent.socket, clients.HTTP2, clients.PINGS)


def nested_deep(test):
    deep = 120000
    whole = b'{"event":"deep","n":0,"deep":' + b"[" * deep + b"]" * deep + b"}\n"
    clients.send_lines(test.agent.socket, whole + b'{"event":' + b"[" * 200000 + b"\n")
    test.sent(2)


def no_newline(test):
    size = (400 if test.options.full else 64) * MIB
    before = test.metrics()["sluice_truncated_lines_total", ""]
    with clients.connect(test.agent.socket) as connection:
        for _ in range(size // MIB):
            connection.sendall(b"x" * MIB)
        connection.sendall(b"\n" + clients.line(1, after="the long line"))
    test.sent(2)  # one cut record, and the next line's
    test.settled()
    assert test.metrics()["sluice_truncated_lines_total", ""] == before + 1


def distinct_keys(test):
    keys = 10000
    for n in range(20):
        clients.send_lines(test.agent.socket, clients.line(n, many=True, **{f"key_{n}_{key}": key for key in range(keys)}))
    test.sent(20)


def unfinished(test):
    """Frames and messages that never end hold a budget's worth at most, and nobody else's records."""
    native = [clients.connect(test.agent.socket) for _ in range(50)]
    for connection in native:
        connection.setblocking(False)
        clients.send_what_goes(connection, clients.NATIVE + struct.pack("<I", MIB - 1) + bytes(MIB - 2))
    grpc = [clients.Grpc(test.agent.socket) for _ in range(6)]
    for client in grpc:
        client.connection.settimeout(0.3)
        client.send_what_goes(client.open(), b"\0" + struct.pack(">I", 15 * MIB) + bytes(12 * MIB))
    test.probe()
    for connection in native:
        connection.close()
    for client in grpc:
        client.close()


def byte_by_byte(test):
    """Hundreds that send a byte a second, then one by one: each gets its record through, and others need not wait for them."""
    data = b'{"event":"slow","n":1}\n'
    connections = [clients.connect(test.agent.socket) for _ in range(300)]
    for byte in range(len(data)):
        for connection in connections:
            connection.sendall(data[byte:byte + 1])
        if byte < SLOW_BYTES:
            time.sleep(1)  # the pace is the attack; nothing is waited for
        if byte == len(data) // 2:
            test.probe()
    for connection in connections:
        connection.close()
    test.sent(len(connections))


def crowd(test):
    """As many connections as there may be; more are turned away, and those that are in are served."""
    count = clients.raise_limit(CROWD)
    people = clients.Crowd(test.agent.socket, count)
    try:
        if count == CROWD:
            with test.closes("too_many", 20):
                for _ in range(20):
                    clients.refused(test.agent.socket, b"")
        people.write()
        test.sent(count)
        test.settled()
        people.leave()
    finally:
        people.kill()
    print(f"  {count} connections at once")


def writers(test):
    people = clients.Crowd(test.agent.socket, WRITERS)
    try:
        started = time.monotonic()
        people.write()
        test.sent(WRITERS)
        test.settled()
        print(f"  {WRITERS} concurrent writers took {time.monotonic() - started:.2f} s")
        people.leave()
    finally:
        people.kill()


CLASSES = {
    "foreign bytes": foreign_bytes,
    "a native frame of 4 GiB": frame_of_4_gib,
    "a gRPC message of 4 GiB": message_of_4_gib,
    "a gzip bomb": gzip_bomb,
    "pings, and no answer read": pings_unread,
    "JSON nested deep": nested_deep,
    "no newline": no_newline,
    "10,000 keys a record": distinct_keys,
    "frames and messages without an end": unfinished,
    "byte by byte": byte_by_byte,
}
CROWDS = {
    "10,000 connections": crowd,
    "5,000 writers": writers,
}


def run_classes(test):
    baseline = test.agent.resident_kib()["VmRSS"] / 1024
    with test.closes("unread"):
        unread = multiprocessing.get_context("fork").Process(
            target=clients.never_reads, args=(test.agent.socket, clients.NATIVE, clients.FLUSHES))
        unread.start()
        try:
            peaks = [run_class(test, name, attack) for name, attack in CLASSES.items()]
            unread.join(60)
            assert unread.exitcode == 0, "the agent did not end who never reads"
        finally:
            unread.kill()
    peaks += [run_class(test, name, attack) for name, attack in CROWDS.items()]
    peak = max(peaks)
    metrics = test.metrics()
    for budget in SURPLUS:
        print(f"{budget}: at most {metrics[f'sluice_{budget}_peak', ''] / MIB:.2f} MiB of "
              f"{metrics[f'sluice_{budget}_limit', ''] / MIB:.2f}")
    print(f"resident: {baseline:.1f} MiB at first, at most {peak:.1f}")
    return baseline, peak


def run_class(test, name, attack):
    clear_peak(test.agent)
    started = time.monotonic()
    attack(test)
    test.probe()
    peak = test.agent.resident_kib()["VmHWM"] / 1024
    print(f"{name}: {time.monotonic() - started:.1f} s, peak {peak:.1f} MiB", flush=True)
    return peak


def clear_peak(agent):
    """Resets VmHWM, where the kernel lets us, so that each class has its own."""
    try:
        with open(f"/proc/{agent.process.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass


def check_documents(brokers, count):
    """Everything that came is a document, and whole."""
    from topic import records
    kinds = {}
    for message in records(brokers, "hostile", count, DEADLINE_SECONDS):
        document, mistakes = ecs_document.parse(message.value())
        assert not mistakes, f"{mistakes}: {message.value()[:500]!r}"
        for kind in document.get("labels", {}).keys() & {"probe", "many", "after"}:
            kinds[kind] = kinds.get(kind, 0) + 1
        if "many" in document.get("labels", {}):
            assert len(document["numeric_labels"]) >= 10000, len(document["numeric_labels"])
        if document["message"].startswith("xxx"):
            assert document["log"]["flags"] == "truncated" and len(document["message"]) <= 256 << 10
        count -= 1
    assert count == 0, f"{count} are missing"
    return kinds


def run(options, folder):
    kafka = os.path.join(folder, "kafka")
    brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
    try:
        agent = Agent(options.agent, folder, f"""
max_memory: {MAX_MEMORY_MIB}MiB
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: hostile}}}}
""")
        try:
            test = Test(agent, options)
            test.probe()
            baseline, peak = run_classes(test)
            wrong = {reason: count for reason, count in test.closed().items() if count != test.closings.get(reason, 0)}
            assert not wrong, f"closed for no reason of ours: {wrong}"
            print("documents:", check_documents(brokers, test.records))
            assert peak <= baseline + MAX_MEMORY_MIB + SLACK_MIB, f"{peak} MiB"
            agent.stop()
        finally:
            agent.kill()
        flood.compare(options.agent, brokers, folder, seconds=2)  # told, not judged: other tests run beside it
    finally:
        stack("kafka.sh", "stop", kafka)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--full", action="store_true")
    folder = tempfile.mkdtemp(prefix="sluice-hostile-")
    try:
        run(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
