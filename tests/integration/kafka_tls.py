"""A broker that takes nothing but TLS and SASL/PLAIN: librdkafka's properties by name are all it needs.

    kafka_tls.py --agent PATH

The password comes from a file; with a wrong one nothing is lost, it is held until the agent is told the right one.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402

RECORDS = 1000
DEADLINE_SECONDS = 120
SKIPPED = 77


def kafka(*arguments):
    done = subprocess.run([os.path.join(STACK, "kafka.sh"), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == SKIPPED:
        print("SKIPPED: kafka.sh cannot be had", file=sys.stderr)
        sys.exit(SKIPPED)
    done.check_returncode()


def certificate(folder):
    """A key and a certificate that signs itself, for 127.0.0.1."""
    key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, stderr=subprocess.DEVNULL)
    with open(os.path.join(folder, "server.pem"), "w", encoding="ascii") as out:
        for part in (key, cert):
            with open(part, encoding="ascii") as file:
                out.write(file.read())
    return cert


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def add_listener(folder, work):
    """Gives a stopped broker a SASL_SSL listener beside the plain one that its script waits for."""
    port = free_port()
    properties = os.path.join(folder, "server.properties")
    with open(properties, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for i, line in enumerate(lines):
        name = line.split("=", 1)[0]
        if name in ("listeners", "advertised.listeners"):
            lines[i] += f",SASL_SSL://127.0.0.1:{port}"
        elif name == "listener.security.protocol.map":
            lines[i] += ",SASL_SSL:SASL_SSL"
    lines += ["ssl.keystore.type=PEM", f"ssl.keystore.location={work}/server.pem",
              "sasl.enabled.mechanisms=PLAIN",
              "listener.name.sasl_ssl.plain.sasl.jaas.config="
              "org.apache.kafka.common.security.plain.PlainLoginModule required "
              'username="agent" password="agent-secret" user_agent="agent-secret";']
    with open(properties, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return f"127.0.0.1:{port}"


def settings(brokers, cert, password_file):
    return f"""
exporters:
  kafka:
    type: kafka
    brokers: "{brokers}"
    topic: tls
    properties:
      security.protocol: sasl_ssl
      sasl.mechanism: PLAIN
      sasl.username: agent
      sasl.password_file: {password_file}
      ssl.ca.location: {cert}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
"""


def start(options, folder, brokers, cert, password):
    path = os.path.join(folder, "password")
    with open(path, "w", encoding="ascii") as file:
        file.write(password + "\n")
    return Agent(options.agent, folder, settings(brokers, cert, path))


def write(agent):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(agent.socket)
        for n in range(RECORDS):
            connection.sendall(json.dumps({"event": "by TLS", "n": n}).encode() + b"\n")


def until(agent, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition(agent.books()["exporters"]["kafka"]):
        assert time.monotonic() < deadline, agent.books()
        time.sleep(0.1)
    books = agent.books()
    assert not imbalance(books), imbalance(books)
    return books


def right_password(options, folder, brokers, cert):
    agent = start(options, folder, brokers, cert, "agent-secret")
    try:
        write(agent)
        until(agent, lambda page: page["delivered"] == RECORDS)
        time_to_settle = agent.resident_kib()
        print("agent memory with TLS, after", RECORDS, "records:", time_to_settle)
        assert agent.stop() == f"delivered={RECORDS} held=0 dropped=0"
    finally:
        agent.kill()


def wrong_password(options, folder, brokers, cert):
    agent = start(options, folder, brokers, cert, "not-it")
    try:
        write(agent)
        until(agent, lambda page: page["held"] == RECORDS and page["failures"] > 0)
        assert agent.stop() == f"delivered=0 held={RECORDS} dropped=0"
        log = "".join(agent.log)
        assert "uthentication" in log, log
        assert "not-it" not in log, "the own log tells the password"
    finally:
        agent.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-tls-")
    broker = os.path.join(folder, "kafka")
    try:
        cert = certificate(folder)
        kafka("start", broker)
        kafka("stop", broker)
        brokers = add_listener(broker, folder)
        kafka("start", broker)
        wrong_password(options, folder, brokers, cert)
        right_password(options, folder, brokers, cert)
    finally:
        kafka("stop", broker)
        shutil.rmtree(folder, ignore_errors=True)


main()
