// Logs by logback with logstash-encoder at random options, and says in a side file what it meant.
//
//     Loggers SEED RECORDS SIDE_FILE        SLUICE_SOCKET says where to
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.OutputStreamAppender;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.FileWriter;
import java.io.PrintWriter;
import java.math.BigInteger;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import net.logstash.logback.argument.StructuredArguments;
import net.logstash.logback.encoder.LogstashEncoder;
import net.logstash.logback.stacktrace.ShortenedThrowableConverter;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

public final class Loggers {
    private static final String[] WORDS = {"", "plain", "ünïcode ✓ 日本語", "🙂🙃", "quo\"te \\back /slash",
        "ctl \0\u0001\u001b[31m\u007f\u0085\u2028", "tab\tnl\ncr\r", "{\"json\": 1}", "null", "x".repeat(3000)};
    private static final Object[] NUMBERS = {0, -1, Integer.MAX_VALUE, Long.MAX_VALUE, Long.MIN_VALUE, 0.5, 1e300, 5e-324,
        BigInteger.TWO.pow(63), BigInteger.TEN.pow(30)};
    private static final String[] NAMES = {"colour", "Größe", "emoji🙂", "with space", "with.dot", "quo\"ted",
        "back\\slash", "UPPER", "a*b", "0", "kebab-case", "topic", "offset", "partition", "message_key"};
    private static final Map<String, String> LEVELS =
        Map.of("TRACE", "trace", "DEBUG", "debug", "INFO", "info", "WARN", "warn", "ERROR", "error");

    private final Random random;
    private final int seed;
    private final List<Object> options = new ArrayList<>();
    private long resolution = 1_000_000;

    private Loggers(int seed) {
        this.seed = seed;
        random = new Random(seed);
    }

    @SafeVarargs
    private <T> T pick(T... choices) {
        return choices[random.nextInt(choices.length)];
    }

    private boolean chance(double of) {
        return random.nextDouble() < of;
    }

    private Object value(int depth) {
        int kind = random.nextInt(10);
        if (depth < 4 && kind == 9) {
            var list = new ArrayList<>();
            for (int n = random.nextInt(4); n > 0; n--)
                list.add(value(depth + 1));
            return list;
        }
        if (depth < 4 && kind > 6) {
            var inner = new LinkedHashMap<String, Object>();
            for (int n = random.nextInt(4); n > 0; n--)
                inner.put("k" + n, value(depth + 1));
            return inner;
        }
        return switch (random.nextInt(5)) {
            case 0, 1 -> pick(WORDS);
            case 2 -> pick(NUMBERS);
            case 3 -> chance(0.5);
            default -> chance(0.3) ? null : random.nextInt(1_000_000);
        };
    }

    private LogstashEncoder encoder(LoggerContext context) {
        var encoder = new LogstashEncoder();
        encoder.setContext(context);
        String pattern = pick(null, null, "[UNIX_TIMESTAMP_AS_NUMBER]", "[UNIX_TIMESTAMP_AS_STRING]",
            "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX");
        if (pattern != null) {
            encoder.setTimestampPattern(pattern);
            options.add(pattern);
        }
        var names = encoder.getFieldNames();
        if (chance(0.3)) {
            names.setTimestamp("timestamp");
            names.setMessage("msg");
            options.add("renamed");
        }
        if (chance(0.3)) {
            names.setLogger("logger");
            names.setLevelValue(null);
            names.setVersion(null);
            options.add("short");
        }
        if (chance(0.4)) {
            encoder.setIncludeCallerData(true);
            options.add("caller");
        }
        if (chance(0.3)) {
            encoder.setCustomFields("{\"service\":{\"name\":\"shop\",\"version\":\"1.2\"},\"zone\":\"eu\"}");
            options.add("custom");
        }
        if (chance(0.3)) {
            var shortened = new ShortenedThrowableConverter();
            shortened.setMaxDepthPerThrowable(3);
            shortened.setRootCauseFirst(chance(0.5));
            options.add("root cause first: " + shortened.isRootCauseFirst());
            shortened.start();
            encoder.setThrowableConverter(shortened);
        }
        encoder.start();
        return encoder;
    }

    private Throwable failure() {
        String said = chance(0.5) ? pick(WORDS) : "failed";
        Throwable cause = chance(0.4) ? new NumberFormatException("the cause") : null;
        return chance(0.5) ? new IllegalStateException(said, cause) : new UnsupportedOperationException(said, cause);
    }

    private Map<String, Object> failed(Throwable failure) {
        var shown = failure; // the trace's first line
        if (options.contains("root cause first: true") && failure.getCause() != null)
            shown = failure.getCause();
        var error = new LinkedHashMap<String, Object>();
        error.put("types", List.of(shown.getClass().getName()));
        error.put("message", shown.getMessage());
        error.put("stack", "Loggers.java");
        error.put("trimmed", true);
        return error;
    }

    private Map<String, Object> log(org.slf4j.Logger logger, int n) {
        String uid = "u~logback-" + seed + "-" + n + "~", level = pick(LEVELS.keySet().stream().sorted().toArray(String[]::new));
        String message = pick(WORDS) + " " + uid;
        Map<String, Object> ecs = new LinkedHashMap<>(), fields = new LinkedHashMap<>(), meaning = new LinkedHashMap<>();
        var arguments = new ArrayList<Object>(List.of(StructuredArguments.kv("uid", uid)));
        ecs.put("log.level", LEVELS.get(level));
        ecs.put("log.logger", "items.Repo");
        ecs.put("process.thread.name", "main");
        if (options.contains("caller")) {
            ecs.put("log.origin.file.name", "Loggers.java");
            ecs.put("log.origin.function", "log");
        }
        if (options.contains("custom")) {
            ecs.put("service.name", "shop");
            ecs.put("service.version", "1.2");
            fields.put("zone", "eu");
        }
        if (chance(0.4)) {
            String trace = "%016x%016x".formatted(random.nextLong() | 1, random.nextLong()), span = "%016x".formatted(random.nextLong() | 1);
            MDC.put(pick("trace_id", "traceId"), trace);
            MDC.put("span_id", span);
            ecs.put("trace.id", trace);
            ecs.put("span.id", span);
        }
        if (chance(0.3)) {
            MDC.put("request_id", "r-" + n);
            ecs.put("http.request.id", "r-" + n);
        }
        for (int i = random.nextInt(6); i > 0; i--) {
            String name = pick(NAMES) + i;
            Object value = value(0);
            fields.put(name, value);
            arguments.add(chance(0.5) ? StructuredArguments.kv(name, value)
                                      : StructuredArguments.entries(Collections.singletonMap(name, value)));
        }
        Throwable failure = chance(0.2) ? failure() : null;
        if (failure != null)
            arguments.add(failure);
        long before = System.currentTimeMillis();
        logger.atLevel(org.slf4j.event.Level.valueOf(level)).log(message, arguments.toArray());
        long after = System.currentTimeMillis();
        MDC.clear();
        meaning.putAll(Map.of("generator", "logback", "uid", uid, "options", options, "message", message, "ecs", ecs,
            "fields", fields, "resolution", resolution, "time", List.of(before + "000000", after + "999999")));
        if (failure != null)
            meaning.put("error", failed(failure));
        return meaning;
    }

    public static void main(String[] arguments) throws Exception {
        var loggers = new Loggers(Integer.parseInt(arguments[0]));
        var context = (LoggerContext) LoggerFactory.getILoggerFactory();
        try (var channel = SocketChannel.open(UnixDomainSocketAddress.of(System.getenv("SLUICE_SOCKET")));
             var side = new PrintWriter(new FileWriter(arguments[2], StandardCharsets.UTF_8, true))) {
            var appender = new OutputStreamAppender<ILoggingEvent>();
            appender.setContext(context);
            appender.setEncoder(loggers.encoder(context));
            appender.setOutputStream(Channels.newOutputStream(channel));
            appender.start();
            var root = context.getLogger("ROOT");
            root.detachAndStopAllAppenders();
            root.setLevel(Level.TRACE);
            root.addAppender(appender);
            var logger = LoggerFactory.getLogger("items.Repo");
            var mapper = new ObjectMapper();
            for (int n = 0; n < Integer.parseInt(arguments[1]); n++)
                side.println(mapper.writeValueAsString(loggers.log(logger, n)));
            context.stop();
        }
    }
}
