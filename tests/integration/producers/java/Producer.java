// An app as a Java team writes it: OTLP/gRPC on loopback by environment alone (the SDK speaks no Unix
// sockets), or logback's JSON lines to the socket.
//
//     Producer logs|spans|logback COUNT
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.OutputStreamAppender;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import net.logstash.logback.argument.StructuredArguments;
import net.logstash.logback.encoder.LogstashEncoder;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

public final class Producer {
    private static final int SPANS_PER_TRACE = 10;
    private static final int FLUSH_EVERY = 1000; // the SDK's own queue drops above 2,048

    private static void logs(OpenTelemetrySdk sdk, int count) {
        var logger = sdk.getLogsBridge().get("orders");
        for (int n = 0; n < count; n++) {
            logger.logRecordBuilder().setSeverity(Severity.WARN).setSeverityText("WARN").setBody("otlp says hé")
                .setAttribute(AttributeKey.stringKey("producer"), "java-otlp")
                .setAttribute(AttributeKey.longKey("n"), (long) n)
                .setAttribute(AttributeKey.doubleKey("ratio"), 0.5).emit();
            if (n % FLUSH_EVERY == FLUSH_EVERY - 1)
                sdk.getSdkLoggerProvider().forceFlush().join(60, TimeUnit.SECONDS);
        }
    }

    private static void spans(OpenTelemetrySdk sdk, int count) {
        var tracer = sdk.getTracer("java-producer");
        for (int made = 0; made < count; made += SPANS_PER_TRACE) {
            Span root = tracer.spanBuilder("request").setNoParent().setSpanKind(SpanKind.SERVER).startSpan();
            for (int child = 1; child < SPANS_PER_TRACE; child++) {
                tracer.spanBuilder("step-" + child).setParent(Context.root().with(root))
                    .setAttribute("n", made + child).setAttribute("text", "grüße").startSpan().end();
            }
            root.setStatus(StatusCode.ERROR, "boom");
            root.end();
            if (made % FLUSH_EVERY == 0)
                sdk.getSdkTracerProvider().forceFlush().join(60, TimeUnit.SECONDS);
        }
    }

    private static void logback(int count) throws Exception {
        var context = (LoggerContext) LoggerFactory.getILoggerFactory();
        try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(System.getenv("SLUICE_SOCKET")))) {
            var encoder = new LogstashEncoder();
            encoder.setContext(context);
            encoder.start();
            var appender = new OutputStreamAppender<ILoggingEvent>();
            appender.setContext(context);
            appender.setEncoder(encoder);
            appender.setOutputStream(Channels.newOutputStream(channel));
            appender.start();
            var root = context.getLogger("ROOT");
            root.detachAndStopAllAppenders();
            root.addAppender(appender);
            var logger = LoggerFactory.getLogger("items.Repo");
            MDC.put("trace_id", "0af7651916cd43dd8448eb211c80319c");
            for (int n = 0; n < count; n++) {
                if (n % 1000 == 7)
                    logger.error("failed", StructuredArguments.kv("producer", "java-logback"),
                        StructuredArguments.kv("n", n), new IllegalStateException("bad ✗"));
                else
                    logger.warn("logback says ünïcode", StructuredArguments.kv("producer", "java-logback"),
                        StructuredArguments.kv("n", n), StructuredArguments.kv("ratio", 0.5));
            }
            context.stop();
        }
    }

    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[1]);
        if (arguments[0].equals("logback")) {
            logback(count);
            return;
        }
        try (var sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk()) {
            if (arguments[0].equals("spans"))
                spans(sdk, count);
            else
                logs(sdk, count);
        }
    }
}
