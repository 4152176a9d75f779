"""As a log fills up, a native writer with credits is slowed before anything is shed, then debug goes first, info next.

    levels.py --agent PATH

No broker answers, the log is small and sheds. What is seen of it is in the books, which balance all the time.
"""

import argparse
import json
import os
import socket
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from agent_process import Agent, imbalance  # noqa: E402

DEADLINE_SECONDS = 60
CREDIT_FIRST = 64 << 10
FEATURE_CREDITS = 2
WARNINGS = 50
LINES = 8000  # of debug and info: a multiple of what the log holds


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, inside):
    return varint(number << 3 | 2) + varint(len(inside)) + inside


def number(of, value):
    return varint(of << 3) + varint(value)


def numbers(message):
    """The varint fields of a message, by number."""
    found, at = {}, 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
    while at < len(message):
        tag = read()
        if tag & 7 == 0:
            found[tag >> 3] = read()
        else:
            assert tag & 7 == 2, tag
            size = read()
            found[tag >> 3] = message[at:at + size]
            at += size
    return found


class Writer:
    """A native client that keeps to its credit."""

    def __init__(self, path):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.connect(path)
        self.connection.settimeout(DEADLINE_SECONDS)
        self.credit, self.sent, self.pending = 0, 0, b""
        hello = field(1, field(3, b"levelsss") + number(7, FEATURE_CREDITS))
        self.connection.sendall(b"\xC1SL\x01" + struct.pack("<I", len(hello)) + hello)
        while self.credit == 0:
            self.read()

    def read(self):
        """Takes what is there now; waits for something where it must."""
        data = self.connection.recv(65536)
        assert data, "the agent has closed the connection"
        self.pending += data
        while len(self.pending) >= 4:
            size, = struct.unpack("<I", self.pending[:4])
            if len(self.pending) < 4 + size:
                return
            frame = numbers(self.pending[4:4 + size])
            self.pending = self.pending[4 + size:]
            assert 36 not in frame, frame  # Error
            if 32 in frame:
                welcome = numbers(frame[32])
                assert welcome[6] & FEATURE_CREDITS and welcome[3] >= CREDIT_FIRST, welcome
                self.credit += welcome[3]
            if 35 in frame:
                self.credit += numbers(frame[35])[1]

    def send(self):
        """One log of 4 KB. False: there is no credit for it beside what is kept for warn."""
        record = number(2, 9) + field(5, field(1, b"n" * 4096))
        run = number(1, self.sent + 1) + number(2, 1) + field(3, field(2, field(2, record)))
        frame = field(2, run)
        if 4 + len(frame) + CREDIT_FIRST > self.credit:
            return False
        self.connection.sendall(struct.pack("<I", len(frame)) + frame)
        self.credit -= 4 + len(frame)
        self.sent += 1
        return True


def until(agent, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        books = agent.books()
        assert not imbalance(books), imbalance(books)
        if condition(books):
            return books
        assert time.monotonic() < deadline, (books, agent.log[-20:])
        time.sleep(0.05)


def write_until_held_back(agent):
    """Sends until the agent counts that it gives less credit than the writer has used up."""
    writer = Writer(agent.socket)
    while True:
        for _ in range(32):
            if not writer.send():
                writer.read()
        books = until(agent, lambda books: books["door"]["logs"]["received"] == writer.sent)
        if books["receive"]["credit_waits"] > 0:
            return writer, books


def write_lines(agent, level, count):
    received = agent.books()["door"]["logs"]["received"]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for n in range(count):
            line = {"message": "x" * 1000, "n": n, "level": level}
            connection.sendall(json.dumps(line).encode() + b"\n")
    books = until(agent, lambda books: books["door"]["logs"]["received"] == received + count)
    return books["exporters"]["kafka"]["dropped"]


def closed_port():
    """A port that nobody listens on, and that nobody else gets: held by a socket that does not listen."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--agent", required=True)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, closed_port() as port:
        agent = Agent(arguments.agent, folder, f"""
spool: {{path: {folder}/spool, max_bytes: 8MiB}}
exporters: {{kafka: {{type: kafka, brokers: "127.0.0.1:{port.getsockname()[1]}", topic: levels, when_full: shed}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
""")
        try:
            writer, books = write_until_held_back(agent)
            page = books["exporters"]["kafka"]
            assert sum(page["dropped"].values()) == 0, page
            assert page["held"] == writer.sent > 0, page
            before = page["dropped"]
            for level in ("debug", "info"):
                after = write_lines(agent, level, LINES)
                assert after["level"] > before["level"], (level, after)
                before = after
            after = write_lines(agent, "warn", WARNINGS)
            assert after == before, (before, after)  # what is left of the log is theirs
            print(f"{writer.sent} records of the native writer held, none dropped; then dropped by level {after['level']}")
        finally:
            agent.kill()


if __name__ == "__main__":
    main()
