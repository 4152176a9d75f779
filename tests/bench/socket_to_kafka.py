"""CPU time a record from the Unix socket into a real Kafka: the agent beside two bare relays, in turn, in one run.

Prints a table of medians and the ratios of each round's pairs. Asserts nothing but that every record was delivered.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "stack"))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from agent_process import Agent, imbalance  # noqa: E402
from topic import create, records  # noqa: E402

LINES = 1000  # how many different lines the writer has
TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE_SECONDS = 300


def usage(pid):
    """CPU seconds so far, and peak resident KiB."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.split(":", 1) for line in file)
    return (int(fields[11]) + int(fields[12])) / TICKS, int(status["VmHWM"].split()[0])


def measure(options, socket, pid, delivered):
    """Writes all records; what it cost pid until delivered() says that all have arrived."""
    cpu, _ = usage(pid)
    start = time.monotonic()
    subprocess.run([f"{options.build}/tests/bench/writer", socket, str(options.records), str(options.bytes)],
                   check=True)
    delivered(start + DEADLINE_SECONDS)
    seconds = time.monotonic() - start
    after, peak = usage(pid)
    return {"cpu_us": (after - cpu) * 1e6 / options.records, "rate": options.records / seconds, "peak_mib": peak / 1024}


def run_agent(options, topic, mode="ecs", durability="memory"):
    folder = tempfile.mkdtemp(prefix="sluice-bench-")
    spool = "" if durability == "memory" else f"path: {folder}/spool, "
    agent = Agent(f"{options.build}/agent/sluice", folder, f"""
max_delay: 20ms
spool: {{{spool}durability: {durability}}}
service: {{name: bench}}
exporters:
  kafka: {{type: kafka, brokers: "{options.brokers}", topic: {topic}, mode: {mode}, when_full: block,
          properties: {{compression.type: lz4, linger.ms: "20"}}}}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
""")

    def delivered(deadline):
        while agent.books()["exporters"]["kafka"]["delivered"] < options.records:
            assert time.monotonic() < deadline, agent.books()
            time.sleep(0.02)

    try:
        result = measure(options, agent.socket, agent.process.pid, delivered)
        books = agent.books()
        assert not imbalance(books), imbalance(books)
        assert books["door"]["logs"]["received"] == options.records, books
        agent.stop()
        return result
    finally:
        agent.kill()
        shutil.rmtree(folder)


def run_relay(options, topic, documents=None):
    folder = tempfile.mkdtemp(prefix="sluice-bench-")
    socket = os.path.join(folder, "relay.sock")
    arguments = [f"{options.build}/tests/bench/relay", socket, options.brokers, topic]
    relay = subprocess.Popen(arguments + ([documents] if documents else []), stdout=subprocess.PIPE, text=True)

    def delivered(_deadline):
        line = relay.stdout.readline().strip()
        assert line == f"delivered={options.records} failed=0", line

    try:
        assert relay.stdout.readline() == "ready\n"
        return measure(options, socket, relay.pid, delivered)
    finally:
        relay.kill()
        relay.wait()
        shutil.rmtree(folder)


def write_documents(options, topic, path):
    with open(path, "wb") as file:
        sizes = []
        for message in records(options.brokers, topic, LINES, DEADLINE_SECONDS):
            json.loads(message.value())
            sizes.append(len(message.value()))
            file.write(message.value() + b"\n")
    return statistics.mean(sizes)


def table(results):
    print("| what | CPU µs a record | records/s | peak MiB |\n|---|---|---|---|")
    for name, rounds in results.items():
        middle = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
        print(f"| {name} | {middle['cpu_us']:.2f} | {middle['rate']:,.0f} | {middle['peak_mib']:.1f} |")
    pairs = [("sluice", other) for other in results if "relay" in other or "lines" in other]
    for one, other in pairs + [("sluice, process", "sluice"), ("sluice, node", "sluice")]:
        ratios = [a["cpu_us"] / b["cpu_us"] for a, b in zip(results[one], results[other])]
        print(f"\nCPU of {one} / {other}: median {statistics.median(ratios):.2f}"
              f" (min {min(ratios):.2f}, max {max(ratios):.2f} of {len(ratios)} rounds)")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--records", type=int, default=500000)
    parser.add_argument("--bytes", type=int, default=325)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-bench-documents-")
    documents = os.path.join(folder, "documents.ndjson")
    results = {"sluice": [], "sluice, mode lines": [], "raw relay": [], "twin relay": [], "sluice, process": [],
               "sluice, node": []}
    try:
        for turn in range(options.rounds):
            topics = [f"bench-{os.getpid()}-{turn}-{k}" for k in range(6)]
            for topic in topics:
                create(options.brokers, topic)
            results["sluice"].append(run_agent(options, topics[0]))
            if turn == 0:
                size = write_documents(options, topics[0], documents)
                print(f"{options.records:,} lines of {options.bytes} bytes become documents of {size:.0f} bytes;"
                      f" {options.rounds} rounds\n")
            results["sluice, mode lines"].append(run_agent(options, topics[3], "lines"))
            results["sluice, process"].append(run_agent(options, topics[4], durability="process"))
            results["sluice, node"].append(run_agent(options, topics[5], durability="node"))
            results["raw relay"].append(run_relay(options, topics[1]))
            results["twin relay"].append(run_relay(options, topics[2], documents))
        table(results)
    finally:
        shutil.rmtree(folder)


main()
