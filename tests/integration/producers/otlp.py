"""An app with the OpenTelemetry SDK; only OTEL_* says where: otlp.py logs|spans COUNT."""

import logging
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SPANS_PER_TRACE = 10
FLUSH_EVERY = 1000  # the SDK's own queue drops above 2,048


def logs(count):
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = logging.getLogger("orders")
    logger.addHandler(LoggingHandler(logger_provider=provider))
    logger.setLevel(logging.INFO)
    for n in range(count):
        logger.warning("otlp says %s", "hé", extra={"producer": "python-otlp", "n": n})
        if n % FLUSH_EVERY == FLUSH_EVERY - 1:
            provider.force_flush()
    provider.shutdown()


def spans(count):
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = trace.get_tracer("python-producer", tracer_provider=provider)
    for made in range(0, count, SPANS_PER_TRACE):
        with tracer.start_as_current_span("request"):
            for child in range(1, SPANS_PER_TRACE):
                with tracer.start_as_current_span(f"step-{child}") as span:
                    span.set_attribute("n", made + child)
        if made % FLUSH_EVERY == 0:
            provider.force_flush()
    provider.shutdown()


{"logs": logs, "spans": spans}[sys.argv[1]](int(sys.argv[2]))
