"""A broker that takes nothing but TLS and SASL/PLAIN: librdkafka's properties by name are all it needs.

    kafka_tls.py --agent PATH

The password comes from a file; with a wrong one nothing is lost, it is held until the agent is told the right one.
Where the broker asks for a client's certificate, one that it does not take is replaced by one that it does, and that
by the next, while records flow: no restart, and none is lost.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, HERE)
sys.path.insert(0, STACK)

from agent_process import Agent, imbalance  # noqa: E402
from servers import stack  # noqa: E402
from topic import records  # noqa: E402

RECORDS = 1000
DEADLINE_SECONDS = 120


def kafka(*arguments):
    return stack("kafka.sh", *arguments)[1]


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


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


def authority(folder, name):
    key, cert = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".pem")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key,
            "-out", cert)
    return key, cert


def client_pair(folder, signer, name):
    """A key and a certificate of that authority, beside those that are in use."""
    key, cert, request = (os.path.join(folder, f"{name}.{end}") for end in ("key", "pem", "csr"))
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", signer[1], "-CAkey", signer[0], "-CAcreateserial", "-days", "2",
            "-out", cert)
    return key, cert


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def add_listener(folder, work):
    """Gives a stopped broker a SASL_SSL listener, and one that asks for a certificate, beside the plain one that its
    script waits for."""
    port, mutual = free_port(), free_port()
    properties = os.path.join(folder, "server.properties")
    with open(properties, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for i, line in enumerate(lines):
        name = line.split("=", 1)[0]
        if name in ("listeners", "advertised.listeners"):
            lines[i] += f",SASL_SSL://127.0.0.1:{port},MUTUAL://127.0.0.1:{mutual}"
        elif name == "listener.security.protocol.map":
            lines[i] += ",SASL_SSL:SASL_SSL,MUTUAL:SSL"
    lines += ["ssl.keystore.type=PEM", f"ssl.keystore.location={work}/server.pem",
              "listener.name.mutual.ssl.client.auth=required",
              "listener.name.mutual.ssl.truststore.type=PEM",
              f"listener.name.mutual.ssl.truststore.location={work}/clients.pem",
              "sasl.enabled.mechanisms=PLAIN",
              "listener.name.sasl_ssl.plain.sasl.jaas.config="
              "org.apache.kafka.common.security.plain.PlainLoginModule required "
              'username="agent" password="agent-secret" user_agent="agent-secret";']
    with open(properties, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return f"127.0.0.1:{port}", f"127.0.0.1:{mutual}"


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


def mutual_settings(folder, brokers, cert):
    return f"""
exporters:
  kafka:
    type: kafka
    brokers: "{brokers}"
    topic: mutual
    properties:
      security.protocol: ssl
      ssl.ca.location: {cert}
      ssl.certificate.location: {folder}/in-use.pem
      ssl.key.location: {folder}/in-use.key
      reconnect.backoff.max.ms: "500"
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
"""


def put(source, target):
    """As a tool that renews certificates does: a rename."""
    shutil.copy(source, target + ".new")
    os.rename(target + ".new", target)


def events(agent, name):
    return [line for line in list(agent.log) if f'"event":"{name}"' in line]


def until_told(agent, name, count):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while len(events(agent, name)) < count:
        assert time.monotonic() < deadline, (name, agent.log[-20:])
        time.sleep(0.05)


class Flow(threading.Thread):
    """Writes a record every few milliseconds until it is told to end."""

    def __init__(self, path):
        super().__init__()
        self.path, self.ending, self.written = path, threading.Event(), 0
        self.start()

    def run(self):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.path)
            while not self.ending.wait(0.002):
                connection.sendall(json.dumps({"event": "by TLS", "n": self.written}).encode() + b"\n")
                self.written += 1


def new_certificates(options, folder, brokers, cert, signers):
    """A certificate that is not taken, then one that is, then the next: what is written meanwhile all arrives."""
    key, certificate_path = os.path.join(folder, "in-use.key"), os.path.join(folder, "in-use.pem")
    stranger, first, second = (client_pair(folder, signers[s], n) for s, n in ((1, "stranger"), (0, "first"),
                                                                              (0, "second")))
    put(stranger[0], key)
    put(stranger[1], certificate_path)
    agent = Agent(options.agent, folder, mutual_settings(folder, brokers, cert))
    flow = Flow(agent.socket)
    try:
        until(agent, lambda page: page["failures"] > 0 and page["held"] > 0)
        assert agent.books()["exporters"]["kafka"]["delivered"] == 0
        for count, pair in enumerate((first, second)):
            put(pair[1], certificate_path)
            until_told(agent, "kafka_certificates_refused", count + 1)  # half a pair: the old one stays
            put(pair[0], key)
            until_told(agent, "kafka_certificates_changed", count + 1)
            seen = agent.books()["exporters"]["kafka"]["delivered"]
            until(agent, lambda page, seen=seen: page["delivered"] > seen + 500)
        flow.ending.set()
        flow.join()
        page = until(agent, lambda page: page["delivered"] == flow.written)["exporters"]["kafka"]
        assert page["dead"] == 0, page
        print(f"certificates: {flow.written} records through two changes, {page['retries']} sent again")
        assert agent.stop() == f"delivered={flow.written} held=0 dropped=0"
        return flow.written
    finally:
        flow.ending.set()
        flow.join()
        agent.kill()


def in_topic(brokers, topic):
    return {json.loads(message.value())["event"]["id"] for message in records(brokers, topic)}


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
        signers = [authority(folder, "clients"), authority(folder, "strangers")]
        brokers, mutual = add_listener(broker, folder)
        plain = kafka("start", broker)["KAFKA_BROKERS"]
        wrong_password(options, folder, brokers, cert)
        right_password(options, folder, brokers, cert)
        written = new_certificates(options, folder, mutual, cert, signers)
        assert len(in_topic(plain, "mutual")) == written, "a record is not in the topic"
    finally:
        kafka("stop", broker)
        shutil.rmtree(folder, ignore_errors=True)


main()
