"""An app that logs with structlog as JSON lines on the socket that SLUICE_SOCKET names: structlog_lines.py COUNT."""

import os
import socket
import sys

import structlog


def main():
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(os.environ["SLUICE_SOCKET"])
    stream = connection.makefile("w", encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    logger = structlog.get_logger().bind(producer="python-structlog", request_id="req-1")
    for n in range(int(sys.argv[1])):
        if n % 1000 == 7:
            try:
                raise ValueError("bad \u2717")
            except ValueError:
                logger.exception("failed", n=n)
        else:
            logger.info("user_fetched \U0001f642", n=n, ratio=float("nan") if n % 100 == 3 else 0.25,
                        trace_id=f"{n + 1:032x}", span_id=f"{n + 1:016x}", duration_ms=1.5)
    stream.flush()
    connection.close()


main()
