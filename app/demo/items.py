"""A small FastAPI service, as a team would write it: structlog for logs, OpenTelemetry for spans.

Nothing here knows Sluice. Logs are JSON lines on the stream socket that SLUICE_SOCKET names; spans
go where OTEL_EXPORTER_OTLP_ENDPOINT points, by `opentelemetry-instrument`.
"""
import contextlib
import os
import socket
import threading
import time

import structlog
from fastapi import FastAPI, HTTPException
from opentelemetry import trace

ITEMS = {1: "anvil", 2: "bellows", 3: "crucible"}


class SocketLogger:
    """Writes each line to a stream socket. An app must not stop for its log: what cannot be written
    at once is lost, and a lost connection is made again with the next line."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.socket = None
        self.rest = b""

    def write(self, data):
        if self.socket is None:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.setblocking(False)
            self.socket.connect(self.path)
            self.rest = b""
        data = self.rest + data
        sent = self.socket.send(data)
        self.rest = data[sent:]  # the end of a line that was begun

    def msg(self, message):
        with self.lock:
            try:
                self.write(message.encode() + b"\n")
            except BlockingIOError:
                pass
            except OSError:
                if self.socket is not None:
                    self.socket.close()
                self.socket = None

    debug = info = warning = error = critical = exception = msg


def add_service(_logger, _name, event):
    event["service.name"] = os.environ.get("OTEL_SERVICE_NAME", "items")
    return event


def add_trace(_logger, _name, event):
    """The ids of the span that is open, so that a log leads to its trace."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_trace,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ],
    logger_factory=lambda *_: SocketLogger(os.environ["SLUICE_SOCKET"]),
    cache_logger_on_first_use=True,
)
log = structlog.get_logger()
tracer = trace.get_tracer("items")


@contextlib.asynccontextmanager
async def lifespan(_app):
    yield
    # uvicorn ends by the signal that stopped it, so no exit handler would send the last spans.
    flush = getattr(trace.get_tracer_provider(), "force_flush", None)
    if flush:
        flush()


app = FastAPI(lifespan=lifespan)


def load(number):
    with tracer.start_as_current_span("load item") as span:
        span.set_attribute("item.number", number)
        if number == 3:
            time.sleep(0.25)  # the slow one
        return ITEMS[number]


@app.get("/items/{number}")
def item(number: int):
    started = time.monotonic()
    if number == 0:
        raise HTTPException(400, "items are numbered from 1")
    try:
        name = load(number)
    except KeyError:
        log.exception("no such item", number=number)
        raise HTTPException(404, "no such item") from None
    elapsed = (time.monotonic() - started) * 1000
    log.info("item served", number=number, name=name, duration_ms=round(elapsed, 3))
    return {"number": number, "name": name}
