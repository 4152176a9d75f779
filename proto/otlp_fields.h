// The field numbers of OpenTelemetry's messages that the wire cursor looks for.
//
// Source: opentelemetry-proto 1.7, packages common, resource, logs, trace, metrics and collector.
#ifndef SLUICE_PROTO_OTLP_FIELDS_H
#define SLUICE_PROTO_OTLP_FIELDS_H

// Export{Trace,Logs,Metrics}ServiceRequest, and {Traces,Logs,Metrics}Data
enum { OTLP_REQUEST_RESOURCES = 1 };
// Export{Trace,Logs,Metrics}ServiceResponse
enum { OTLP_RESPONSE_PARTIAL_SUCCESS = 1 };
// Export{Trace,Logs,Metrics}PartialSuccess
enum { OTLP_PARTIAL_REJECTED = 1, OTLP_PARTIAL_ERROR_MESSAGE = 2 };

// ResourceLogs, ResourceSpans, ResourceMetrics: the same three
enum { OTLP_RUN_RESOURCE = 1, OTLP_RUN_SCOPES = 2, OTLP_RUN_SCHEMA_URL = 3 };
// ScopeLogs, ScopeSpans, ScopeMetrics: the same three
enum { OTLP_SCOPE_SCOPE = 1, OTLP_SCOPE_RECORDS = 2, OTLP_SCOPE_SCHEMA_URL = 3 };

enum {
    OTLP_RESOURCE_ATTRIBUTES = 1,
    OTLP_RESOURCE_DROPPED_ATTRIBUTES_COUNT = 2,
    OTLP_RESOURCE_ENTITY_REFS = 3,
};

enum {
    OTLP_INSTRUMENTATION_SCOPE_NAME = 1,
    OTLP_INSTRUMENTATION_SCOPE_VERSION = 2,
    OTLP_INSTRUMENTATION_SCOPE_ATTRIBUTES = 3,
    OTLP_INSTRUMENTATION_SCOPE_DROPPED_ATTRIBUTES_COUNT = 4,
};

enum { OTLP_KEY_VALUE_KEY = 1, OTLP_KEY_VALUE_VALUE = 2 };
enum { OTLP_ARRAY_VALUES = 1 };  // ArrayValue: AnyValue
enum { OTLP_KVLIST_VALUES = 1 }; // KeyValueList: KeyValue

enum {
    OTLP_ANY_STRING = 1,
    OTLP_ANY_BOOL = 2,
    OTLP_ANY_INT = 3,
    OTLP_ANY_DOUBLE = 4, // fixed64
    OTLP_ANY_ARRAY = 5,
    OTLP_ANY_KVLIST = 6,
    OTLP_ANY_BYTES = 7,
};

enum {
    OTLP_LOG_TIME_UNIX_NANO = 1, // fixed64
    OTLP_LOG_SEVERITY_NUMBER = 2,
    OTLP_LOG_SEVERITY_TEXT = 3,
    OTLP_LOG_BODY = 5,
    OTLP_LOG_ATTRIBUTES = 6,
    OTLP_LOG_DROPPED_ATTRIBUTES_COUNT = 7,
    OTLP_LOG_FLAGS = 8, // fixed32
    OTLP_LOG_TRACE_ID = 9,
    OTLP_LOG_SPAN_ID = 10,
    OTLP_LOG_OBSERVED_TIME_UNIX_NANO = 11, // fixed64
    OTLP_LOG_EVENT_NAME = 12,
};

enum {
    OTLP_SPAN_TRACE_ID = 1,
    OTLP_SPAN_SPAN_ID = 2,
    OTLP_SPAN_TRACE_STATE = 3,
    OTLP_SPAN_PARENT_SPAN_ID = 4,
    OTLP_SPAN_NAME = 5,
    OTLP_SPAN_KIND = 6,
    OTLP_SPAN_START_TIME_UNIX_NANO = 7, // fixed64
    OTLP_SPAN_END_TIME_UNIX_NANO = 8,   // fixed64
    OTLP_SPAN_ATTRIBUTES = 9,
    OTLP_SPAN_DROPPED_ATTRIBUTES_COUNT = 10,
    OTLP_SPAN_EVENTS = 11,
    OTLP_SPAN_DROPPED_EVENTS_COUNT = 12,
    OTLP_SPAN_LINKS = 13,
    OTLP_SPAN_DROPPED_LINKS_COUNT = 14,
    OTLP_SPAN_STATUS = 15,
    OTLP_SPAN_FLAGS = 16, // fixed32
};
enum { OTLP_STATUS_MESSAGE = 2, OTLP_STATUS_CODE = 3 };
enum { OTLP_STATUS_CODE_OK = 1, OTLP_STATUS_CODE_ERROR = 2 };

enum {
    OTLP_METRIC_NAME = 1,
    OTLP_METRIC_DESCRIPTION = 2,
    OTLP_METRIC_UNIT = 3,
    OTLP_METRIC_GAUGE = 5,
    OTLP_METRIC_SUM = 7,
    OTLP_METRIC_HISTOGRAM = 9,
    OTLP_METRIC_EXPONENTIAL_HISTOGRAM = 10,
    OTLP_METRIC_SUMMARY = 11,
    OTLP_METRIC_METADATA = 12,
};
enum { OTLP_METRIC_DATA_POINTS = 1 };        // of every kind of metric
enum { OTLP_DATA_POINT_TIME_UNIX_NANO = 3 }; // of every kind of data point; fixed64

#endif
