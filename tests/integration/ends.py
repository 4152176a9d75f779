"""How the agent starts and ends, with no sink there at all: ready, drained by its deadline, killed and started again.
And what its operator does meanwhile: read the settings in force, change them, watch live records; no secret shows.

    ends.py --agent PATH
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
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


def start(options, folder, drain=DRAIN_SECONDS, more=""):
    """Sinks that refuse every connection."""
    return Agent(options.agent, folder, f"""
drain_timeout: {drain}s
termination_message: {folder}/message
{more}
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


SECRETS = ("hush-password", "hush-file", "hush-key", "hush-pem", "hush-header", "hush-team", "hush-kafka-header",
           "hush-env", "hush-attribute")


def no_secret_is_ever_shown(options, folder):
    """A secret in every setting that may hold one, and then every text that the agent gives."""
    with open(os.path.join(folder, "secret"), "w", encoding="ascii") as file:
        file.write("hush-file\n")
    agent = Agent(options.agent, folder, f"""
log_level: debug
resource: {{api.token: hush-attribute}}
exporters:
  kafka:
    brokers: "127.0.0.1:{unused_port()}"
    headers: {{tenant: hush-kafka-header}}
    properties:
      security.protocol: sasl_plaintext
      sasl.mechanism: PLAIN
      sasl.username: name
      sasl.password: hush-password
      ssl.key.password: hush-key
      debug: all
  otlp:
    endpoint: "http://127.0.0.1:{unused_port()}"
    headers: {{authorization: hush-header, x-team: hush-team, x-file_file: {folder}/secret}}
""", {"SLUICE_OTLP_HEADERS_X_ENV": "hush-env"})
    texts = {}
    config = os.path.join(folder, "sluice.yaml")
    try:
        write(agent)
        texts = {path: agent.get(path) for path in ("/config", "/metrics", "/books", "/healthz")}
        settings = {entry["path"]: entry for entry in json.loads(texts["/config"])["settings"]}
        assert settings["exporters.kafka.properties.sasl.password"]["value"] is None
        assert settings["exporters.otlp.headers.x-file"]["secret"]
        assert settings["log_level"]["value"] == "debug"
        for words in (("check", config), ("explain", "--config", config)):
            done = subprocess.run([options.agent, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, env={**os.environ, "SLUICE_OTLP_HEADERS_X_ENV": "hush-env"})
            texts[words[0]] = done.stdout
        agent.process.send_signal(signal.SIGHUP)
        wait_for_event(agent, "reloaded")
    finally:
        texts["stdout"] = agent.stop()
    texts["own log"] = "".join(agent.log)
    assert "librdkafka" in texts["own log"]
    for name, text in texts.items():
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {name}:\n{text}"


def events(agent, event):
    found = []
    for line in list(agent.log):
        entry = json.loads(line)
        if entry["event"] == event:
            found.append(entry)
    return found


def wait_for_event(agent, event, count=1):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(events(agent, event)) < count:
        assert time.monotonic() < deadline, f"no {event}:\n" + "".join(agent.log)
        time.sleep(0.02)
    return events(agent, event)[count - 1]


def effective(agent, path):
    return next(e["value"] for e in json.loads(agent.get("/config"))["settings"] if e["path"] == path)


def reloads(options, folder):
    """SIGHUP: what may change does, what may not is named, a mistake changes nothing."""
    agent = start(options, folder)
    config = os.path.join(folder, "sluice.yaml")
    with open(config, encoding="utf-8") as file:
        before = file.read()

    def reload(text):
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        agent.process.send_signal(signal.SIGHUP)

    try:
        with Tail(options, agent, "--json") as tail:
            write_line(agent, b'{"event": "first"}')
            assert "service" not in tail.take("first")
            reload(before + "service: {name: renamed}\nresource: {team: blue}\nlog_level: debug\nmax_delay: 1s\n")
            assert "service.name" in wait_for_event(agent, "reloaded")["settings"]
            assert wait_for_event(agent, "reload_needs_restart")["settings"] == "max_delay"
            write_line(agent, b'{"event": "second"}')
            second = tail.take("second")
            assert second["service"]["name"] == "renamed", second
            assert second["labels"]["team"] == "blue", second
            assert effective(agent, "log_level") == "debug" and effective(agent, "max_delay") == "200ms"
            reload(before + "service: {name: wrong}\nlog_levle: info\n")
            wait_for_event(agent, "reload_refused")
            assert "log_levle" in wait_for_event(agent, "setting_refused")["message"]
            write_line(agent, b'{"event": "third"}')
            assert tail.take("third")["service"]["name"] == "renamed"
            os.rename(config, config + ".away")
            agent.process.send_signal(signal.SIGHUP)
            wait_for_event(agent, "reload_refused", 2)
            assert effective(agent, "service.name") == "renamed"
            os.rename(config + ".away", config)
            reload(before)
            wait_for_event(agent, "reloaded", 2)
            write_line(agent, b'{"event": "fourth"}')
            assert "service" not in tail.take("fourth")
        assert not imbalance(agent.books())
    finally:
        agent.stop()


class Tail:
    """`sluice tail` as a user runs it."""

    def __init__(self, options, agent, *words):
        self.started = len(events(agent, "tail_started")) + 1
        self.process = subprocess.Popen([options.agent, "tail", "--http", agent.addresses["http_listen"], *words],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for_event(agent, "tail_started", self.started)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.interrupt()

    def take(self, message):
        """The record with this message; what comes before it is passed over."""
        for line in self.process.stdout:
            document = json.loads(line)
            if document["message"] == message:
                return document
        raise AssertionError(f"{message} was not shown: {self.process.stderr.read()}")

    def interrupt(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, out, err


def write_line(agent, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        connection.sendall(line + b"\n")


def live_records_are_shown(options, folder):
    agent = start(options, folder)
    try:
        with Tail(options, agent, "--json", "--level", "warn", "user.id=7") as loud:
            human = Tail(options, agent, "--match", "hello*")
            write_line(agent, b'{"event": "quiet", "level": "info", "user_id": 7}')
            write_line(agent, b'{"event": "hello \\u001b[31m", "level": "error", "user": {"id": "7"}}')
            assert loud.take("hello \x1b[31m")["log"]["level"] == "error"
            line = human.process.stdout.readline()
            assert line.endswith(" error  - hello \\x1b[31m\n"), line
            status, out, err = human.interrupt()  # Ctrl-C ends it, and is no failure
            assert (status, out, err) == (0, "", ""), (status, out, err)
        assert wait_for_event(agent, "tail_ended", 2)["not_shown"] == 0
        with Tail(options, agent) as last:
            assert agent.stop().startswith("delivered=0 held=2")
            status, _, err = last.interrupt()
            assert status == 1 and "the agent has ended the stream" in err, (status, err)
    finally:
        agent.kill()
    gone = subprocess.run([options.agent, "tail", "--http", agent.addresses["http_listen"]], check=False,
                          stderr=subprocess.PIPE, text=True)
    assert gone.returncode == 1 and "Connection refused" in gone.stderr, gone


def tail_never_slows_the_path(options, folder):
    """A watcher that is stopped: the agent takes everything, and says how much was not shown."""
    agent = start(options, folder, more="max_memory: 256MiB")  # what is shed would not be shown
    lines = 40000
    try:
        tail = Tail(options, agent, "--json")
        tail.process.send_signal(signal.SIGSTOP)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(agent.socket)
            connection.sendall(b"".join(b'{"event": "flood", "n": %d}\n' % n for n in range(lines)))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while agent.books()["door"]["logs"]["received"] < lines:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not imbalance(agent.books())
        shown = []
        reader = threading.Thread(target=lambda: shown.extend(tail.process.stdout))
        reader.start()
        tail.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + DEADLINE_SECONDS
        after = 0
        while not (shown and "after" in shown[-1]):  # until it has caught up
            assert time.monotonic() < deadline, shown[-1:]
            write_line(agent, b'{"event": "after"}')
            after += 1
            time.sleep(0.1)
        tail.process.send_signal(signal.SIGINT)
        status = tail.process.wait()
        reader.join()
        told = sum(int(word) for word in tail.process.stderr.read().split() if word.isdigit())
        flood = sum("flood" in line for line in shown)
        assert status == 0 and 0 < flood < lines and len(shown) + told <= lines + after
        assert len(shown) + told >= lines, (len(shown), told)
    finally:
        agent.kill()


def the_least_memory_is_enough(options, folder):
    """The smallest max_memory that the table allows, with the default sinks; and a last line that nobody reads."""
    os.mkfifo(os.path.join(folder, "nobody-reads"))
    agent = Agent(options.agent, folder, f"""
max_memory: 8MiB
drain_timeout: 1s
termination_message: {folder}/nobody-reads
exporters:
  kafka: {{type: kafka, brokers: "127.0.0.1:{unused_port()}"}}
  otlp: {{type: otlp, endpoint: "http://127.0.0.1:{unused_port()}"}}
""")
    try:
        write(agent)
        assert imbalance(agent.books()) == ""
        assert f"held={LINES}" in agent.stop()
    finally:
        agent.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    for case in (ready_without_a_sink, drains_by_its_deadline, a_second_signal_ends_at_once, killed_and_started_again,
                 no_secret_is_ever_shown, reloads, live_records_are_shown, tail_never_slows_the_path,
                 the_least_memory_is_enough):
        folder = tempfile.mkdtemp(prefix="sluice-ends-")
        try:
            case(options, folder)
            print("ok", case.__name__, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


main()
