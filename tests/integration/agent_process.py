"""Runs the agent for a test: starts it, learns where it listens, reads its books, stops it."""

import json
import os
import signal
import subprocess
import threading
import urllib.request

START_SECONDS = 30
STOP_SECONDS = 60


class Agent:
    def __init__(self, binary, folder, settings, environment=None, arguments=()):
        """settings: the YAML text. The socket and the ports are the test's own."""
        self.socket = os.path.join(folder, "sluice.sock")
        config = os.path.join(folder, "sluice.yaml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f"socket: {{path: {self.socket}}}\notlp_listen: 127.0.0.1:0\n"
                       f"http: {{listen: 127.0.0.1:0}}\n{settings}")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "SLUICE_"))}
        self.process = subprocess.Popen(
            [binary, "run", "--config", config, *arguments], env={**clean, **(environment or {})},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.log = []
        self._started = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if not self._started.wait(START_SECONDS) or not self.addresses:
            self.process.kill()
            raise RuntimeError("the agent did not start:\n" + "".join(self.log))
        self.http = "http://" + self.addresses["http_listen"]

    def _read_log(self):
        self.addresses = None
        for line in self.process.stderr:
            self.log.append(line)
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == "started":
                self.addresses = entry
                self._started.set()
        self._started.set()

    def get(self, path):
        with urllib.request.urlopen(self.http + path, timeout=10) as answer:
            return answer.read().decode()

    def books(self):
        return json.loads(self.get("/books"))

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
        return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")}

    def stop(self):
        """SIGTERM; returns the last line of stdout."""
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=STOP_SECONDS)
        if self.process.returncode != 0:
            raise RuntimeError(f"exit {self.process.returncode}:\n" + "".join(self.log[-20:]))
        return out.strip().splitlines()[-1]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def imbalance(books):
    """What does not add up, as text; empty where everything does. Reckoned here, not taken from the agent."""
    wrong = []
    for signal_name, page in books["door"].items():
        out = sum(page[k] for k in ("routed", "joined", "duplicate", "pending"))
        out += sum(page.get("rejected", {}).values()) + sum(page.get("dropped", {}).values())
        if page["received"] != out:
            wrong.append(f"door {signal_name}: {page}")
    for name, page in books["exporters"].items():
        into = page["routed"] + page["recovered"] + page["generated"]
        out = page["delivered"] + page["dead"] + page["held"] + sum(page["dropped"].values())
        if into != out:
            wrong.append(f"exporter {name}: {page}")
    return "; ".join(wrong)
