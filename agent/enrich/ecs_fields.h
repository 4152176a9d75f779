// The one table of ECS fields that have a slot: the encoder's order, and the types that
// Elasticsearch's templates take.
//
// Sorted by path, so that fields of one object stand together and the encoder opens each object
// once. Source: Elastic Common Schema 8.11.
#ifndef SLUICE_ENRICH_ECS_FIELDS_H
#define SLUICE_ENRICH_ECS_FIELDS_H

// ECS_FIELD(NAME, "dotted.path", elasticsearch type)
#define ECS_FIELDS(ECS_FIELD)                                                                      \
    ECS_FIELD(TIMESTAMP, "@timestamp", date_nanos)                                                 \
    ECS_FIELD(AGENT_EPHEMERAL_ID, "agent.ephemeral_id", keyword)                                   \
    ECS_FIELD(AGENT_TYPE, "agent.type", keyword)                                                   \
    ECS_FIELD(AGENT_VERSION, "agent.version", keyword)                                             \
    ECS_FIELD(CLIENT_ADDRESS, "client.address", keyword)                                           \
    ECS_FIELD(CLIENT_IP, "client.ip", ip)                                                          \
    ECS_FIELD(CONTAINER_ID, "container.id", keyword)                                               \
    ECS_FIELD(CONTAINER_IMAGE_NAME, "container.image.name", keyword)                               \
    ECS_FIELD(CONTAINER_NAME, "container.name", keyword)                                           \
    ECS_FIELD(DATA_STREAM_DATASET, "data_stream.dataset", keyword)                                 \
    ECS_FIELD(DATA_STREAM_NAMESPACE, "data_stream.namespace", keyword)                             \
    ECS_FIELD(DATA_STREAM_TYPE, "data_stream.type", keyword)                                       \
    ECS_FIELD(ECS_VERSION, "ecs.version", keyword)                                                 \
    ECS_FIELD(ERROR_CODE, "error.code", keyword)                                                   \
    ECS_FIELD(ERROR_MESSAGE, "error.message", text)                                                \
    ECS_FIELD(ERROR_STACK_TRACE, "error.stack_trace", text)                                        \
    ECS_FIELD(ERROR_TYPE, "error.type", keyword)                                                   \
    ECS_FIELD(EVENT_ACTION, "event.action", keyword)                                               \
    ECS_FIELD(EVENT_CREATED, "event.created", date_nanos)                                          \
    ECS_FIELD(EVENT_DATASET, "event.dataset", keyword)                                             \
    ECS_FIELD(EVENT_DURATION, "event.duration", long)                                              \
    ECS_FIELD(EVENT_ID, "event.id", keyword)                                                       \
    ECS_FIELD(EVENT_INGESTED, "event.ingested", date_nanos)                                        \
    ECS_FIELD(EVENT_SEQUENCE, "event.sequence", long)                                              \
    ECS_FIELD(EVENT_SEVERITY, "event.severity", long)                                              \
    ECS_FIELD(HOST_HOSTNAME, "host.hostname", keyword)                                             \
    ECS_FIELD(HOST_ID, "host.id", keyword)                                                         \
    ECS_FIELD(HOST_NAME, "host.name", keyword)                                                     \
    ECS_FIELD(HTTP_REQUEST_ID, "http.request.id", keyword)                                         \
    ECS_FIELD(HTTP_REQUEST_METHOD, "http.request.method", keyword)                                 \
    ECS_FIELD(HTTP_RESPONSE_STATUS_CODE, "http.response.status_code", long)                        \
    ECS_FIELD(HTTP_VERSION, "http.version", keyword)                                               \
    ECS_FIELD(KUBERNETES_CONTAINER_NAME, "kubernetes.container.name", keyword)                     \
    ECS_FIELD(KUBERNETES_DEPLOYMENT_NAME, "kubernetes.deployment.name", keyword)                   \
    ECS_FIELD(KUBERNETES_LABELS, "kubernetes.labels", flattened)                                   \
    ECS_FIELD(KUBERNETES_NAMESPACE, "kubernetes.namespace", keyword)                               \
    ECS_FIELD(KUBERNETES_NODE_NAME, "kubernetes.node.name", keyword)                               \
    ECS_FIELD(KUBERNETES_POD_NAME, "kubernetes.pod.name", keyword)                                 \
    ECS_FIELD(KUBERNETES_POD_UID, "kubernetes.pod.uid", keyword)                                   \
    ECS_FIELD(LOG_FILE_PATH, "log.file.path", keyword)                                             \
    ECS_FIELD(LOG_FLAGS, "log.flags", keyword)                                                     \
    ECS_FIELD(LOG_LEVEL, "log.level", keyword)                                                     \
    ECS_FIELD(LOG_LOGGER, "log.logger", keyword)                                                   \
    ECS_FIELD(LOG_OFFSET, "log.offset", long)                                                      \
    ECS_FIELD(LOG_ORIGIN_FILE_LINE, "log.origin.file.line", long)                                  \
    ECS_FIELD(LOG_ORIGIN_FILE_NAME, "log.origin.file.name", keyword)                               \
    ECS_FIELD(LOG_ORIGIN_FUNCTION, "log.origin.function", keyword)                                 \
    ECS_FIELD(MESSAGE, "message", text)                                                            \
    ECS_FIELD(ORCHESTRATOR_CLUSTER_NAME, "orchestrator.cluster.name", keyword)                     \
    ECS_FIELD(PROCESS_NAME, "process.name", keyword)                                               \
    ECS_FIELD(PROCESS_PID, "process.pid", long)                                                    \
    ECS_FIELD(PROCESS_THREAD_ID, "process.thread.id", long)                                        \
    ECS_FIELD(PROCESS_THREAD_NAME, "process.thread.name", keyword)                                 \
    ECS_FIELD(SERVICE_ENVIRONMENT, "service.environment", keyword)                                 \
    ECS_FIELD(SERVICE_NAME, "service.name", keyword)                                               \
    ECS_FIELD(SERVICE_NODE_NAME, "service.node.name", keyword)                                     \
    ECS_FIELD(SERVICE_VERSION, "service.version", keyword)                                         \
    ECS_FIELD(SPAN_ID, "span.id", keyword)                                                         \
    ECS_FIELD(TRACE_ID, "trace.id", keyword)                                                       \
    ECS_FIELD(TRANSACTION_ID, "transaction.id", keyword)                                           \
    ECS_FIELD(URL_FULL, "url.full", keyword)                                                       \
    ECS_FIELD(URL_ORIGINAL, "url.original", keyword)                                               \
    ECS_FIELD(URL_PATH, "url.path", keyword)                                                       \
    ECS_FIELD(URL_QUERY, "url.query", keyword)                                                     \
    ECS_FIELD(USER_ID, "user.id", keyword)                                                         \
    ECS_FIELD(USER_AGENT_ORIGINAL, "user_agent.original", keyword)

enum ecs_field {
#define ECS_FIELD_ENUM(name, path, type) ECS_##name,
    ECS_FIELDS(ECS_FIELD_ENUM)
#undef ECS_FIELD_ENUM
        ECS_FIELD_COUNT
};

#endif
