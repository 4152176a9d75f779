"""How the agent starts and ends, with no sink there at all: ready, drained by its deadline, killed and started again.

    ends.py --agent PATH
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402

LINES = 500
DRAIN_SECONDS = 4
DEADLINE_SECONDS = 60


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(options, folder, drain=DRAIN_SECONDS):
    """Sinks that refuse every connection."""
    return Agent(options.agent, folder, f"""
drain_timeout: {drain}s
termination_message: {folder}/message
exporters:
  kafka: {{type: kafka, brokers: "127.0.0.1:{unused_port()}"}}
  otlp: {{type: otlp, endpoint: "http://127.0.0.1:{unused_port()}"}}
""")


def write(agent, keep_open=False):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(agent.socket)
    connection.sendall(b"".join(b'{"event": "held", "n": %d}\n' % n for n in range(LINES)))
    deadline = time.monotonic() + DEADLINE_SECONDS
    while agent.books()["exporters"]["kafka"]["held"] < LINES:
        assert time.monotonic() < deadline, agent.books()
        time.sleep(0.05)
    if keep_open:
        return connection
    connection.close()
    return None


def ready_without_a_sink(options, folder):
    agent = start(options, folder)
    try:
        assert agent.get("/healthz") and agent.get("/readyz")
        assert "sluice_received_records_total" in agent.get("/metrics")
        health = subprocess.run([options.agent, "health", "--http", agent.addresses["http_listen"]], check=False)
        assert health.returncode == 0
        status = subprocess.run([options.agent, "status", "--http", agent.addresses["http_listen"]], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        assert "balanced: yes" in status, status
    finally:
        agent.stop()


def drains_by_its_deadline(options, folder):
    """A peer that never closes and sinks that never come: what is held is told."""
    agent = start(options, folder)
    try:
        connection = write(agent, keep_open=True)
        assert not imbalance(agent.books())
        last = agent.stop()
        connection.close()
        assert last == f"delivered=0 held={LINES} dropped=0", last
        with open(os.path.join(folder, "message"), encoding="ascii") as file:
            assert file.read() == last + "\n"
    finally:
        agent.kill()


def a_second_signal_ends_at_once(options, folder):
    """The drain would take longer than this test may."""
    agent = start(options, folder, drain=2 * DEADLINE_SECONDS)
    try:
        connection = write(agent, keep_open=True)
        agent.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:  # until the first one was heard: it is no longer ready
            try:
                agent.get("/readyz")
            except urllib.error.HTTPError as error:
                assert error.code == 503, error
                break
            assert time.monotonic() < deadline
        agent.process.send_signal(signal.SIGTERM)
        out, _ = agent.process.communicate(timeout=DEADLINE_SECONDS)
        connection.close()
        assert out.strip().endswith(f"delivered=0 held={LINES} dropped=0"), out
    finally:
        agent.kill()


def killed_and_started_again(options, folder):
    """The socket file that SIGKILL leaves is replaced; a live agent's is not."""
    agent = start(options, folder)
    agent.process.kill()
    agent.process.wait()
    assert os.path.exists(agent.socket)
    agent = start(options, folder)
    try:
        second = subprocess.run([options.agent, "run", "--socket", agent.socket, "--otlp-listen", "127.0.0.1:0",
                                 "--http-listen", "127.0.0.1:0"], check=False, stderr=subprocess.PIPE, text=True,
                                timeout=DEADLINE_SECONDS)
        assert second.returncode != 0 and agent.socket in second.stderr, second.stderr
        write(agent)
    finally:
        agent.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    for case in (ready_without_a_sink, drains_by_its_deadline, a_second_signal_ends_at_once, killed_and_started_again):
        folder = tempfile.mkdtemp(prefix="sluice-ends-")
        try:
            case(options, folder)
            print("ok", case.__name__, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


main()
