"""Metrics pass through: an OpenTelemetry SDK, one agent, and a second agent as the receiver.

    metrics.py --agent PATH
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402

DEADLINE_SECONDS = 60
POINTS = 20
SDK = f"""
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
counter = provider.get_meter("shop").create_counter("orders")
histogram = provider.get_meter("shop").create_histogram("latency")
for n in range({POINTS} // 2):
    counter.add(1, {{"n": n}})
    histogram.record(0.5, {{"n": n}})
provider.shutdown()
"""


def settings(endpoint):
    return f"""
exporters:
  otlp: {{type: otlp, endpoint: "{endpoint}"}}
routes:
  metrics: {{signals: [metrics], exporters: [otlp]}}
"""


def run(options, folder):
    folders = [os.path.join(folder, name) for name in ("receiver", "sender")]
    for path in folders:
        os.mkdir(path)
    receiver = Agent(options.agent, folders[0], settings("http://127.0.0.1:1"))
    try:
        sender = Agent(options.agent, folders[1], settings("unix://" + receiver.socket))
        try:
            subprocess.run([sys.executable, "-c", SDK], check=True, timeout=DEADLINE_SECONDS, env={
                **os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "unix://" + sender.socket,
                "OTEL_EXPORTER_OTLP_INSECURE": "true", "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"})
            deadline = time.monotonic() + DEADLINE_SECONDS
            while sender.books()["exporters"]["otlp"]["delivered"] < POINTS:
                assert time.monotonic() < deadline, sender.books()
                time.sleep(0.05)
            for agent in (sender, receiver):
                page = agent.books()["door"]["metrics"]
                assert not imbalance(agent.books()) and page["received"] == page["routed"] == POINTS, page
        finally:
            sender.kill()
    finally:
        receiver.kill()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    folder = tempfile.mkdtemp(prefix="sluice-metrics-")
    try:
        run(parser.parse_args(), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
