// What a gap document says: to who reads it in Kibana in its message, and to who searches or adds
// up in fields of their own.
//
// Its time is that of the last record that is missing, so that it stands where the gap is; when it
// was made is in event.created. event.kind `pipeline_error` is ECS's own word for missing data.
#include "base/clock.h"
#include "enrich/ecs_encode.h"
#include "enrich/gap_documents.h"
#include "spool/gap_counters.h"

#include <stdio.h>
#include <string.h>

#define SEVERITY_WARN 13
#define MESSAGE_MAX 512
#define COUNT_MAX 27 // 18,446,744,073,709,551,615

// Thousands apart, for the eye.
static void put_count(char out[COUNT_MAX], uint64_t number)
{
    char digits[21];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)number);
    for (int i = 0; i < size; i++) {
        *out++ = digits[i];
        if ((size - i) % 3 == 1 && i + 1 < size)
            *out++ = ',';
    }
    *out = '\0';
}

static const char *thing(enum signal_kind signal, bool many)
{
    static const char *const one[] = {"record", "span", "metric data point", "record"};
    static const char *const more[] = {"records", "spans", "metric data points", "records"};
    return many ? more[signal] : one[signal];
}

static const char *level_name(uint8_t severity)
{
    static const char *const names[] = {"", "trace", "debug", "info", "warn", "error", "fatal"};
    return names[severity <= 24 ? (severity + 3) / 4 : 0];
}

// %s: the exporter.
static const char *reason_format(enum gap_reason reason)
{
    static const char *const formats[GAP_REASON_COUNT] = {
        [GAP_SHED] = "the log of exporter %s was full",
        [GAP_REFUSED] = "the sink of exporter %s refused them",
        [GAP_LEVEL] = "the log of exporter %s was kept for more severe ones",
        [GAP_DAMAGED] = "the device lost a page of the log of exporter %s",
        [GAP_DEAD] = "the sink of exporter %s refused them for good (see dead_letters.path)",
        [GAP_MALFORMED] = "they could not be read%s",
        [GAP_TOO_LARGE] = "they were too large%s",
        [GAP_UNREADABLE] = "entries in the spool of exporter %s could not be read after a restart",
        [GAP_SET_ASIDE] = "exporter %s could not read them after a restart, nor what they held",
        [GAP_CLIENT] = "the app's own client dropped them%s",
        [GAP_CLIENT_BUFFER_FULL] = "the memory of the app's own client was used up%s",
        [GAP_CLIENT_TOO_LARGE] = "they were too large for the app's own client%s",
        [GAP_CLIENT_RATE_LIMITED] = "the app's own client limits its rate%s",
        [GAP_CLIENT_DEADLINE] = "the app ended before they could be sent%s",
        [GAP_CLIENT_OUT_OF_MEMORY] = "the app had no memory left%s",
        [GAP_OTHER] = "there were more causes than can be told apart%s",
    };
    return formats[reason];
}

// 2026-11-23 10:02:11, the date left out where it is the first's.
static void put_times(char out[64], const char *first, const char *last)
{
    bool same_day = memcmp(first, last, 10) == 0;
    int size = snprintf(out, 64, "%.10s %.8s and ", first, first + 11);
    if (!same_day)
        size += snprintf(out + size, 64 - (size_t)size, "%.10s ", last);
    snprintf(out + size, 64 - (size_t)size, "%.8s UTC", last + 11);
}

static int put_message(char out[MESSAGE_MAX], const struct gap *gap, const char *first,
                       const char *last)
{
    char count[COUNT_MAX], times[64], why[256];
    const struct gap_cause *cause = &gap->cause;
    const char *level = level_name(cause->severity);
    bool segments = cause->reason == GAP_SET_ASIDE;
    const char *what = segments ? gap->records == 1 ? "segment" : "segments"
                                : thing(cause->signal, gap->records != 1);
    put_count(count, gap->records);
    put_times(times, first, last);
    const char *format = reason_format(cause->reason);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" // all of them are in the table above
    snprintf(why, sizeof why, format, strstr(format, "exporter %s") ? gap->exporter : "");
#pragma GCC diagnostic pop
    return snprintf(out, MESSAGE_MAX, "%s%s%s %s%s%.*s %s lost between %s: %s (%s)", count,
                    *level ? " " : "", level, what, cause->service.size ? " of " : "",
                    (int)cause->service.size, cause->service.data,
                    gap->records == 1 ? "was" : "were", times, why, gap_reason_name(cause->reason));
}

static struct value text(struct slice of)
{
    return (struct value){.kind = VALUE_TEXT, .text = of};
}

static bool add_label(struct fields *own, struct arena *arena, struct slice name, const char *value)
{
    return !*value || named_values_add(&own->labels, arena, name, text(slice_from(value)));
}

static bool add_fields(const struct gap *gap, struct fields *own, struct arena *arena)
{
    const struct gap_cause *cause = &gap->cause;
    struct value count = {
        .kind = VALUE_INTEGER,
        .integer = gap->records < INT64_MAX ? (int64_t)gap->records : INT64_MAX,
    };
    struct slice unit =
        cause->reason == GAP_SET_ASIDE ? SLICE("gap_segments") : SLICE("gap_records");
    return add_label(own, arena, SLICE("gap_reason"), gap_reason_name(cause->reason)) &&
           add_label(own, arena, SLICE("gap_exporter"), gap->exporter) &&
           add_label(own, arena, SLICE("gap_level"), level_name(cause->severity)) &&
           add_label(own, arena, SLICE("gap_signal"),
                     cause->signal < SIGNAL_COUNT ? signal_name(cause->signal) : "") &&
           named_values_add(&own->numeric_labels, arena, unit, count) &&
           named_values_add(&own->other, arena, SLICE("event.kind"), text(SLICE("pipeline_error")));
}

bool gap_record(const struct gap *gap, struct record *out, struct arena *arena)
{
    char *times = arena_alloc(arena, 2 * ECS_TIME_SIZE);
    char *message = arena_alloc(arena, MESSAGE_MAX);
    char *service = arena_alloc(arena, GAP_SERVICE_MAX);
    struct fields *own = &out->own;
    struct ecs_second second = {.second = UINT64_MAX};
    if (!times || !message || !service)
        return false;
    *out = (struct record){.time_ns = gap->last_ns, .severity = SEVERITY_WARN};
    fields_clear(own);
    char *first = times, *last = times + ECS_TIME_SIZE;
    ecs_time(&second, first, gap->first_ns);
    ecs_time(&second, last, gap->last_ns);
    int size = put_message(message, gap, first, last);
    size_t shown = (size_t)size < MESSAGE_MAX ? (size_t)size : MESSAGE_MAX - 1;
    fields_set(own, ECS_MESSAGE, text(slice_of(message, shown)));
    fields_set(own, ECS_EVENT_ACTION, text(SLICE("gap")));
    if (gap->cause.service.size) {
        memcpy(service, gap->cause.service.data, gap->cause.service.size);
        fields_set(own, ECS_SERVICE_NAME, text(slice_of(service, gap->cause.service.size)));
    }
    return named_values_add(&own->other, arena, SLICE("event.start"),
                            text(slice_of(first, ECS_TIME_SIZE))) &&
           named_values_add(&own->other, arena, SLICE("event.end"),
                            text(slice_of(last, ECS_TIME_SIZE))) &&
           add_fields(gap, own, arena);
}
