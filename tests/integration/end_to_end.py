"""Every dialect at once, real clients in, real Kafka and Jaeger out: exactly what was sent arrives, fields as specified.

    end_to_end.py --agent PATH --native PATH [--records N] [--fewer N] [--spans N]
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
STACK = os.path.join(HERE, "..", "stack")
sys.path.insert(0, STACK)
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402

SPANS_PER_TRACE = 10
DEADLINE_SECONDS = 180
SKIPPED = 77

# Who sends what. Everything comes by environment variables alone, as an app's owner would set them.
# The slower starters send {fewer}.
LOGS = {
    "python-structlog": "python structlog_lines.py {records}",
    "python-otlp": "python otlp.py logs {records}",
    "go-slog": "go slog {records}",
    "go-zap": "go zap {records}",
    "native": "native logs {records}",
    "node-pino": "node pino {fewer}",
    "node-winston": "node winston {fewer}",
    "node-otlp": "node logs {fewer}",
    "java-otlp": "java logs {fewer}",
    "java-logback": "java logback {fewer}",
}
SPANS = {
    "python-spans": "python otlp.py spans {spans}",
    "go-spans": "go spans {spans}",
    "native-spans": "native spans {spans}",
    "node-spans": "node spans {spans}",
    "java-spans": "java spans {spans}",
}


def stack(script, *arguments):
    done = subprocess.run([os.path.join(STACK, script), *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == SKIPPED:
        print(f"SKIPPED: {script} cannot be had", file=sys.stderr)
        sys.exit(SKIPPED)
    done.check_returncode()
    lines = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return done.stdout.strip(), {k: v.strip("'\"") for k, v in lines.items()}


def sent(options):
    """How many log records each producer sends."""
    return {name: options.fewer if "{fewer}" in line else options.records for name, line in LOGS.items()}


def commands(folder, native):
    python = os.path.join(stack("clients.sh")[0], "bin", "python")
    go = stack("go.sh")[0]
    producer = os.path.join(folder, "go-producer")
    built = subprocess.run([go, "build", "-o", producer, "."], cwd=os.path.join(HERE, "producers", "go"), check=False,
                           env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"})
    if built.returncode != 0:
        print("SKIPPED: the Go producers cannot be built", file=sys.stderr)
        sys.exit(SKIPPED)
    node = os.path.join(stack("node.sh")[0], "bin", "node")
    classes = os.path.join(folder, "classes")
    os.mkdir(classes)
    java = stack("java.sh", "compile", os.path.join(HERE, "producers", "java", "Producer.java"), classes)[1]
    return {"python": [python], "go": [producer], "native": [native],
            "node": [node, os.path.join(HERE, "producers", "node", "producer.cjs")],
            "java": [java["JAVA"], "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m",
                     "-cp", java["JAVA_CLASS_PATH"], "Producer"]}


def start_producers(options, programs, agent, started):
    for name, line in {**LOGS, **SPANS}.items():
        program, *rest = line.format(records=options.records, fewer=options.fewer, spans=options.spans).split()
        if program == "python":
            rest[0] = os.path.join(HERE, "producers", rest[0])
        environment = {**os.environ, "SLUICE_SOCKET": agent.socket, "OTEL_SERVICE_NAME": name,
                       "OTEL_EXPORTER_OTLP_ENDPOINT": "unix://" + agent.socket,
                       "OTEL_EXPORTER_OTLP_INSECURE": "true",
                       "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test"}
        if program == "node":
            environment["NODE_PATH"] = os.path.join(os.path.dirname(programs[program][0]), "..", "node_modules")
        if program == "java":  # its gRPC knows no Unix sockets, and its default exporters include metrics
            environment.update({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://" + agent.addresses["otlp_listen"],
                                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_METRICS_EXPORTER": "none"})
        started[name] = subprocess.Popen([*programs[program], *rest], env=environment)


def wait_for(producers):
    failed = [name for name, process in producers.items() if process.wait(DEADLINE_SECONDS) != 0]
    assert not failed, f"producers failed: {failed}"


def wait_delivered(agent, wanted):
    """Until the exporters have delivered what was sent, or the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        books = agent.books()
        got = {name: page["delivered"] for name, page in books["exporters"].items()}
        if got == wanted:
            return books
        time.sleep(0.1)
    raise AssertionError(f"delivered {got}, wanted {wanted}; books {books}\n" + "".join(agent.log[-20:]))


def consume(brokers, topic, count):
    from topic import records
    return [json.loads(message.value()) for message in records(brokers, topic, count, DEADLINE_SECONDS)]


def at(document, path):
    for key in path.split("."):
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return document


COMMON = {"ecs.version": "8.11.0", "agent.type": "sluice", "data_stream.type": "logs"}
EXPECTED = {
    "python-structlog": {"log.level": "info", "event.severity": 9, "message": "user_fetched \U0001f642",
                         "http.request.id": "req-1", "event.duration": 1500000},
    "python-otlp": {"log.level": "warn", "event.severity": 13, "message": "otlp says hé",
                    "service.name": "python-otlp", "service.environment": "test", "log.logger": "orders"},
    "go-slog": {"log.level": "warn", "event.severity": 13, "message": "slog says ünïcode \"quoted\"",
                "numeric_labels.ratio": 0.5},
    "go-zap": {"log.level": "error", "event.severity": 17, "message": "zap failed", "log.logger": "items.repo",
               "url.path": "/items/1", "app.nested": {"k": [1, 2]}},
    "native": {"log.level": "info", "message": "native says grüße", "service.name": "native"},
    "node-pino": {"log.level": "info", "message": "pino says ünïcode \"quoted\"", "log.logger": "items",
                  "numeric_labels.ratio": 0.5, "http.request.method": "GET", "http.request.id": "req-1",
                  "event.duration": 1500000},
    "node-winston": {"log.level": "warn", "message": "winston says ünïcode", "numeric_labels.ratio": 0.5,
                     "app.nested": {"k": [1, 2]}},
    "node-otlp": {"log.level": "warn", "event.severity": 13, "message": "otlp says hé",
                  "service.name": "node-otlp", "service.environment": "test", "log.logger": "orders"},
    "java-otlp": {"log.level": "warn", "event.severity": 13, "message": "otlp says hé",
                  "service.name": "java-otlp", "service.environment": "test", "log.logger": "orders"},
    "java-logback": {"log.level": "warn", "message": "logback says ünïcode", "log.logger": "items.Repo",
                     "process.thread.name": "main", "trace.id": "0af7651916cd43dd8448eb211c80319c"},
}
# Each thousandth record of these tells of an error.
ERRORS = {
    "python-structlog": {"error.type": "ValueError", "error.message": "bad \u2717"},
    "node-pino": {"error.type": "TypeError", "error.message": "bad \u2717", "log.logger": "items"},
    "java-logback": {"error.type": "java.lang.IllegalStateException", "error.message": "bad \u2717"},
}
STACK_FIRST = {"python-structlog": "Traceback", "node-pino": "TypeError: bad", "java-logback": "java.lang.Illegal"}


def check_document(document, producer, n):
    expected = {**COMMON, **EXPECTED[producer]}
    if producer in ERRORS and n % 1000 == 7:
        expected = {**COMMON, "log.level": "error", "message": "failed", **ERRORS[producer]}
        assert at(document, "error.stack_trace").startswith(STACK_FIRST[producer]), document
    elif producer == "python-structlog":
        expected["trace.id"], expected["span.id"] = f"{n + 1:032x}", f"{n + 1:016x}"
        expected["numeric_labels.ratio"] = None if n % 100 == 3 else 0.25
    for path, value in expected.items():
        assert at(document, path) == value, f"{producer} {n}: {path} is {at(document, path)!r}, not {value!r}: {document}"
    assert len(at(document, "event.id")) == 32, document
    assert document["@timestamp"].endswith("Z") and len(document["@timestamp"]) == 30, document


def check_documents(documents, counts):
    seen = collections.Counter()
    ids = set()
    for document in documents:
        producer, n = at(document, "labels.producer"), at(document, "numeric_labels.n")
        check_document(document, producer, n)
        seen[producer, n] += 1
        ids.add(document["event"]["id"])
    wanted = {(producer, n) for producer, count in counts.items() for n in range(count)}
    assert set(seen) == wanted, f"missing {list(wanted - set(seen))[:5]}, surplus {list(set(seen) - wanted)[:5]}"
    assert max(seen.values()) == 1, f"more than once: {[k for k, v in seen.items() if v > 1][:5]}"
    assert len(ids) == len(documents), "event.id is not unique"


def jaeger_traces(query, service, limit):
    now = time.time_ns() // 1000
    parameters = urllib.parse.urlencode({"service": service, "limit": limit, "start": now - 3600 * 10**6,
                                         "end": now + 3600 * 10**6})
    with urllib.request.urlopen(f"{query}/api/traces?{parameters}", timeout=30) as answer:
        return json.load(answer)["data"]


def check_traces(query, spans):
    for service in SPANS:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            traces = jaeger_traces(query, service, spans)
            if sum(len(trace["spans"]) for trace in traces) >= spans or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert len(traces) == spans // SPANS_PER_TRACE, f"{service}: {len(traces)} traces"
        for trace in traces:
            ids = {span["spanID"] for span in trace["spans"]}
            assert len(trace["spans"]) == len(ids) == SPANS_PER_TRACE, f"{service}: {trace['traceID']}"
            parents = [ref["spanID"] for span in trace["spans"] for ref in span["references"]]
            assert len(parents) == SPANS_PER_TRACE - 1 and set(parents) <= ids, f"{service}: a parent is missing"


def check_books(books, options):
    assert not imbalance(books), imbalance(books)
    door = books["door"]
    for kind, count in (("logs", sum(sent(options).values())), ("spans", len(SPANS) * options.spans)):
        page = door[kind]
        # An OTLP request that found the spool full was refused as a whole, and the SDK sent it again.
        refused = page["rejected"]["overloaded"]
        assert page["routed"] == count and page["received"] == count + refused, page


def run(options, folder):
    kafka, jaeger = os.path.join(folder, "kafka"), os.path.join(folder, "jaeger")
    brokers = stack("kafka.sh", "start", kafka)[1]["KAFKA_BROKERS"]
    try:
        addresses = stack("jaeger.sh", "start", jaeger)[1]
        settings = f"""
exporters:
  kafka: {{type: kafka, brokers: "{brokers}", topic: end-to-end, when_full: block}}
  otlp: {{type: otlp, endpoint: "http://{addresses['JAEGER_OTLP_GRPC']}", compression: {options.compression}}}
"""
        programs = commands(folder, options.native)
        agent = Agent(options.agent, folder, settings)
        producers = {}
        try:
            start_producers(options, programs, agent, producers)
            wait_for(producers)
            wanted = {"kafka": sum(sent(options).values()), "otlp": len(SPANS) * options.spans}
            books = wait_delivered(agent, wanted)
            check_books(books, options)
            documents = consume(brokers, "end-to-end", wanted["kafka"])
            check_documents(documents, sent(options))
            check_traces(addresses["JAEGER_QUERY"], options.spans)
            print("agent memory:", agent.resident_kib())
            last = agent.stop()
            assert last == f"delivered={sum(wanted.values())} held=0 dropped=0", last
        finally:
            for producer in producers.values():
                producer.kill()
            agent.kill()
    finally:
        stack("jaeger.sh", "stop", jaeger)
        stack("kafka.sh", "stop", kafka)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--native", required=True)
    parser.add_argument("--records", type=int, default=20000)
    parser.add_argument("--fewer", type=int, default=2000)
    parser.add_argument("--spans", type=int, default=1000)
    parser.add_argument("--compression", default="gzip")
    folder = tempfile.mkdtemp(prefix="sluice-e2e-")
    try:
        run(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
