// The table of keys and its hash.
#include "decode/map_keys.h"

#include "decode/key_hash.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define KEY(text) .key = (text), .size = sizeof(text) - 1

const struct map_key map_keys[MAP_KEYS_MAX] = {
    {.key = ""},
    // @timestamp
    {KEY("@timestamp"), .rule = MAP_TIME, .first = true},
    {KEY("timestamp"), .rule = MAP_TIME, .known = KNOWN_TIMESTAMP, .first = true},
    {KEY("time"), .rule = MAP_TIME, .known = KNOWN_TIME, .first = true},
    {KEY("ts"), .rule = MAP_TIME, .known = KNOWN_TS, .first = true},
    {KEY("T"), .rule = MAP_TIME, .known = KNOWN_T, .first = true},
    {KEY("asctime"), .rule = MAP_TIME, .known = KNOWN_ASCTIME},
    {KEY("timeUnixNano"), .rule = MAP_TIME},
    {KEY("eventTime"), .rule = MAP_TIME},
    {KEY("date"), .rule = MAP_TIME},
    {KEY("@t"), .rule = MAP_TIME},
    {KEY("Timestamp"), .rule = MAP_TIME},
    {KEY("nanoseconds"), .rule = MAP_REST, .known = KNOWN_NANOSECONDS},
    {KEY("event.created"), .rule = MAP_CREATED},
    // log.level
    {KEY("log.level"), .rule = MAP_LEVEL},
    {KEY("level_name"), .rule = MAP_LEVEL},
    {KEY("level"), .rule = MAP_LEVEL, .known = KNOWN_LEVEL, .first = true},
    {KEY("severity"), .rule = MAP_LEVEL},
    {KEY("lvl"), .rule = MAP_LEVEL},
    {KEY("L"), .rule = MAP_LEVEL, .first = true},
    {KEY("levelname"), .rule = MAP_LEVEL, .known = KNOWN_LEVELNAME},
    {KEY("levelno"), .rule = MAP_LEVEL_PYTHON, .known = KNOWN_LEVELNO},
    {KEY("severity_text"), .rule = MAP_LEVEL, .known = KNOWN_SEVERITY_TEXT},
    {KEY("severityText"), .rule = MAP_LEVEL},
    {KEY("@l"), .rule = MAP_LEVEL},
    {KEY("Level"), .rule = MAP_LEVEL},
    {KEY("severity_number"), .rule = MAP_LEVEL_OTEL},
    {KEY("severityNumber"), .rule = MAP_LEVEL_OTEL},
    {KEY("event.severity"), .rule = MAP_LEVEL_PRINTED, .field = ECS_EVENT_SEVERITY},
    // message
    {KEY("message"), .rule = MAP_MESSAGE},
    {KEY("msg"), .rule = MAP_MESSAGE, .known = KNOWN_MSG},
    {KEY("event"), .rule = MAP_MESSAGE, .object = MAP_FLATTEN},
    {KEY("M"), .rule = MAP_MESSAGE},
    {KEY("@message"), .rule = MAP_MESSAGE},
    {KEY("body"), .rule = MAP_MESSAGE},
    {KEY("@m"), .rule = MAP_MESSAGE},
    {KEY("short_message"), .rule = MAP_MESSAGE},
    {KEY("RenderedMessage"), .rule = MAP_MESSAGE},
    {KEY("MessageTemplate"), .rule = MAP_MESSAGE},
    // log.logger
    {KEY("log.logger"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER},
    {KEY("logger"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER},
    {KEY("logger_name"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER},
    {KEY("loggerName"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER},
    {KEY("N"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER},
    {KEY("target"), .rule = MAP_TEXT, .field = ECS_LOG_LOGGER, .known = KNOWN_TARGET},
    {KEY("name"), .rule = MAP_LOGGER_NAME, .field = ECS_LOG_LOGGER},
    // log.origin
    {KEY("log.origin.function"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("func_name"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("funcName"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("source.function"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("code.function.name"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("code.function"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("caller_method_name"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FUNCTION},
    {KEY("log.origin.file.name"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("filename"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("source.file"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("code.file.path"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("code.filepath"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("caller_file_name"), .rule = MAP_TEXT, .field = ECS_LOG_ORIGIN_FILE_NAME},
    {KEY("log.origin.file.line"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("lineno"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("source.line"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("code.line.number"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("code.lineno"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("caller_line_number"), .rule = MAP_LONG, .field = ECS_LOG_ORIGIN_FILE_LINE},
    {KEY("caller"), .rule = MAP_CALLER},
    {KEY("C"), .rule = MAP_CALLER},
    {KEY("source"), .rule = MAP_REST, .object = MAP_GROUP},
    // error: what is said outright, before what is read from a stack trace
    {KEY("error.type"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("err.type"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("exc_type"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("exception.type"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("err.name"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("error.name"), .rule = MAP_TEXT, .field = ECS_ERROR_TYPE},
    {KEY("error.message"), .rule = MAP_TEXT, .field = ECS_ERROR_MESSAGE},
    {KEY("err.message"), .rule = MAP_TEXT, .field = ECS_ERROR_MESSAGE},
    {KEY("err"), .rule = MAP_TEXT, .field = ECS_ERROR_MESSAGE, .object = MAP_GROUP},
    {KEY("error"), .rule = MAP_TEXT, .field = ECS_ERROR_MESSAGE, .object = MAP_FLATTEN},
    {KEY("exception.message"), .rule = MAP_TEXT, .field = ECS_ERROR_MESSAGE},
    {KEY("error.code"), .rule = MAP_TEXT, .field = ECS_ERROR_CODE},
    {KEY("err.code"), .rule = MAP_TEXT, .field = ECS_ERROR_CODE},
    {KEY("error.stack_trace"), .rule = MAP_EXCEPTION},
    {KEY("err.stack"), .rule = MAP_EXCEPTION},
    {KEY("err.stack_trace"), .rule = MAP_EXCEPTION},
    {KEY("error.stack"), .rule = MAP_EXCEPTION},
    {KEY("exception.stacktrace"), .rule = MAP_EXCEPTION},
    {KEY("exception"), .rule = MAP_EXCEPTION},
    {KEY("stack_trace"), .rule = MAP_EXCEPTION},
    {KEY("stack"), .rule = MAP_EXCEPTION},
    {KEY("@x"), .rule = MAP_EXCEPTION},
    {KEY("Exception"), .rule = MAP_EXCEPTION},
    {KEY("thrown"), .rule = MAP_EXCEPTION},
    {KEY("exc_info"), .rule = MAP_TRACEBACK},
    {KEY("stacktrace"), .rule = MAP_TEXT, .field = ECS_ERROR_STACK_TRACE},
    {KEY("S"), .rule = MAP_TEXT, .field = ECS_ERROR_STACK_TRACE},
    {KEY("errorVerbose"), .rule = MAP_TEXT, .field = ECS_ERROR_STACK_TRACE},
    // trace, span
    {KEY("trace_id"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("traceId"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("trace.id"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("otelTraceID"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("dd.trace_id"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("@tr"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("traceID"), .rule = MAP_TRACE_ID, .field = ECS_TRACE_ID},
    {KEY("span_id"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("spanId"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("span.id"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("otelSpanID"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("dd.span_id"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("@sp"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("spanID"), .rule = MAP_SPAN_ID, .field = ECS_SPAN_ID},
    {KEY("transaction.id"), .rule = MAP_TRANSACTION_ID, .field = ECS_TRANSACTION_ID},
    {KEY("traceparent"), .rule = MAP_TRACEPARENT},
    // service
    {KEY("service.name"), .rule = MAP_TEXT, .field = ECS_SERVICE_NAME},
    {KEY("service"), .rule = MAP_TEXT, .field = ECS_SERVICE_NAME, .object = MAP_FLATTEN},
    {KEY("otelServiceName"), .rule = MAP_TEXT, .field = ECS_SERVICE_NAME},
    {KEY("dd.service"), .rule = MAP_TEXT, .field = ECS_SERVICE_NAME},
    {KEY("resource.service.name"), .rule = MAP_TEXT, .field = ECS_SERVICE_NAME},
    {KEY("service.version"), .rule = MAP_TEXT, .field = ECS_SERVICE_VERSION},
    {KEY("dd.version"), .rule = MAP_TEXT, .field = ECS_SERVICE_VERSION},
    {KEY("service.environment"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("deployment.environment.name"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("deployment.environment"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("environment"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("env"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("dd.env"), .rule = MAP_TEXT, .field = ECS_SERVICE_ENVIRONMENT},
    {KEY("service.node.name"), .rule = MAP_TEXT, .field = ECS_SERVICE_NODE_NAME},
    {KEY("service.instance.id"), .rule = MAP_TEXT, .field = ECS_SERVICE_NODE_NAME},
    // host, process
    {KEY("host.hostname"), .rule = MAP_TEXT, .field = ECS_HOST_HOSTNAME},
    {KEY("hostname"), .rule = MAP_TEXT, .field = ECS_HOST_HOSTNAME, .known = KNOWN_HOSTNAME,
     .first = true},
    {KEY("host.name"), .rule = MAP_TEXT, .field = ECS_HOST_NAME},
    {KEY("host.id"), .rule = MAP_TEXT, .field = ECS_HOST_ID},
    {KEY("process.pid"), .rule = MAP_LONG, .field = ECS_PROCESS_PID},
    {KEY("pid"), .rule = MAP_LONG, .field = ECS_PROCESS_PID, .known = KNOWN_PID, .first = true},
    {KEY("process"), .rule = MAP_LONG, .field = ECS_PROCESS_PID, .object = MAP_FLATTEN},
    {KEY("process.name"), .rule = MAP_TEXT, .field = ECS_PROCESS_NAME},
    {KEY("process.thread.name"), .rule = MAP_TEXT, .field = ECS_PROCESS_THREAD_NAME},
    {KEY("thread_name"), .rule = MAP_TEXT, .field = ECS_PROCESS_THREAD_NAME},
    {KEY("threadName"), .rule = MAP_TEXT, .field = ECS_PROCESS_THREAD_NAME},
    {KEY("thread.name"), .rule = MAP_TEXT, .field = ECS_PROCESS_THREAD_NAME},
    {KEY("process.thread.id"), .rule = MAP_LONG, .field = ECS_PROCESS_THREAD_ID},
    {KEY("thread.id"), .rule = MAP_LONG, .field = ECS_PROCESS_THREAD_ID},
    // http, url
    {KEY("http.request.id"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_ID},
    {KEY("request_id"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_ID},
    {KEY("requestId"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_ID},
    {KEY("reqId"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_ID},
    {KEY("req.id"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_ID},
    {KEY("http.request.method"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_METHOD},
    {KEY("http.method"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_METHOD},
    {KEY("method"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_METHOD},
    {KEY("req.method"), .rule = MAP_TEXT, .field = ECS_HTTP_REQUEST_METHOD},
    {KEY("http.response.status_code"), .rule = MAP_LONG, .field = ECS_HTTP_RESPONSE_STATUS_CODE},
    {KEY("http.status_code"), .rule = MAP_LONG, .field = ECS_HTTP_RESPONSE_STATUS_CODE},
    {KEY("status_code"), .rule = MAP_LONG, .field = ECS_HTTP_RESPONSE_STATUS_CODE},
    {KEY("statusCode"), .rule = MAP_LONG, .field = ECS_HTTP_RESPONSE_STATUS_CODE},
    {KEY("res.statusCode"), .rule = MAP_LONG, .field = ECS_HTTP_RESPONSE_STATUS_CODE},
    {KEY("http.version"), .rule = MAP_TEXT, .field = ECS_HTTP_VERSION},
    {KEY("http.flavor"), .rule = MAP_TEXT, .field = ECS_HTTP_VERSION},
    {KEY("url.path"), .rule = MAP_TEXT, .field = ECS_URL_PATH},
    {KEY("path"), .rule = MAP_TEXT, .field = ECS_URL_PATH},
    {KEY("url.query"), .rule = MAP_TEXT, .field = ECS_URL_QUERY},
    {KEY("url.full"), .rule = MAP_TEXT, .field = ECS_URL_FULL},
    {KEY("http.url"), .rule = MAP_TEXT, .field = ECS_URL_FULL},
    {KEY("url.original"), .rule = MAP_TEXT, .field = ECS_URL_ORIGINAL},
    {KEY("http.target"), .rule = MAP_TEXT, .field = ECS_URL_ORIGINAL},
    {KEY("req.url"), .rule = MAP_REQUEST_URL, .field = ECS_URL_ORIGINAL},
    {KEY("req"), .rule = MAP_REST, .object = MAP_GROUP},
    {KEY("res"), .rule = MAP_REST, .object = MAP_GROUP},
    // user, client
    {KEY("user.id"), .rule = MAP_TEXT, .field = ECS_USER_ID},
    {KEY("user_id"), .rule = MAP_TEXT, .field = ECS_USER_ID},
    {KEY("userId"), .rule = MAP_TEXT, .field = ECS_USER_ID},
    {KEY("enduser.id"), .rule = MAP_TEXT, .field = ECS_USER_ID},
    {KEY("user_agent.original"), .rule = MAP_TEXT, .field = ECS_USER_AGENT_ORIGINAL},
    {KEY("user_agent"), .rule = MAP_TEXT, .field = ECS_USER_AGENT_ORIGINAL, .object = MAP_FLATTEN},
    {KEY("userAgent"), .rule = MAP_TEXT, .field = ECS_USER_AGENT_ORIGINAL},
    {KEY("http.user_agent"), .rule = MAP_TEXT, .field = ECS_USER_AGENT_ORIGINAL},
    {KEY("client.ip"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("client_ip"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("clientIp"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("net.peer.ip"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("http.client_ip"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("req.remoteAddress"), .rule = MAP_ADDRESS, .field = ECS_CLIENT_IP},
    {KEY("client.address"), .rule = MAP_TEXT, .field = ECS_CLIENT_ADDRESS},
    // event
    {KEY("event.action"), .rule = MAP_TEXT, .field = ECS_EVENT_ACTION},
    {KEY("event.name"), .rule = MAP_TEXT, .field = ECS_EVENT_ACTION},
    {KEY("event.dataset"), .rule = MAP_TEXT, .field = ECS_EVENT_DATASET},
    {KEY("event.duration"), .rule = MAP_DURATION},
    {KEY("duration_ns"), .rule = MAP_DURATION},
    {KEY("duration_us"), .rule = MAP_DURATION, .scale = 3},
    {KEY("latency_us"), .rule = MAP_DURATION, .scale = 3},
    {KEY("elapsed_us"), .rule = MAP_DURATION, .scale = 3},
    {KEY("duration_ms"), .rule = MAP_DURATION, .scale = 6},
    {KEY("durationMs"), .rule = MAP_DURATION, .scale = 6},
    {KEY("elapsed_ms"), .rule = MAP_DURATION, .scale = 6},
    {KEY("elapsedMs"), .rule = MAP_DURATION, .scale = 6},
    {KEY("latency_ms"), .rule = MAP_DURATION, .scale = 6},
    {KEY("latencyMs"), .rule = MAP_DURATION, .scale = 6},
    {KEY("responseTime"), .rule = MAP_DURATION, .scale = 6},
    {KEY("response_time_ms"), .rule = MAP_DURATION, .scale = 6},
    {KEY("duration_s"), .rule = MAP_DURATION, .scale = 9},
    {KEY("duration_seconds"), .rule = MAP_DURATION, .scale = 9},
    {KEY("elapsed_s"), .rule = MAP_DURATION, .scale = 9},
    {KEY("elapsed_seconds"), .rule = MAP_DURATION, .scale = 9},
    {KEY("duration"), .rule = MAP_DURATION_GUESS},
    {KEY("elapsed"), .rule = MAP_DURATION_GUESS},
    {KEY("latency"), .rule = MAP_DURATION_GUESS},
    // container, kubernetes
    {KEY("container.id"), .rule = MAP_TEXT, .field = ECS_CONTAINER_ID},
    {KEY("container.name"), .rule = MAP_TEXT, .field = ECS_CONTAINER_NAME},
    {KEY("container.image.name"), .rule = MAP_TEXT, .field = ECS_CONTAINER_IMAGE_NAME},
    {KEY("kubernetes.namespace"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_NAMESPACE},
    {KEY("k8s.namespace.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_NAMESPACE},
    {KEY("kubernetes.pod.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_POD_NAME},
    {KEY("k8s.pod.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_POD_NAME},
    {KEY("kubernetes.pod.uid"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_POD_UID},
    {KEY("k8s.pod.uid"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_POD_UID},
    {KEY("kubernetes.node.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_NODE_NAME},
    {KEY("k8s.node.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_NODE_NAME},
    {KEY("kubernetes.container.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_CONTAINER_NAME},
    {KEY("k8s.container.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_CONTAINER_NAME},
    {KEY("kubernetes.deployment.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_DEPLOYMENT_NAME},
    {KEY("k8s.deployment.name"), .rule = MAP_TEXT, .field = ECS_KUBERNETES_DEPLOYMENT_NAME},
    {KEY("orchestrator.cluster.name"), .rule = MAP_TEXT, .field = ECS_ORCHESTRATOR_CLUSTER_NAME},
    {KEY("k8s.cluster.name"), .rule = MAP_TEXT, .field = ECS_ORCHESTRATOR_CLUSTER_NAME},
    // log, data_stream
    {KEY("log.file.path"), .rule = MAP_TEXT, .field = ECS_LOG_FILE_PATH},
    {KEY("log.offset"), .rule = MAP_LONG, .field = ECS_LOG_OFFSET},
    {KEY("data_stream.type"), .rule = MAP_TEXT, .field = ECS_DATA_STREAM_TYPE},
    {KEY("data_stream.dataset"), .rule = MAP_TEXT, .field = ECS_DATA_STREAM_DATASET},
    {KEY("data_stream.namespace"), .rule = MAP_TEXT, .field = ECS_DATA_STREAM_NAMESPACE},
    // objects that are ECS in any line, or stand for members of the line
    {KEY("log"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("http"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("url"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("host"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("trace"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("span"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("transaction"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("user"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("client"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("server"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("kubernetes"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("container"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("labels"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("numeric_labels"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("dd"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("data_stream"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("orchestrator"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("@fields"), .rule = MAP_REST, .object = MAP_HOIST},
    {KEY("fields"), .rule = MAP_REST, .object = MAP_HOIST},
    {KEY("mdc"), .rule = MAP_REST, .object = MAP_HOIST},
    {KEY("record"), .rule = MAP_REST, .object = MAP_HOIST, .known = KNOWN_RECORD},
    {KEY("text"), .rule = MAP_REST, .known = KNOWN_TEXT},
    // what says nothing new; the agent's own fields are its own
    {KEY("ecs.version"), .rule = MAP_DROP, .known = KNOWN_ECS_VERSION},
    {KEY("ecs"), .rule = MAP_REST, .object = MAP_FLATTEN},
    {KEY("@version"), .rule = MAP_DROP},
    {KEY("level_value"), .rule = MAP_DROP},
    {KEY("sequenceNumber"), .rule = MAP_DROP},
    {KEY("otelTraceSampled"), .rule = MAP_DROP},
    {KEY("trace_flags"), .rule = MAP_DROP},
};

_Static_assert(KNOWN_COUNT <= MAP_KNOWN_MAX, "mapper.known holds every known key");

void map_init(struct mapper *mapper)
{
    memset(mapper, 0, sizeof *mapper);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    mapper->seed = ((uint64_t)now.tv_nsec << 20) ^ (uint64_t)(uintptr_t)mapper;
    for (unsigned row = 1; row < MAP_KEYS_MAX && map_keys[row].key; row++) {
        const struct map_key *key = &map_keys[row];
        uint32_t slot = key_hash(key->key, key->size, mapper->seed) % MAP_SLOTS;
        while (mapper->slots[slot])
            slot = (slot + 1) % MAP_SLOTS;
        mapper->slots[slot] = (uint8_t)row;
        if (key->known)
            mapper->known[key->known] = (uint8_t)row;
    }
}

struct map_member *map_known(struct mapper *mapper, enum map_known known)
{
    uint8_t row = mapper->known[known];
    bool present = mapper->present[row / 64] >> (row % 64) & 1;
    return present ? &mapper->members[mapper->member_of[row]] : NULL;
}

// ECS objects that any line may hold. The others' names (file, rule, source …) mean too much else.
static const char *const common_objects[] = {
    "client",     "container",   "error",   "event",  "host",       "http",
    "kubernetes", "log",         "process", "server", "service",    "span",
    "trace",      "transaction", "url",     "user",   "user_agent",
};

static const char *const further_objects[] = {
    "as",
    "cloud",
    "code_signature",
    "destination",
    "device",
    "dll",
    "dns",
    "elf",
    "email",
    "faas",
    "file",
    "geo",
    "group",
    "hash",
    "interface",
    "macho",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "os",
    "package",
    "pe",
    "registry",
    "related",
    "risk",
    "rule",
    "source",
    "tags",
    "threat",
    "tls",
    "vlan",
    "volume",
    "vulnerability",
    "x509",
};

static bool named(const char *const *names, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(slice_from(names[i]), name))
            return true;
    return false;
}

bool map_key_under_ecs(struct slice path, bool ecs_line)
{
    const char *dot = path.size ? memchr(path.data, '.', path.size) : NULL;
    struct slice root = slice_of(path.data, dot ? (size_t)(dot - path.data) : path.size);
    return named(common_objects, sizeof common_objects / sizeof *common_objects, root) ||
           (ecs_line &&
            named(further_objects, sizeof further_objects / sizeof *further_objects, root));
}
