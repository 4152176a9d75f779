"""Each call of the agent that takes memory, a file or a socket fails once: nothing crashes, nothing accepted is lost.

    one_failure.py --agent SLUICE_FAILING --native PATH [--every N] [--seed N] [--only CALL] [--jobs N]
                   [--durability LEVEL] [--at CALL:ERRNO:N]

A first run counts the calls of each kind; then there is one run for each of them (or each --every'th, from a place
that the seed gives), in which that one fails. A run starts on a spool that an earlier agent left, takes lines, OTLP
and native records, answers over HTTP, is told to reload, and ends by SIGTERM. Whatever failed:

- the agent never dies of it; where it cannot start it ends with a status above 0 and says why;
- it goes on answering, its books balance, and at the end `held` is what the next agent finds in the spool;
- whatever it acknowledged was delivered or is held.
"""

import argparse
import concurrent.futures
import errno
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from agent_process import Agent, imbalance  # noqa: E402

SHORT = 0
HOWS = {
    "alloc": [errno.ENOMEM], "mmap": [errno.ENOMEM], "memfd": [errno.EMFILE],
    "fallocate": [errno.ENOSPC, errno.EIO, errno.EINTR], "ftruncate": [errno.EIO],
    "sync": [errno.EIO, errno.ENOSPC, errno.EINTR], "write": [errno.ENOSPC, errno.EIO, errno.EINTR, SHORT],
    "read": [errno.EIO, errno.EINTR], "send": [errno.EINTR, errno.ENOBUFS, errno.ECONNRESET, SHORT],
    "recv": [errno.EINTR, errno.ECONNRESET], "open": [errno.EMFILE, errno.EIO, errno.EINTR],
    "name": [errno.EIO, errno.ENOSPC], "lock": [errno.ENOLCK, errno.EINTR],
    "socket": [errno.EMFILE, errno.EINTR], "thread": [errno.EAGAIN], "statvfs": [errno.EIO],
}
RUN = 10  # records a request
DEADLINE_SECONDS = 60
TRACE = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nValueError: no\n"


def settings(folder, durability):
    # Nobody listens there: what an agent takes stays in its spool, unless it is run with --dev.
    return f"""
spool: {{path: {folder}/spool, max_bytes: 64MiB, durability: {durability}}}
dead_letters: {{path: {folder}/dead.jsonl}}
drain_timeout: 500ms
join_for: 1ms
exporters:
  kafka: {{type: kafka, brokers: "127.0.0.1:1"}}
  otlp: {{type: otlp, endpoint: "http://127.0.0.1:1", timeout: 100ms}}
"""


def persist(act):
    """Whoever meets the failing call tries again, as clients do: the agent has to go on by itself."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return act()
        except (OSError, grpc.RpcError, urllib.error.URLError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def export(target, stub, request):
    def act():
        with grpc.insecure_channel(target) as channel:
            stub(channel).Export(request, timeout=20)
        return RUN
    return act


def logs_request():
    request = logs_service_pb2.ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for n in range(RUN):
        scope.log_records.add(time_unix_nano=time.time_ns(), severity_number=9).body.string_value = f"log {n}"
    return request


def spans_request():
    request = trace_service_pb2.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for n in range(RUN):
        scope.spans.add(name=f"span {n}", trace_id=os.urandom(16), span_id=os.urandom(8), start_time_unix_nano=1,
                        end_time_unix_nano=2)
    return request


def send_lines(path):
    with socket.socket(socket.AF_UNIX) as lines:
        lines.settimeout(20)
        lines.connect(path)
        for n in range(RUN):
            lines.sendall(b'{"message":"line %d","level":"info"}\n' % n)
        lines.sendall(TRACE.encode())


def send_native(program, path):
    done = subprocess.run([program, "logs", str(RUN)], env={**os.environ, "SLUICE_SOCKET": path}, check=False,
                          stderr=subprocess.DEVNULL, timeout=DEADLINE_SECONDS)
    return RUN if done.returncode == 0 else 0


def traffic(agent, native):
    """Every door and page once; returns how many records were acknowledged."""
    target = "unix:" + agent.socket
    acknowledged = persist(export(target, logs_service_pb2_grpc.LogsServiceStub, logs_request()))
    acknowledged += persist(export(target, trace_service_pb2_grpc.TraceServiceStub, spans_request()))
    acknowledged += send_native(native, agent.socket)
    persist(lambda: send_lines(agent.socket))
    agent.process.send_signal(signal.SIGHUP)
    for page in ("/metrics", "/config"):
        persist(lambda page=page: agent.get(page))
    return acknowledged


def started_or_told(options, folder, environment):
    """An agent, or None where it said that it could not start."""
    try:
        return Agent(options.agent, folder, settings(folder, options.durability), environment=environment, arguments=["--dev"])
    except RuntimeError as error:
        # Agent() killed it or it had ended; its log says which.
        text = str(error)
        assert '"log.level":"error"' in text or "sluice: " in text, f"it did not start and did not say why: {text}"
        assert "Sanitizer" not in text, text
        if "FAIL_CALL" not in environment:
            raise
        return None


def final(agent):
    """SIGTERM: the fields of the last line."""
    last = agent.stop()
    return {key: int(value) for key, value in (part.split("=") for part in last.split())}


def recovered(options, folder):
    """What the next agent finds."""
    agent = Agent(options.agent, folder, settings(folder, options.durability))
    try:
        books = persist(agent.books)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(page["backlog_segments"] for page in books["exporters"].values()) and time.monotonic() < deadline:
            time.sleep(0.01)
            books = agent.books()
        for page in books["exporters"].values():
            assert page["damaged"] == page["set_aside"] == 0, books
        return sum(page["recovered"] for page in books["exporters"].values())
    finally:
        agent.kill()


def one_run(options, template, call, how, at):
    folder = tempfile.mkdtemp(prefix="sluice-one-")
    counts = os.path.join(folder, "counts")
    try:
        shutil.copytree(template, folder, dirs_exist_ok=True)
        environment = {"FAIL_COUNTS": counts}
        if at:
            environment["FAIL_CALL"] = f"{call}:{how}:{at}"
        agent = started_or_told(options, folder, environment)
        if not agent:
            return None
        try:
            acknowledged = traffic(agent, options.native)
            books = persist(agent.books)
            assert not imbalance(books), imbalance(books)
            end = final(agent)
        except Exception as error:
            raise AssertionError(f"{error}\n{''.join(agent.log[-30:])}") from error
        finally:
            agent.kill()
        assert "Sanitizer" not in "".join(agent.log), "".join(agent.log)
        assert end["delivered"] + end["held"] >= acknowledged, (end, acknowledged)
        if options.durability != "memory":
            found = recovered(options, folder)
            assert found == end["held"], f"held {end['held']}, and the next agent recovered {found}"
        with open(counts, encoding="ascii") as file:
            return {name: int(count) for name, count in (line.split() for line in file)}
    except Exception as error:
        raise AssertionError(f"FAIL_CALL={call}:{how}:{at} ({errno.errorcode.get(how, 'short')}): {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_template(options, folder):
    """A spool that an agent left in which something is held."""
    agent = Agent(options.agent, folder, settings(folder, options.durability))
    try:
        traffic(agent, options.native)
        held = final(agent)["held"]
        assert held >= 4 * RUN, held
    finally:
        agent.kill()
    os.unlink(os.path.join(folder, "sluice.yaml"))


def plan(options, counts):
    chance = random.Random(options.seed)
    runs = []
    for call, hows in HOWS.items():
        if options.only and call != options.only:
            continue
        every = [(call, how, at) for at in range(1, counts[call] + 1) for how in hows]
        runs += every[chance.randrange(options.every)::options.every]
    return runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--native", required=True)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--durability", default="node")
    parser.add_argument("--only")
    parser.add_argument("--at", help="CALL:ERRNO:AT, one run alone")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    template = tempfile.mkdtemp(prefix="sluice-one-")
    try:
        make_template(options, template)
        counts = one_run(options, template, "alloc", 0, 0)
        assert counts, "without a failure the agent did not start"
        print(json.dumps(counts), flush=True)
        runs = plan(options, counts)
        if options.at:
            call, how, at = options.at.split(":")
            runs = [(call, int(how), int(at))]
        failed = []
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for run in [pool.submit(one_run, options, template, *each) for each in runs]:
                if run.exception():
                    failed.append(str(run.exception()))
                    print(failed[-1], flush=True)
        print(f"{len(runs)} runs with one failing call each (seed {options.seed}), {len(failed)} went wrong")
        sys.exit(bool(failed))
    finally:
        shutil.rmtree(template, ignore_errors=True)


if __name__ == "__main__":
    main()
