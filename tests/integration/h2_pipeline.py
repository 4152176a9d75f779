"""The whole agent before the strict HTTP/2 peer of h2_peer.py: whatever it does, each span is taken by it, or refused
by it for good, and the agent's books say the same.

    h2_pipeline.py --agent PATH [--only CASE]
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time

import grpc
import h2.exceptions
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from agent_process import Agent, imbalance  # noqa: E402
from h2_peer import Peer, details, status  # noqa: E402

DEADLINE_SECONDS = 120
TIMEOUT_SECONDS = 1  # the exporter's
REQUESTS, RUN = 60, 50
RETRIED = {1, 4, 10, 11, 14, 15}  # CANCELLED … as OTLP says; RESOURCE_EXHAUSTED only with RetryInfo


class Collector(Peer):
    """A Peer that knows its spans."""

    def __init__(self, script, goaway_seconds=None):
        super().__init__(script)
        self.goaway_seconds, self.tasks = goaway_seconds, []
        self.goaways, self.rejected = 0, 0
        self.spans, self.refused = {}, set()  # taken, by how often; refused for good

    def numbers(self, body):
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(bytes(body[5:]))
        return [int.from_bytes(span.span_id, "big") for resource in request.resource_spans
                for scope in resource.scope_spans for span in scope.spans]

    def take(self, body):
        for n in self.numbers(body):
            self.spans[n] = self.spans.get(n, 0) + 1

    async def converse(self, reader, writer):
        self.begin = time.monotonic()
        await super().converse(reader, writer)

    async def act(self, conn, writer, stream, body):
        if self.goaway_seconds and time.monotonic() - self.begin > self.goaway_seconds:
            self.goaways += 1
            self.script.insert(0, ("goaway", True))
        kind = self.script[0][0] if self.script else "ok"
        if kind == "late":
            self.script.pop(0)
            self.tasks.append(asyncio.create_task(self.late(conn, writer, stream, body)))
            return None
        if kind == "head":
            fields = self.script[0][1]
            code = int(dict(fields).get("grpc-status", 0))
            if code and code not in RETRIED and "grpc-status-details-bin" not in dict(fields):
                self.refused.update(self.numbers(body))
        if kind == "partly":  # takes all but the first span
            self.script.pop(0)
            self.refused.add(self.numbers(body)[0])
            self.rejected += 1
            self.script.insert(0, ("ok", b"\x0a\x02\x08\x01"))
        return await super().act(conn, writer, stream, body)

    async def late(self, conn, writer, stream, body):
        await asyncio.sleep(1.5 * TIMEOUT_SECONDS)
        try:
            self.answer(conn, stream, body)
            await self.write(writer, conn.data_to_send())
        except (h2.exceptions.ProtocolError, ConnectionError):
            pass  # nobody waits for it any more


def each_code():
    for code in range(1, 17):
        yield status(code, *([("grpc-status-details-bin", details(5))] if code == 8 else []))


# Whether a span may come again: a connection that ends takes answers with it that nobody has read; an answer that came
# too late must have been given twice.
NEVER, MAY, MUST = range(3)
# name: the peer, and that.
CASES = {
    "GOAWAY every 300 ms": (lambda: Collector([], goaway_seconds=0.3), MAY),
    "GOAWAY, not processed": (lambda: Collector([("goaway", False), ("ok",)] * 8), MAY),
    "each code, Trailers-Only": (lambda: Collector(each_code()), NEVER),
    "never answers": (lambda: Collector([("silent",), ("ok",)] * 3), NEVER),
    "answers after the deadline": (lambda: Collector([("late",), ("ok",)] * 3), MUST),
    "partial success": (lambda: Collector([("partly",), ("ok",)] * 10), NEVER),
    "hangs up, resets": (lambda: Collector([("hang up",), ("reset", 2), ("ok",)] * 3), MAY),
}


def settings(folder):
    return f"""
max_delay: 20ms
spool: {{path: {folder}/spool, durability: process}}
exporters: {{otlp: {{type: otlp, endpoint: "unix://{folder}/peer.sock", timeout: {TIMEOUT_SECONDS}s}}}}
routes: {{spans: {{signals: [spans], exporters: [otlp]}}}}
"""


def export(agent, pace):
    """Every span is in the spool before the next request."""
    with grpc.insecure_channel("unix:" + agent.socket) as channel:
        stub = trace_service_pb2_grpc.TraceServiceStub(channel)
        for first in range(1, REQUESTS * RUN + 1, RUN):
            request = trace_service_pb2.ExportTraceServiceRequest()
            scope = request.resource_spans.add().scope_spans.add()
            for n in range(first, first + RUN):
                scope.spans.add(name="work", trace_id=os.urandom(16), span_id=n.to_bytes(8, "big"))
            stub.Export(request, timeout=30)
            time.sleep(pace)  # so that requests and faults interleave


def settled(agent):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        books = agent.books()
        assert not imbalance(books), imbalance(books)
        page = books["exporters"]["otlp"]
        if page["routed"] == REQUESTS * RUN and page["held"] == 0:
            return page
        assert time.monotonic() < deadline, (page, agent.log[-5:])
        time.sleep(0.05)


def verdict(name, peer, page):
    twice = CASES[name][1]
    everything = set(range(1, REQUESTS * RUN + 1))
    wrong = list(peer.errors)
    missing = everything - set(peer.spans) - peer.refused
    if missing:
        wrong.append(f"{len(missing)} spans are lost")
    if page["dead"] + page["dropped"]["refused"] != len(peer.refused):
        wrong.append(f"{len(peer.refused)} refused, the books have {page['dead']} and {page['dropped']}")
    if page["dropped"]["refused"] != peer.rejected:
        wrong.append(f"{peer.rejected} rejected by partial success, the books have {page['dropped']}")
    if page["delivered"] + len(peer.refused) != len(everything):
        wrong.append(f"{page['delivered']} delivered")
    again = sum(count - 1 for count in peer.spans.values())
    if again and twice == NEVER:
        wrong.append(f"{again} came again though their answer was not in doubt")
    if twice == MUST and not again:
        wrong.append("nothing came late")
    if peer.script:
        wrong.append(f"{len(peer.script)} steps were not reached")
    if peer.goaway_seconds and peer.goaways < 3:
        wrong.append(f"{peer.goaways} GOAWAYs")
    return wrong


async def run(binary, name):
    folder = tempfile.mkdtemp(prefix="sluice-h2-pipeline-")
    peer = CASES[name][0]()
    server = await asyncio.start_unix_server(peer.serve, os.path.join(folder, "peer.sock"), limit=1 << 20)
    agent = await asyncio.to_thread(Agent, binary, folder, settings(folder))
    try:
        await asyncio.to_thread(export, agent, 0.03)
        page = await asyncio.to_thread(settled, agent)
        wrong = verdict(name, peer, page)
        await asyncio.to_thread(agent.stop)
    finally:
        agent.kill()
        for task in peer.tasks:
            task.cancel()
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'not ok' if wrong else 'ok'}: {name}{': ' + '; '.join(wrong) if wrong else ''} "
          f"({page['requests']} requests, {page['retries']} retries, {page['dead']} dead)", flush=True)
    return wrong


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--agent", required=True)
    parser.add_argument("--only", choices=list(CASES))
    options = parser.parse_args()
    wrong = [await run(options.agent, name) for name in CASES if options.only in (None, name)]
    return 1 if any(wrong) else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
