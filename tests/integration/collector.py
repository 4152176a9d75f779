"""A real OpenTelemetry Collector after the agent (TLS both ways, killed, certificates changed) and before it.

    collector.py --agent PATH
"""

import argparse
import collections
import json
import os
import shutil
import sys
import tempfile
import threading
import time

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "stack"))

from agent_process import Agent, imbalance  # noqa: E402
from collector_process import Collector, authority, certificate, free_ports, stack  # noqa: E402

DEADLINE_SECONDS = 90
REQUEST = 100  # records of one
RECEIVER = """
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%(port)d" %(tls)s}}}}
exporters: {file: {path: "${env:OUT}", rotation: {max_megabytes: 1000}}}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
    metrics: {receivers: [otlp], exporters: [file]}
"""  # with a rotation the file exporter writes at once: what it has answered is in the file
SENDER = """
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:%(port)d"}}}
  file_log: {include: ["%(folder)s/app.log"], start_at: beginning, poll_interval: 100ms}
exporters:
  otlp_grpc/socket: &out
    endpoint: "unix://%(socket)s"
    tls: {insecure: true}
    compression: none
    retry_on_failure: {initial_interval: 100ms, max_interval: 300ms, max_elapsed_time: 0s}
  otlp_grpc/loopback: {<<: *out, endpoint: "%(loopback)s", compression: gzip}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_grpc/socket]}
    metrics: {receivers: [otlp], exporters: [otlp_grpc/loopback]}
    logs/otlp: {receivers: [otlp], exporters: [otlp_grpc/loopback]}
    logs/files: {receivers: [file_log], exporters: [otlp_grpc/socket]}
"""


def until(agent, what, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition(agent.books()):
        assert time.monotonic() < deadline, f"{what}: {agent.books()}\n" + "".join(agent.log[-20:])
        time.sleep(0.05)
    return agent.books()


# --- what is sent: span n has trace id n + 1, so that each can be told apart everywhere ---

def span_key(n):
    return f"{n + 1:032x}", f"{n + 1:016x}"


def send_spans(channel, numbers, filling=16):
    stub = trace_service_pb2_grpc.TraceServiceStub(channel)
    for first in numbers[::REQUEST]:
        request = trace_service_pb2.ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for n in range(first, min(first + REQUEST, numbers.stop)):
            span = scope.spans.add(trace_id=(n + 1).to_bytes(16, "big"), span_id=(n + 1).to_bytes(8, "big"),
                                   name="work", start_time_unix_nano=10**18 + n, end_time_unix_nano=10**18 + n + 5)
            span.attributes.add(key="filling").value.string_value = "f" * filling
        stub.Export(request, timeout=DEADLINE_SECONDS)


def send_points(channel, count):
    stub = metrics_service_pb2_grpc.MetricsServiceStub(channel)
    for first in range(0, count, REQUEST):
        request = metrics_service_pb2.ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="done")
        metric.sum.aggregation_temporality = 1
        for n in range(first, first + REQUEST):
            point = metric.sum.data_points.add(time_unix_nano=10**18, as_int=1)
            point.attributes.add(key="n").value.int_value = n
        stub.Export(request, timeout=DEADLINE_SECONDS)


def send_logs(channel, count):
    stub = logs_service_pb2_grpc.LogsServiceStub(channel)
    for first in range(0, count, REQUEST):
        request = logs_service_pb2.ExportLogsServiceRequest()
        resource = request.resource_logs.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "behind-a-collector"
        scope = resource.scope_logs.add()
        for n in range(first, first + REQUEST):
            record = scope.log_records.add(time_unix_nano=10**18 + n, severity_number=13, severity_text="WARN",
                                           trace_id=(n + 1).to_bytes(16, "big"), span_id=(n + 1).to_bytes(8, "big"))
            record.body.string_value = f"otlp {n}"
        stub.Export(request, timeout=DEADLINE_SECONDS)


def surplus(seen, wanted, what):
    """All of them are there and nothing else; returns how many came more than once."""
    assert set(seen) == set(wanted), f"{what}: {len(set(wanted) - set(seen))} missing, e.g. " \
        f"{list(set(wanted) - set(seen))[:3]}; surplus {list(set(seen) - set(wanted))[:3]}"
    return sum(seen.values()) - len(seen)


# --- the agent sends to a collector ---

def put(source, target, *names):
    """Renames copies of those files into place, as a certificate manager does: keys first, so that the pair fits last."""
    for name in names:
        shutil.copy(os.path.join(source, name), os.path.join(target, "new"))
        os.rename(os.path.join(target, "new"), os.path.join(target, name))


def fresh_certificates(folder):
    authority(folder)
    certificate(folder, "collector", "DNS:localhost")
    certificate(folder, "agent", "DNS:agent")
    return folder


def receiver_settings(folder, port):
    return f"""
max_delay: 20ms
exporters:
  otlp:
    type: otlp
    endpoint: "https://localhost:{port}"
    tls_ca_path: {folder}/ca.pem
    tls_certificate_path: {folder}/agent.pem
    tls_key_path: {folder}/agent.key
    compression: gzip
routes:
  spans: {{signals: [spans], exporters: [otlp]}}
  metrics: {{signals: [metrics], exporters: [otlp]}}
"""


def certificate_changed(agent):
    return sum('"otlp_certificates_changed"' in line for line in agent.log)


def in_good_order(agent, channel, receiver, live, first):
    """Spans and points over mutual TLS, another certificate of ours in between: once each, nothing sent twice."""
    send_spans(channel, range(0, 1000))
    send_points(channel, 500)
    until(agent, "delivered", lambda books: books["exporters"]["otlp"]["delivered"] == 1500)
    certificate(first, "agent", "DNS:agent")
    put(first, live, "agent.key", "agent.pem")
    until(agent, "new certificate", lambda _: certificate_changed(agent))
    send_spans(channel, range(1000, 2000))
    books = until(agent, "delivered", lambda books: books["exporters"]["otlp"]["delivered"] == 2500)
    page = books["exporters"]["otlp"]
    assert page["failures"] == page["retries"] == 0, page
    assert surplus(receiver.spans(), [span_key(n) for n in range(2000)], "spans") == 0
    assert surplus(receiver.points(), range(500), "points") == 0


def through_a_kill(agent, channel, receiver, live, second):
    """SIGKILL while requests fly; it comes back with another authority, whose files the agent gets as well."""
    sender = threading.Thread(target=send_spans, args=(channel, range(2000, 8000)))
    sender.start()
    before = until(agent, "some more", lambda books: books["exporters"]["otlp"]["delivered"] > 2500)
    receiver.pause()  # so that some requests are certainly unanswered
    send_spans(channel, range(8000, 10000))
    sender.join()
    until(agent, "in flight", lambda books: books["exporters"]["otlp"]["held"] >= 2000 and
          books["exporters"]["otlp"]["requests"] > before["exporters"]["otlp"]["requests"])
    receiver.kill()
    until(agent, "noticed", lambda books: books["exporters"]["otlp"]["failures"] > 0)
    put(second, live, "ca.pem", "collector.key", "collector.pem", "agent.key", "agent.pem")
    receiver.start()
    books = until(agent, "delivered", lambda books: books["exporters"]["otlp"]["delivered"] == 10500)
    assert not imbalance(books), imbalance(books)
    again = surplus(receiver.spans(), [span_key(n) for n in range(10000)], "spans")
    page = books["exporters"]["otlp"]
    print(f"after SIGKILL: {page['retries']} requests sent again, {again} spans came twice, 0 lost")
    assert page["retries"] > 0 and page["dead"] == 0, page
    assert page["closed"]["delay"] > 0 and sum(page["closed"].values()) <= page["requests"], page


def agent_to_collector(options, folder):
    live = os.path.join(folder, "live")
    os.makedirs(live)
    first, second = (fresh_certificates(os.path.join(folder, name)) for name in ("first", "second"))
    put(first, live, "ca.pem", "collector.key", "collector.pem", "agent.key", "agent.pem")
    [port] = free_ports(1)
    tls = f", tls: {{cert_file: {live}/collector.pem, key_file: {live}/collector.key, client_ca_file: {live}/ca.pem}}"
    receiver = Collector(os.path.join(folder, "receiver"), RECEIVER % {"port": port, "tls": tls})
    receiver.start()
    try:
        agent = Agent(options.agent, folder, receiver_settings(live, port))
        try:
            with grpc.insecure_channel("unix://" + agent.socket) as channel:
                in_good_order(agent, channel, receiver, live, first)
                through_a_kill(agent, channel, receiver, live, second)
            print("agent memory with TLS:", agent.resident_kib())
            assert agent.stop() == "delivered=10500 held=0 dropped=0"
        finally:
            agent.kill()
    finally:
        receiver.stop()


# --- a collector sends to the agent ---

SPANS, POINTS, LOGS, LINES = 6000, 500, 500, 500


def sender_settings(brokers, port):
    return f"""
max_memory: 16MiB
exporters:
  kafka: {{type: kafka, brokers: "{brokers}", topic: collector}}
  otlp: {{type: otlp, endpoint: "http://127.0.0.1:{port}"}}
routes:
  logs: {{signals: [logs], exporters: [kafka]}}
  spans: {{signals: [spans], exporters: [otlp]}}
  metrics: {{signals: [metrics], exporters: [otlp]}}
"""


def check_logs(brokers):
    from topic import records
    documents = [json.loads(message.value())
                 for message in records(brokers, "collector", LOGS + LINES, DEADLINE_SECONDS)]
    messages = collections.Counter(document["message"] for document in documents)
    wanted = [f"otlp {n}" for n in range(LOGS)] + [f"line {n} of a file" for n in range(LINES)]
    assert surplus(messages, wanted, "documents") == 0, messages
    for document in documents:
        if document["message"].startswith("otlp "):
            trace_id, span_id = span_key(int(document["message"].split()[1]))
            assert document["trace"]["id"] == trace_id and document["span"]["id"] == span_id, document
            assert document["service"]["name"] == "behind-a-collector" and document["log"]["level"] == "warn", document
        else:
            # The collector writes the name of the file into each of its records.
            assert "app.log" in json.dumps(document), document


def refused_then_taken(agent, sender, receiver):
    """The agent is full and says so with RetryInfo; the collector keeps what was refused and sends it again."""
    books = until(agent, "refused", lambda books: books["door"]["spans"]["rejected"]["overloaded"] > 0)
    assert books["exporters"]["otlp"]["delivered"] == 0
    receiver.start()
    books = until(agent, "delivered", lambda books: books["exporters"]["otlp"]["delivered"] == SPANS + POINTS)
    assert not imbalance(books), imbalance(books)
    log = sender.log()
    assert "Will retry the request after interval" in log and "Dropping data" not in log, log[-2000:]
    print(f"the agent refused {books['door']['spans']['rejected']['overloaded']} spans, which came again")


def collector_to_agent(options, folder, brokers):
    port, sink = free_ports(2)
    receiver = Collector(os.path.join(folder, "sink"), RECEIVER % {"port": sink, "tls": ""})
    agent = Agent(options.agent, folder, sender_settings(brokers, sink))
    try:
        sender = Collector(os.path.join(folder, "sender"), SENDER % {
            "port": port, "folder": folder, "socket": agent.socket, "loopback": agent.addresses["otlp_listen"]})
        try:
            with open(os.path.join(folder, "app.log"), "w", encoding="ascii") as file:
                file.writelines(f"line {n} of a file\n" for n in range(LINES))
            sender.start()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                send_logs(channel, LOGS)
                send_points(channel, POINTS)
                send_spans(channel, range(SPANS), filling=2000)
            refused_then_taken(agent, sender, receiver)
            assert surplus(receiver.spans(), [span_key(n) for n in range(SPANS)], "spans") == 0
            assert surplus(receiver.points(), range(POINTS), "points") == 0
            until(agent, "logs", lambda books: books["exporters"]["kafka"]["delivered"] == LOGS + LINES)
            check_logs(brokers)
        finally:
            sender.stop()
            receiver.stop()
        assert agent.stop() == f"delivered={SPANS + POINTS + LOGS + LINES} held=0 dropped=0"
    finally:
        agent.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    options = parser.parse_args()
    stack("otelcol.sh", "prepare")
    folder = tempfile.mkdtemp(prefix="sluice-collector-")
    kafka = os.path.join(folder, "kafka")
    try:
        for name in ("a", "b"):
            os.mkdir(os.path.join(folder, name))
        agent_to_collector(options, os.path.join(folder, "a"))
        brokers = stack("kafka.sh", "start", kafka)["KAFKA_BROKERS"].strip("'\"")
        collector_to_agent(options, os.path.join(folder, "b"), brokers)
    finally:
        stack("kafka.sh", "stop", kafka)
        shutil.rmtree(folder, ignore_errors=True)


main()
