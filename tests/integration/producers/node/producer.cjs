// An app as a Node team writes it: pino or winston JSON lines to the socket, or OTLP/gRPC by environment alone.
//
//     producer.cjs pino|winston|logs|spans COUNT
"use strict";
const net = require("node:net");

const SPANS_PER_TRACE = 10;
const FLUSH_EVERY = 1000; // the SDK's own queue drops above 2,048

function withPino(count) {
  const socket = net.connect(process.env.SLUICE_SOCKET);
  const logger = require("pino")({ name: "items" }, socket).child({ producer: "node-pino" });
  for (let n = 0; n < count; n++) {
    if (n % 1000 === 7) {
      logger.error({ n, err: new TypeError("bad ✗") }, "failed");
    } else {
      logger.info({ n, ratio: 0.5, flag: n % 2 === 0, req: { id: "req-1", method: "GET", url: "/items/1?q=ü" },
        responseTime: 1.5 }, "pino says ünïcode \"quoted\"");
    }
  }
  socket.end();
}

function withWinston(count) {
  const winston = require("winston");
  const socket = net.connect(process.env.SLUICE_SOCKET);
  const logger = winston.createLogger({
    format: winston.format.combine(winston.format.timestamp(), winston.format.errors({ stack: true }),
      winston.format.json()),
    defaultMeta: { producer: "node-winston" },
    transports: [new winston.transports.Stream({ stream: socket })],
  });
  for (let n = 0; n < count; n++) logger.warn("winston says ünïcode", { n, ratio: 0.5, nested: { k: [1, 2] } });
  logger.on("finish", () => socket.end());
  logger.end();
}

async function withLogs(count) {
  const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
  const { OTLPLogExporter } = require("@opentelemetry/exporter-logs-otlp-grpc");
  const provider = new LoggerProvider({ resource: resource(),
    processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })] });
  const logger = provider.getLogger("orders");
  for (let n = 0; n < count; n++) {
    logger.emit({ severityNumber: 13, severityText: "WARN", body: "otlp says hé",
      attributes: { producer: "node-otlp", n, ratio: 0.5 } });
    if (n % FLUSH_EVERY === FLUSH_EVERY - 1) await provider.forceFlush();
  }
  await provider.shutdown();
}

async function withSpans(count) {
  const api = require("@opentelemetry/api");
  const { TracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace");
  const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-grpc");
  const provider = new TracerProvider({ resource: resource(),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })] });
  const tracer = provider.getTracer("node-producer");
  for (let made = 0; made < count; made += SPANS_PER_TRACE) {
    const root = tracer.startSpan("request", { kind: api.SpanKind.SERVER, root: true });
    const context = api.trace.setSpan(api.ROOT_CONTEXT, root);
    for (let child = 1; child < SPANS_PER_TRACE; child++) {
      tracer.startSpan(`step-${child}`, { attributes: { n: made + child, text: "grüße" } }, context).end();
    }
    root.setStatus({ code: api.SpanStatusCode.ERROR, message: "boom" });
    root.end();
    if (made % FLUSH_EVERY === 0) await provider.forceFlush();
  }
  await provider.shutdown();
}

// Only the environment says who this is: OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
function resource() {
  const { detectResources, envDetector } = require("@opentelemetry/resources");
  return detectResources({ detectors: [envDetector] });
}

({ pino: withPino, winston: withWinston, logs: withLogs, spans: withSpans })[process.argv[2]](Number(process.argv[3]));
