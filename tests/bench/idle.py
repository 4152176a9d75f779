"""What an idle agent costs: resident memory once connected to Kafka, and how often its loop wakes up.

    idle.py --build DIR --brokers HOST:PORT
"""

import argparse
import os
import shutil
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from agent_process import Agent  # noqa: E402

WATCH_SECONDS = 10
DEADLINE_SECONDS = 60


def switches(pid):
    """How often the loop's thread (not librdkafka's) has gone to sleep so far."""
    with open(f"/proc/{pid}/task/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return int(fields["voluntary_ctxt_switches"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--brokers", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-idle-")
    agent = Agent(f"{options.build}/agent/sluice", folder, f"""
exporters:
  kafka: {{type: kafka, brokers: "{options.brokers}", topic: idle}}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
""")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(agent.socket)
            connection.sendall(b'{"event": "so that it connects"}\n')
        deadline = time.monotonic() + DEADLINE_SECONDS
        while agent.books()["exporters"]["kafka"]["held_bytes"] or not agent.books()["exporters"]["kafka"]["delivered"]:
            assert time.monotonic() < deadline, agent.books()
            time.sleep(0.2)
        before = switches(agent.process.pid)
        time.sleep(WATCH_SECONDS)  # the measurement itself: nothing happens
        woken = switches(agent.process.pid) - before
        print(f"idle and connected: {agent.resident_kib()['VmRSS'] / 1024:.2f} MiB resident; "
              f"the loop's thread slept {woken} times anew in {WATCH_SECONDS} s")
        agent.stop()
    finally:
        agent.kill()
        shutil.rmtree(folder)


main()
