// OTLP's messages as a table of fields, and the one walk over it.
//
// The walk keeps its own stack instead of recursing, so that it can stop anywhere and go on in
// another turn of the loop.
#include "decode/otlp_check.h"

#include "base/urgency.h"
#include "decode/map.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

enum message {
    NO_MESSAGE,
    LOGS_REQUEST,
    SPANS_REQUEST,
    METRICS_REQUEST,
    RESOURCE_LOGS,
    RESOURCE_SPANS,
    RESOURCE_METRICS,
    SCOPE_LOGS,
    SCOPE_SPANS,
    SCOPE_METRICS,
    LOG_RECORD,
    SPAN,
    METRIC,
    RESOURCE,
    ENTITY_REF,
    SCOPE,
    KEY_VALUE,
    ANY_VALUE,
    ARRAY_VALUE,
    KEY_VALUE_LIST,
    SPAN_EVENT,
    SPAN_LINK,
    SPAN_STATUS,
    GAUGE,
    HISTOGRAM,
    EXPONENTIAL_HISTOGRAM,
    SUMMARY,
    NUMBER_POINT,
    HISTOGRAM_POINT,
    EXPONENTIAL_POINT,
    BUCKETS,
    SUMMARY_POINT,
    QUANTILE,
    EXEMPLAR,
    PACKED_VARINTS, // no message: numbers, one after the other
    MESSAGE_COUNT
};

// What a field means to the walk, beyond being well-formed.
enum role {
    PLAIN,
    COUNTED,     // one record
    TIME,        // its time
    STATUS_CODE, // of a span
    SEVERITY,    // of a log: its number
    LEVEL,       // … and its name, which counts where there is no number
    PACKED,      // numbers that may also come packed
    ID_8,        // empty or that long
    ID_16,
};

struct field_row {
    uint8_t number;
    uint8_t type;
    uint8_t child; // enum message
    uint8_t role;
};

#define CHILD(number, message)                                                                     \
    {                                                                                              \
        (number), WIRE_BYTES, (message), PLAIN                                                     \
    }
#define RECORD(number, message)                                                                    \
    {                                                                                              \
        (number), WIRE_BYTES, (message), COUNTED                                                   \
    }
#define TEXT(number)                                                                               \
    {                                                                                              \
        (number), WIRE_BYTES, NO_MESSAGE, PLAIN                                                    \
    }
#define VARINT(number)                                                                             \
    {                                                                                              \
        (number), WIRE_VARINT, NO_MESSAGE, PLAIN                                                   \
    }
#define FIXED64(number)                                                                            \
    {                                                                                              \
        (number), WIRE_FIXED64, NO_MESSAGE, PLAIN                                                  \
    }
#define FIXED32(number)                                                                            \
    {                                                                                              \
        (number), WIRE_FIXED32, NO_MESSAGE, PLAIN                                                  \
    }
#define ROLE(number, type, role)                                                                   \
    {                                                                                              \
        (number), (type), NO_MESSAGE, (role)                                                       \
    }

#define ROWS_MAX 17 // the widest message and its end
// Rows end with number 0. Fields without a row are unknown: well-formed is enough.
static const struct field_row rows[MESSAGE_COUNT][ROWS_MAX] = {
    [LOGS_REQUEST] = {CHILD(1, RESOURCE_LOGS)},
    [SPANS_REQUEST] = {CHILD(1, RESOURCE_SPANS)},
    [METRICS_REQUEST] = {CHILD(1, RESOURCE_METRICS)},
    [RESOURCE_LOGS] = {CHILD(2, SCOPE_LOGS), CHILD(1, RESOURCE), TEXT(3)},
    [RESOURCE_SPANS] = {CHILD(2, SCOPE_SPANS), CHILD(1, RESOURCE), TEXT(3)},
    [RESOURCE_METRICS] = {CHILD(2, SCOPE_METRICS), CHILD(1, RESOURCE), TEXT(3)},
    [SCOPE_LOGS] = {RECORD(2, LOG_RECORD), CHILD(1, SCOPE), TEXT(3)},
    [SCOPE_SPANS] = {RECORD(2, SPAN), CHILD(1, SCOPE), TEXT(3)},
    [SCOPE_METRICS] = {CHILD(2, METRIC), CHILD(1, SCOPE), TEXT(3)},
    [LOG_RECORD] = {CHILD(OTLP_LOG_ATTRIBUTES, KEY_VALUE),
                    ROLE(OTLP_LOG_TIME_UNIX_NANO, WIRE_FIXED64, TIME),
                    ROLE(OTLP_LOG_SEVERITY_NUMBER, WIRE_VARINT, SEVERITY),
                    ROLE(OTLP_LOG_SEVERITY_TEXT, WIRE_BYTES, LEVEL),
                    CHILD(OTLP_LOG_BODY, ANY_VALUE), VARINT(OTLP_LOG_DROPPED_ATTRIBUTES_COUNT),
                    FIXED32(OTLP_LOG_FLAGS), TEXT(OTLP_LOG_TRACE_ID), TEXT(OTLP_LOG_SPAN_ID),
                    FIXED64(OTLP_LOG_OBSERVED_TIME_UNIX_NANO), TEXT(OTLP_LOG_EVENT_NAME)},
    [SPAN] = {CHILD(OTLP_SPAN_ATTRIBUTES, KEY_VALUE), ROLE(OTLP_SPAN_TRACE_ID, WIRE_BYTES, ID_16),
              ROLE(OTLP_SPAN_SPAN_ID, WIRE_BYTES, ID_8), TEXT(OTLP_SPAN_TRACE_STATE),
              ROLE(OTLP_SPAN_PARENT_SPAN_ID, WIRE_BYTES, ID_8), TEXT(OTLP_SPAN_NAME),
              VARINT(OTLP_SPAN_KIND), ROLE(OTLP_SPAN_START_TIME_UNIX_NANO, WIRE_FIXED64, TIME),
              FIXED64(OTLP_SPAN_END_TIME_UNIX_NANO), VARINT(OTLP_SPAN_DROPPED_ATTRIBUTES_COUNT),
              CHILD(OTLP_SPAN_EVENTS, SPAN_EVENT), VARINT(OTLP_SPAN_DROPPED_EVENTS_COUNT),
              CHILD(OTLP_SPAN_LINKS, SPAN_LINK), VARINT(OTLP_SPAN_DROPPED_LINKS_COUNT),
              CHILD(OTLP_SPAN_STATUS, SPAN_STATUS), FIXED32(OTLP_SPAN_FLAGS)},
    [METRIC] = {TEXT(OTLP_METRIC_NAME), TEXT(OTLP_METRIC_DESCRIPTION), TEXT(OTLP_METRIC_UNIT),
                CHILD(OTLP_METRIC_GAUGE, GAUGE), CHILD(OTLP_METRIC_SUM, GAUGE),
                CHILD(OTLP_METRIC_HISTOGRAM, HISTOGRAM),
                CHILD(OTLP_METRIC_EXPONENTIAL_HISTOGRAM, EXPONENTIAL_HISTOGRAM),
                CHILD(OTLP_METRIC_SUMMARY, SUMMARY), CHILD(OTLP_METRIC_METADATA, KEY_VALUE)},
    [RESOURCE] = {CHILD(OTLP_RESOURCE_ATTRIBUTES, KEY_VALUE),
                  VARINT(OTLP_RESOURCE_DROPPED_ATTRIBUTES_COUNT),
                  CHILD(OTLP_RESOURCE_ENTITY_REFS, ENTITY_REF)},
    [ENTITY_REF] = {TEXT(1), TEXT(2), TEXT(3), TEXT(4)},
    [SCOPE] = {TEXT(OTLP_INSTRUMENTATION_SCOPE_NAME), TEXT(OTLP_INSTRUMENTATION_SCOPE_VERSION),
               CHILD(OTLP_INSTRUMENTATION_SCOPE_ATTRIBUTES, KEY_VALUE),
               VARINT(OTLP_INSTRUMENTATION_SCOPE_DROPPED_ATTRIBUTES_COUNT)},
    [KEY_VALUE] = {TEXT(OTLP_KEY_VALUE_KEY), CHILD(OTLP_KEY_VALUE_VALUE, ANY_VALUE)},
    [ANY_VALUE] = {TEXT(OTLP_ANY_STRING), VARINT(OTLP_ANY_BOOL), VARINT(OTLP_ANY_INT),
                   FIXED64(OTLP_ANY_DOUBLE), CHILD(OTLP_ANY_ARRAY, ARRAY_VALUE),
                   CHILD(OTLP_ANY_KVLIST, KEY_VALUE_LIST), TEXT(OTLP_ANY_BYTES)},
    [ARRAY_VALUE] = {CHILD(OTLP_ARRAY_VALUES, ANY_VALUE)},
    [KEY_VALUE_LIST] = {CHILD(OTLP_KVLIST_VALUES, KEY_VALUE)},
    // The rest is numbered here alone: nobody else looks inside.
    [SPAN_EVENT] = {FIXED64(1), TEXT(2), CHILD(3, KEY_VALUE), VARINT(4)},
    [SPAN_LINK] = {ROLE(1, WIRE_BYTES, ID_16), ROLE(2, WIRE_BYTES, ID_8), TEXT(3),
                   CHILD(4, KEY_VALUE), VARINT(5), FIXED32(6)},
    [SPAN_STATUS] = {TEXT(OTLP_STATUS_MESSAGE), ROLE(OTLP_STATUS_CODE, WIRE_VARINT, STATUS_CODE)},
    [GAUGE] = {RECORD(1, NUMBER_POINT), VARINT(2), VARINT(3)}, // a Sum has the same data points
    [HISTOGRAM] = {RECORD(1, HISTOGRAM_POINT), VARINT(2)},
    [EXPONENTIAL_HISTOGRAM] = {RECORD(1, EXPONENTIAL_POINT), VARINT(2)},
    [SUMMARY] = {RECORD(1, SUMMARY_POINT)},
    [NUMBER_POINT] = {FIXED64(2), ROLE(3, WIRE_FIXED64, TIME), FIXED64(4), CHILD(5, EXEMPLAR),
                      FIXED64(6), CHILD(7, KEY_VALUE), VARINT(8)},
    [HISTOGRAM_POINT] = {FIXED64(2), ROLE(3, WIRE_FIXED64, TIME), FIXED64(4), FIXED64(5),
                         ROLE(6, WIRE_FIXED64, PACKED), ROLE(7, WIRE_FIXED64, PACKED),
                         CHILD(8, EXEMPLAR), CHILD(9, KEY_VALUE), VARINT(10), FIXED64(11),
                         FIXED64(12)},
    [EXPONENTIAL_POINT] = {CHILD(1, KEY_VALUE), FIXED64(2), ROLE(3, WIRE_FIXED64, TIME), FIXED64(4),
                           FIXED64(5), VARINT(6), FIXED64(7), CHILD(8, BUCKETS), CHILD(9, BUCKETS),
                           VARINT(10), CHILD(11, EXEMPLAR), FIXED64(12), FIXED64(13), FIXED64(14)},
    [BUCKETS] = {VARINT(1), ROLE(2, WIRE_VARINT, PACKED)},
    [SUMMARY_POINT] = {FIXED64(2), ROLE(3, WIRE_FIXED64, TIME), FIXED64(4), FIXED64(5),
                       CHILD(6, QUANTILE), CHILD(7, KEY_VALUE), VARINT(8)},
    [QUANTILE] = {FIXED64(1), FIXED64(2)},
    [EXEMPLAR] = {FIXED64(2), FIXED64(3), ROLE(4, WIRE_BYTES, ID_8), ROLE(5, WIRE_BYTES, ID_16),
                  FIXED64(6), CHILD(7, KEY_VALUE)},
};

static const struct field_row *row_of(enum message message, uint32_t number)
{
    const struct field_row *row = rows[message];
    while (row->number && row->number != number)
        row++;
    return row->number ? row : NULL;
}

#define SEVERITY_MAX 24u

static bool is_urgent(unsigned severity)
{
    return urgency_of(severity) == URGENCY_HIGH;
}

// One field of the message on top: what may be inside it is pushed, to be walked next. False where
// a receiver would refuse it.
static bool check_field(struct otlp_checker *checker, const struct field_row *row,
                        const struct wire_field *field)
{
    struct otlp_tally *tally = &checker->tally;
    uint8_t inside = row->child;
    if (row->role == PACKED && field->type == WIRE_BYTES) {
        if (row->type == WIRE_FIXED64)
            return field->size % 8 == 0;
        inside = PACKED_VARINTS;
    } else if (row->type != field->type) {
        return false;
    }
    switch ((enum role)row->role) {
    case COUNTED:
        tally->records++;
        break;
    case TIME:
        if (tally->time_ns == 0)
            tally->time_ns = field->value;
        break;
    case STATUS_CODE:
        tally->urgent |= field->value == OTLP_STATUS_CODE_ERROR;
        break;
    case SEVERITY:
        tally->urgent |= field->value <= SEVERITY_MAX && is_urgent((unsigned)field->value);
        break;
    case LEVEL:
        tally->urgent =
            tally->urgent || is_urgent(map_severity(slice_of(field->data, field->size)));
        break;
    case ID_8:
        return field->size == 0 || field->size == 8;
    case ID_16:
        return field->size == 0 || field->size == 16;
    case PLAIN:
    case PACKED:
        break;
    }
    if (!inside)
        return true;
    if (checker->depth == OTLP_DEPTH_MAX + 1)
        return false;
    if (field->size == 0)
        return true;
    checker->at = field->data; // which ends where the field does
    checker->stack[checker->depth].end = field->data + field->size;
    checker->stack[checker->depth++].message = inside;
    return true;
}

// The next field, or packed number, of the message on top. False where it is malformed.
static bool check_next(struct otlp_checker *checker)
{
    const unsigned top = checker->depth - 1;
    struct wire_cursor cursor = {checker->at, checker->stack[top].end};
    enum message message = (enum message)checker->stack[top].message;
    struct wire_field field;
    uint64_t number;
    if (message == PACKED_VARINTS) {
        bool good = wire_next_varint(&cursor, &number) == 0;
        checker->at = cursor.at;
        return good;
    }
    if (wire_next(&cursor, &field) != 0)
        return false;
    checker->at = cursor.at;
    const struct field_row *row = row_of(message, field.number);
    return !row || check_field(checker, row, &field);
}

int otlp_checker_go(struct otlp_checker *checker, size_t fields)
{
    for (;;) {
        while (checker->depth > 0 && checker->at == checker->stack[checker->depth - 1].end)
            checker->depth--;
        if (checker->depth == 0)
            return OTLP_GOOD;
        if (fields-- == 0)
            return OTLP_UNFINISHED;
        if (!check_next(checker))
            return OTLP_BAD;
    }
}

static void start(struct otlp_checker *checker, enum message message, struct slice bytes)
{
    struct wire_cursor cursor = wire_cursor_of(bytes.data, bytes.size);
    checker->tally = (struct otlp_tally){0};
    checker->depth = 1;
    checker->at = cursor.at;
    checker->stack[0].end = cursor.end;
    checker->stack[0].message = (uint8_t)message;
}

void otlp_checker_start(struct otlp_checker *checker, enum signal_kind signal,
                        enum otlp_level level, struct slice message)
{
    static const enum message messages[SIGNAL_COUNT][OTLP_RECORD + 1] = {
        [SIGNAL_LOGS] = {LOGS_REQUEST, RESOURCE_LOGS, SCOPE_LOGS, LOG_RECORD},
        [SIGNAL_SPANS] = {SPANS_REQUEST, RESOURCE_SPANS, SCOPE_SPANS, SPAN},
        [SIGNAL_METRICS] = {METRICS_REQUEST, RESOURCE_METRICS, SCOPE_METRICS, METRIC},
    };
    start(checker, messages[signal][level], message);
    // A log record or span that is checked by itself is one record; a metric's points count.
    if (level == OTLP_RECORD && signal != SIGNAL_METRICS)
        checker->tally.records++;
}

bool otlp_check(enum signal_kind signal, enum otlp_level level, struct slice message,
                struct otlp_tally *tally)
{
    struct otlp_checker checker;
    otlp_checker_start(&checker, signal, level, message);
    bool good = otlp_checker_go(&checker, SIZE_MAX) == OTLP_GOOD;
    tally->records += checker.tally.records;
    tally->urgent |= checker.tally.urgent;
    if (tally->time_ns == 0)
        tally->time_ns = checker.tally.time_ns;
    return good;
}

bool otlp_check_resource(struct slice message)
{
    struct otlp_checker checker;
    start(&checker, RESOURCE, message);
    return otlp_checker_go(&checker, SIZE_MAX) == OTLP_GOOD;
}

size_t otlp_text_bound(struct slice message)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t high = 0x8080808080808080u;
    size_t escapes = 0; // bytes that may become six
    size_t foreign = 0; // bytes that may become a U+FFFD of three
    size_t i = 0;
    for (; i + 8 <= message.size; i += 8) {
        uint64_t word;
        memcpy(&word, message.data + i, 8);
        uint64_t quote = word ^ (ones * '"');
        uint64_t backslash = word ^ (ones * '\\');
        uint64_t control = (word - ones * 0x20) & ~word;
        quote = (quote - ones) & ~quote;
        backslash = (backslash - ones) & ~backslash;
        escapes += (size_t)__builtin_popcountll((control | quote | backslash) & high);
        foreign += (size_t)__builtin_popcountll(word & high);
    }
    escapes += message.size - i;
    // A third: what base64 adds to bytes.
    return message.size + message.size / 3 + 5 * escapes + 2 * foreign;
}
