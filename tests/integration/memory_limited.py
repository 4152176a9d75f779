"""Writers of every dialect at full speed under a memory limit of 32 MiB, the broker silent or dead and then back: the
agent is never killed for its memory, and what is missing in the end is what its books say was shed or refused.

    memory_limited.py --agent PATH [--seconds N] [--durability memory|process]...

The limit is a memory cgroup's, of version 1 or 2. Where none may be made, the agent is told half of the limit as
max_memory and its resident memory is sampled instead: that is said aloud.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402
from memory_group import MemoryGroup, NoGroup  # noqa: E402
from servers import stack  # noqa: E402

LIMIT = 32 << 20
DEADLINE_SECONDS = 240
WRITERS = ("lines", "lines", "lines", "otlp", "otlp", "native", "native")
TOPIC = "memory"
SAMPLE_SECONDS = 0.02


class Writer:
    """A process that writes until its stdin closes, then says what it sent."""

    def __init__(self, kind, name, address):
        self.kind, self.name = kind, name
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "full_speed_writer.py"), kind, name, address],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def finish(self):
        out, _ = self.process.communicate(timeout=DEADLINE_SECONDS)
        assert self.process.returncode == 0, f"{self.name} ended with {self.process.returncode}"
        return json.loads(out)


class Sampler(threading.Thread):
    """The most that the agent had in memory that cannot be written back."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_kib, self.stopping = pid, 0, threading.Event()

    def run(self):
        while not self.stopping.wait(SAMPLE_SECONDS):
            try:
                with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
                    fields = dict(line.split(":", 1) for line in file)
                self.peak_kib = max(self.peak_kib, sum(int(fields[name].split()[0])
                                                       for name in ("RssAnon", "RssShmem")))
            except (OSError, KeyError):
                return  # it has ended; whoever waits for it will say why


def settings(brokers, folder, durability, told):
    spool = f"{{path: {folder}/spool, max_bytes: 64MiB, durability: process}}" if durability == "process" else "{}"
    return f"""
{told}
spool: {spool}
exporters: {{kafka: {{type: kafka, brokers: "{brokers}", topic: {TOPIC}-{durability}}}}}
routes: {{logs: {{signals: [logs], exporters: [kafka]}}}}
"""


def limited(folder, binary, group):
    """A program that joins the group and becomes the agent."""
    path = os.path.join(folder, "limited.sh")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\necho $$ > "{group.procs}" && exec "{binary}" "$@"\n')
    os.chmod(path, 0o755)
    return path


class Run:
    def __init__(self, options, folder, durability, kafka, brokers):
        self.options, self.durability, self.kafka, self.brokers = options, durability, kafka, brokers
        try:
            self.group = MemoryGroup(LIMIT)
            binary, told = limited(folder, options.agent, self.group), ""
        except NoGroup as why:
            print(f"NO MEMORY CGROUP ({why}): resident memory is sampled instead", file=sys.stderr)
            self.group, binary, told = None, options.agent, "max_memory: 16MiB"
        try:
            self.agent = Agent(binary, folder, settings(brokers, folder, durability, told))
        except RuntimeError:
            if self.group:
                self.group.remove()
            raise
        self.sampler = Sampler(self.agent.process.pid)
        self.sampler.start()

    def bring_back(self):
        """From silence (at level memory) or from the dead."""
        stack("kafka.sh", "resume" if self.durability == "memory" else "start", self.kafka)

    def page(self):
        return self.agent.books()["exporters"]["kafka"]

    def until(self, condition, what):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert self.agent.process.poll() is None, f"the agent ended: {self.agent.process.returncode}"
            books = self.agent.books()
            assert not imbalance(books), imbalance(books)
            if condition(books):
                return books
            assert time.monotonic() < deadline, f"not {what}: {books}"
            time.sleep(0.1)

    def go(self):
        writers = [Writer(kind, f"{kind}-{n}", self.agent.socket) for n, kind in enumerate(WRITERS)]
        end = time.monotonic() + self.options.seconds
        self.until(lambda books: time.monotonic() > end, "so late")
        held = self.page()["held"]
        assert held > 0
        self.bring_back()
        # The backlog goes out while the writers go on.
        self.until(lambda books: books["exporters"]["kafka"]["delivered"] > 2 * held, "delivered")
        for writer in writers:
            writer.process.stdin.close()
            writer.process.stdin = None
        sent = {writer.name: writer.finish() for writer in writers}
        written = sum(report["sent"] for report in sent.values())
        books = self.until(lambda books: books["exporters"]["kafka"]["held"] == 0 and
                           books["door"]["logs"]["received"] == written, "settled")
        self.check(books, sent, held)

    def check(self, books, sent, held):
        self.sampler.stopping.set()
        self.sampler.join()
        door, page = books["door"]["logs"], books["exporters"]["kafka"]
        there, generated = self.documents()
        dropped = sum(page["dropped"].values())
        refused = sum(door["rejected"].values())
        found = sum(len(numbers) for numbers in there.values())
        written = sum(report["sent"] for report in sent.values())
        assert refused == door["rejected"]["overloaded"] == sum(r["refused"] for r in sent.values()), (door, sent)
        assert written == found + dropped + refused, (written, found, dropped, refused)
        assert page["delivered"] == found + generated and page["dead"] == 0, (page, found, generated)
        for name, report in sent.items():
            for first, last in report["promised"]:
                lost = [n for n in range(first, last) if n not in there[name]]
                assert not lost, f"{name}: {len(lost)} promised records are lost, {lost[:5]} …"
        self.check_memory()
        promised = sum(last - first for report in sent.values() for first, last in report["promised"])
        print(f"durability {self.durability}: {written} written, {found} delivered, {dropped} shed, {refused} refused "
              f"with an answer; {promised} promised, none of them lost; {held} held when the broker came")

    def check_memory(self):
        resident = self.sampler.peak_kib / 1024
        assert resident * (1 << 20) < LIMIT, f"{resident:.1f} MiB resident"
        said = f"peak of anonymous and shared memory {resident:.1f} MiB"
        if self.group:
            assert self.group.kills() == 0, "the kernel killed for memory"
            said += f", of the group (with cached pages of files) {self.group.peak() / (1 << 20):.1f} MiB of 32"
        print(f"durability {self.durability}: {said}")

    def documents(self):
        from topic import records
        there, ids, generated = {}, set(), set()
        for message in records(self.brokers, f"{TOPIC}-{self.durability}", None, DEADLINE_SECONDS):
            document = json.loads(message.value())
            if "writer" not in document.get("labels", {}):  # the agent's own, of what was dropped
                generated.add(document["event"]["id"])
                continue
            name, n = document["labels"]["writer"], int(document["labels"]["n"])
            numbers = there.setdefault(name, set())
            if document["event"]["id"] in ids:
                assert n in numbers, "an id of two records"
            else:
                assert n not in numbers, f"{name} {n} has two ids"
            ids.add(document["event"]["id"])
            numbers.add(n)
        return there, len(generated)

    def close(self):
        self.agent.kill()
        if self.group:
            self.group.remove()


def default_budget(options, folder):
    """Without max_memory the agent takes half of the limit."""
    try:
        group = MemoryGroup(LIMIT)
    except NoGroup:
        return
    try:
        done = subprocess.run([limited(folder, options.agent, group), "explain", "--set", f"socket.path={folder}/s"],
                              capture_output=True, text=True, check=False)
        assert re.search(r"max_memory\b.*\b16\s*MiB", done.stdout), done.stdout + done.stderr
    finally:
        group.remove()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--seconds", type=float, default=5, help="how long the broker is away")
    parser.add_argument("--durability", action="append", choices=["memory", "process"])
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-memory-")
    kafka = os.path.join(folder, "kafka")
    try:
        default_budget(options, folder)
        brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
        for durability in options.durability or ("memory", "process"):
            stack("kafka.sh", "pause" if durability == "memory" else "kill", kafka)
            run = Run(options, folder, durability, kafka, brokers)
            try:
                run.go()
                print(run.agent.stop())
            except BaseException:
                print("".join(run.agent.log[-20:]), file=sys.stderr)
                raise
            finally:
                run.close()
    finally:
        stack("kafka.sh", "kill", kafka)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
