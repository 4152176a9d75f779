"""Real OpenTelemetry Collectors for a test, the certificates they want, and what they wrote down."""

import collections
import json
import os
import subprocess
import sys

STACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stack")
SKIPPED = 77


def stack(script, *arguments, **environment):
    done = subprocess.run([os.path.join(STACK, script), *arguments], stdout=subprocess.PIPE, text=True, check=False,
                          env={**os.environ, **environment})
    if done.returncode == SKIPPED:
        print(f"SKIPPED: {script} cannot be had", file=sys.stderr)
        sys.exit(SKIPPED)
    done.check_returncode()
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def free_ports(count):
    out = subprocess.run(["bash", "-c", f". {STACK}/ports.sh; free_ports {count}"], stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    return [int(port) for port in out.split()]


class Collector:
    """One collector: its configuration, and each run's output in a file of its own."""

    def __init__(self, folder, config):
        self.folder, self.outputs = folder, []
        os.makedirs(folder)
        self.config = os.path.join(folder, "config.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)

    def start(self):
        self.outputs.append(os.path.join(self.folder, f"out{len(self.outputs)}.jsonl"))
        stack("otelcol.sh", "start", self.folder, self.config, OUT=self.outputs[-1])

    def kill(self):
        stack("otelcol.sh", "kill", self.folder)
        stack("otelcol.sh", "stop", self.folder)  # waits until it is gone

    def pause(self):
        stack("otelcol.sh", "pause", self.folder)

    def stop(self):
        stack("otelcol.sh", "stop", self.folder)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()

    def _lines(self):
        for path in self.outputs:
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as file:
                for line in file:
                    if line.endswith("\n"):  # SIGKILL may have cut the last one short
                        yield json.loads(line)

    def spans(self):
        """How often each (trace id, span id) is in the files."""
        return collections.Counter((span["traceId"], span["spanId"])
                                   for line in self._lines() for resource in line.get("resourceSpans", ())
                                   for scope in resource["scopeSpans"] for span in scope["spans"])

    def points(self):
        """How often each data point, by its attribute n."""
        return collections.Counter(int(point["attributes"][0]["value"]["intValue"])
                                   for line in self._lines() for resource in line.get("resourceMetrics", ())
                                   for scope in resource["scopeMetrics"] for metric in scope["metrics"]
                                   for point in metric["sum"]["dataPoints"])


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stderr=subprocess.DEVNULL)


def authority(folder):
    """A new one: ca.pem and ca.key there."""
    os.makedirs(folder)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=authority", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem")
    return folder


def certificate(folder, name, alternatives):
    """NAME.pem and NAME.key, signed by the authority of that folder."""
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternatives}",
            "-addext", "basicConstraints=critical,CA:FALSE", "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
            "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
