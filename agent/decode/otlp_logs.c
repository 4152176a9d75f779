// LogRecords, one after the other, through the general mapping into records.
//
// What the message says in its own fields (time, severity, ids, body) is stronger than attributes;
// attributes and a body that is a JSON object mean what the same keys mean on a line. Names stay as
// long as they come, as on lines: what a document may hold bounds them.
#include "base/clock.h"
#include "decode/decoder.h"
#include "decode/otlp_parts.h"
#include "decode/utf8.h"
#include "enrich/json_out.h"

#define SEVERITY_MAX 24                    // FATAL4
#define TIME_MIN_NS (946684800 * NS_PER_S) // 2000: clocks before it are not set

// One LogRecord's own fields, as views.
struct log_view {
    uint64_t time_ns;
    uint64_t observed_ns;
    uint64_t severity;
    struct slice severity_text;
    struct slice body;
    struct slice trace_id;
    struct slice span_id;
    struct slice event_name;
};

static void view_field(struct log_view *view, const struct wire_field *field)
{
    switch (field->number) {
    case OTLP_LOG_TIME_UNIX_NANO:
        view->time_ns = field->value;
        break;
    case OTLP_LOG_OBSERVED_TIME_UNIX_NANO:
        view->observed_ns = field->value;
        break;
    case OTLP_LOG_SEVERITY_NUMBER:
        view->severity = field->value;
        break;
    case OTLP_LOG_SEVERITY_TEXT:
        view->severity_text = otlp_slice(field);
        break;
    case OTLP_LOG_BODY:
        view->body = otlp_slice(field);
        break;
    case OTLP_LOG_TRACE_ID:
        view->trace_id = otlp_slice(field);
        break;
    case OTLP_LOG_SPAN_ID:
        view->span_id = otlp_slice(field);
        break;
    case OTLP_LOG_EVENT_NAME:
        view->event_name = otlp_slice(field);
        break;
    default:
        break; // attributes are offered as they come; dropped counts and flags say nothing here
    }
}

static bool plausible(uint64_t ns)
{
    return ns >= TIME_MIN_NS && ns <= INT64_MAX;
}

static struct value text_value(struct slice text)
{
    return (struct value){.kind = VALUE_TEXT, .text = text};
}

static bool set_text(struct decoder *decoder, enum ecs_field field, struct slice text)
{
    struct value value = {.kind = VALUE_TEXT};
    if (!text.size)
        return true;
    if (!utf8_repair(&decoder->arena, text, &value.text))
        return false;
    fields_set(&decoder->record.own, field, value);
    return true;
}

static bool set_id(struct decoder *decoder, enum ecs_field field, struct slice id, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    unsigned any = 0;
    for (size_t i = 0; i < id.size; i++)
        any |= (unsigned char)id.data[i];
    if (id.size != size || !any)
        return true; // all zero, or not an id
    char *text = arena_alloc(&decoder->arena, 2 * size);
    if (!text)
        return false;
    for (size_t i = 0; i < size; i++) {
        text[2 * i] = digits[(unsigned char)id.data[i] >> 4];
        text[2 * i + 1] = digits[id.data[i] & 15];
    }
    fields_set(&decoder->record.own, field,
               (struct value){.kind = VALUE_ESCAPED, .text = slice_of(text, 2 * size)});
    return true;
}

// A clock that cannot be right is no timestamp; it is kept as it came.
static bool keep_time(struct decoder *decoder, struct slice name, uint64_t ns)
{
    if (ns == 0 || plausible(ns))
        return true;
    uint8_t *digits = arena_alloc(&decoder->arena, JSON_INTEGER_MAX);
    if (!digits)
        return false;
    size_t size = (size_t)(json_digits(digits, ns) - digits);
    map_value(&decoder->mapper, name, text_value(slice_of(digits, size)));
    return true;
}

static bool set_times(struct decoder *decoder, const struct log_view *view)
{
    uint64_t observed = plausible(view->observed_ns) ? view->observed_ns : 0;
    decoder->record.time_ns = plausible(view->time_ns) ? view->time_ns : observed;
    return keep_time(decoder, SLICE("time_unix_nano"), view->time_ns) &&
           keep_time(decoder, SLICE("observed_time_unix_nano"), view->observed_ns);
}

// A body that is a JSON object is mapped like a line; a map goes to app after the mapping; what
// else it may be is the message.
static bool offer_body(struct decoder *decoder, struct slice body)
{
    struct slice map;
    struct value value;
    if (otlp_is_map(body, &map))
        return true;
    if (!otlp_value(&decoder->arena, body, &value))
        return false;
    otlp_finite(&value);
    if (value.kind == VALUE_NULL)
        return true;
    if (value.kind == VALUE_TEXT) {
        bool object = value.text.size && value.text.data[0] == '{';
        if (!object || !map_json_text(&decoder->mapper, value.text))
            fields_set(&decoder->record.own, ECS_MESSAGE, value);
        return true;
    }
    // A number, a boolean, an array: the message is its JSON.
    if (value.kind == VALUE_JSON) {
        value.kind = VALUE_TEXT;
    } else {
        uint8_t *text = arena_alloc(&decoder->arena, 3 * JSON_SLACK);
        if (!text)
            return false;
        struct json_out out = json_out_of(text, 3 * JSON_SLACK);
        json_value(&out, &value);
        value = text_value(slice_of(text, (size_t)(out.at - text)));
    }
    fields_set(&decoder->record.own, ECS_MESSAGE, value);
    return true;
}

static bool is_message_key(struct slice key)
{
    return slice_equal(key, SLICE("message")) || slice_equal(key, SLICE("msg")) ||
           slice_equal(key, SLICE("event"));
}

// Each key of a map body is app.KEY. What it calls its message is also the document's.
static bool place_map(struct decoder *decoder, struct slice body)
{
    struct fields *own = &decoder->record.own;
    struct slice map;
    struct wire_field field;
    if (!otlp_is_map(body, &map))
        return true;
    struct wire_cursor cursor = wire_cursor_of(map.data, map.size);
    while (wire_next(&cursor, &field) == 0) {
        struct slice key;
        struct value value;
        if (!wire_is(&field, OTLP_KVLIST_VALUES, WIRE_BYTES))
            continue;
        if (!otlp_key_value(&decoder->arena, otlp_slice(&field), &key, &value))
            return false;
        otlp_finite(&value);
        if (!named_values_add(&own->app, &decoder->arena, key, value))
            return false;
        bool message = is_message_key(key) && value.kind == VALUE_TEXT;
        if (message && (!fields_has(own, ECS_MESSAGE) || !own->ecs[ECS_MESSAGE].text.size))
            fields_set(own, ECS_MESSAGE, value);
    }
    return true;
}

static bool offer_attribute(struct decoder *decoder, struct arena *arena,
                            const struct wire_field *field)
{
    struct slice key;
    struct value value;
    if (!otlp_key_value(arena, otlp_slice(field), &key, &value))
        return false;
    map_value(&decoder->mapper, key, value);
    return true;
}

static bool set_own_fields(struct decoder *decoder, const struct log_view *view)
{
    if (view->severity >= 1 && view->severity <= SEVERITY_MAX)
        decoder->record.severity = (uint8_t)view->severity;
    struct slice level = view->severity_text;
    if (level.size && !utf8_repair(&decoder->arena, level, &level))
        return false;
    if (level.size)
        map_value(&decoder->mapper, SLICE("severity_text"), text_value(level));
    return set_times(decoder, view) && set_id(decoder, ECS_TRACE_ID, view->trace_id, 16) &&
           set_id(decoder, ECS_SPAN_ID, view->span_id, 8) &&
           set_text(decoder, ECS_EVENT_ACTION, view->event_name) && offer_body(decoder, view->body);
}

// The whole LogRecord into decoder->record. False where memory ran out.
static bool map_record(struct decoder *decoder, struct slice message, struct slice scope_name)
{
    struct log_view view = {0};
    struct wire_cursor cursor = wire_cursor_of(message.data, message.size);
    struct wire_field field;
    map_begin(&decoder->mapper, &decoder->record, &decoder->arena);
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_LOG_ATTRIBUTES, WIRE_BYTES))
            view_field(&view, &field);
        else if (!offer_attribute(decoder, &decoder->arena, &field))
            return false;
    }
    if (!set_own_fields(decoder, &view) || !map_end(&decoder->mapper) ||
        !place_map(decoder, view.body))
        return false;
    if (plausible(view.observed_ns))
        decoder->record.observed_ns = view.observed_ns;
    return fields_has(&decoder->record.own, ECS_LOG_LOGGER) ||
           set_text(decoder, ECS_LOG_LOGGER, scope_name);
}

// Looks through a scope for its name, as far as the turn allows.
static int seek_name(struct otlp_walk *walk, struct otlp_turn *turn)
{
    struct wire_field field;
    while (walk->seek.at < walk->seek.end) {
        if (turn->work == 0)
            return DECODE_AGAIN;
        otlp_turn_spend(turn, OTLP_COST_FIELD);
        wire_next(&walk->seek, &field);
        if (!wire_is(&field, OTLP_SCOPE_SCOPE, WIRE_BYTES))
            continue;
        struct wire_cursor scope = wire_inside(&field);
        struct wire_field part;
        while (wire_next(&scope, &part) == 0) {
            if (wire_is(&part, OTLP_INSTRUMENTATION_SCOPE_NAME, WIRE_BYTES))
                walk->scope_name = otlp_slice(&part);
        }
    }
    walk->scope_ready = true;
    return 0;
}

static bool map_resource(struct decoder *decoder, struct slice resource)
{
    struct wire_cursor cursor = wire_cursor_of(resource.data, resource.size);
    struct wire_field field;
    map_begin_fields(&decoder->mapper, &decoder->resource, &decoder->resource_arena);
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES) &&
            !offer_attribute(decoder, &decoder->resource_arena, &field))
            return false;
    }
    return map_end(&decoder->mapper);
}

// Each record's document repeats the resource, so a few bytes of request could ask for gigabytes.
#define RESOURCE_MAX ((size_t)64 << 10)
// No segment is larger, and a document is seldom smaller than its record: not worth the time.
#define RECORD_MAX ((size_t)4 << 20)

struct log_run {
    struct decoder *decoder;
    struct otlp_walk *walk;
    struct otlp_turn *turn;
    size_t each;   // bytes of a document beyond its record's own, at most
    bool resource; // could be mapped
};

// What the record's document takes at most.
static bool has_room(const struct log_run *logs, struct slice message)
{
    size_t bytes = logs->each + otlp_text_bound(message);
    return otlp_walk_admit(logs->decoder, logs->walk, bytes) == 0;
}

// Of a record that is not decoded.
static enum urgency urgency_of_message(struct slice message)
{
    struct log_view view = {0};
    struct wire_cursor cursor = wire_cursor_of(message.data, message.size);
    struct wire_field field;
    while (wire_next(&cursor, &field) == 0)
        view_field(&view, &field);
    if (view.severity >= 1 && view.severity <= SEVERITY_MAX)
        return urgency_of((unsigned)view.severity);
    return urgency_of(map_severity(view.severity_text));
}

static int append_record(struct log_run *logs, struct slice message)
{
    struct decoder *decoder = logs->decoder;
    struct otlp_walk *walk = logs->walk;
    struct record *record = &decoder->record;
    // Once every log is full nothing frees room in this turn: the rest is counted, not decoded.
    if (logs->turn->shed) {
        enrich_shed_rest(decoder->config.enrich, SIGNAL_LOGS, urgency_of_message(message));
        otlp_walk_book(decoder, walk, ENRICH_SHED, walk->run.sequence + walk->booked, 1);
        walk->booked++;
        return 0;
    }
    bool small = message.size <= RECORD_MAX && logs->resource;
    if (small && logs->turn->ask && !has_room(logs, message))
        return DECODE_FULL;
    decoder_next_record(decoder);
    bool mapped = small && map_record(decoder, message, walk->scope_name);
    record->resource = &decoder->resource;
    record->has_sequence = walk->run.stream != NULL;
    record->resend = walk->run.resend;
    if (walk->run.stream)
        memcpy(record->stream, walk->run.stream, sizeof record->stream);
    record->sequence = walk->run.sequence ? walk->run.sequence + walk->booked : 0;
    walk->booked++;
    if (!mapped) { // the arena's limit: nothing that large fits a segment
        enrich_reject(decoder->config.enrich, SIGNAL_LOGS, REJECT_TOO_LARGE, 1);
        otlp_walk_book(decoder, walk, ENRICH_REJECTED, record->sequence, 1);
        return 0;
    }
    int r = enrich_log(decoder->config.enrich, record);
    otlp_walk_book(decoder, walk, r, record->sequence, 1);
    logs->turn->shed = r == ENRICH_SHED;
    return 0;
}

static int append_scope(struct log_run *logs)
{
    struct wire_cursor *records = &logs->walk->records;
    int r = logs->walk->scope_ready ? 0 : seek_name(logs->walk, logs->turn);
    while (r == 0) {
        struct wire_cursor after = *records;
        struct wire_field field;
        if (wire_next(&after, &field) != 0)
            return 0;
        if (logs->turn->work == 0)
            return DECODE_AGAIN;
        bool record = wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES);
        r = record ? append_record(logs, otlp_slice(&field)) : 0;
        otlp_turn_spend(logs->turn, record ? OTLP_COST_RECORD + field.size : OTLP_COST_FIELD);
        if (r == 0)
            *records = after;
    }
    return r;
}

int otlp_append_logs(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn)
{
    struct log_run logs = {.decoder = decoder, .walk = walk, .turn = turn};
    logs.each = enrich_log_overhead(decoder->config.enrich);
    if (walk->keep != &decoder->resource_arena) // others used it since the last turn
        decoder_next_resource(decoder);
    logs.resource = walk->resource.size <= RESOURCE_MAX && map_resource(decoder, walk->resource);
    if (logs.resource)
        logs.each += otlp_text_bound(walk->resource);
    for (;;) {
        struct wire_field scope;
        int r = walk->inside ? append_scope(&logs) : 0;
        if (r != 0)
            return r;
        walk->inside = false;
        if (turn->work == 0)
            return DECODE_AGAIN;
        if (wire_next(&walk->scopes, &scope) != 0)
            return 0;
        otlp_turn_spend(turn, OTLP_COST_FIELD);
        if (!wire_is(&scope, OTLP_RUN_SCOPES, WIRE_BYTES))
            continue;
        walk->scope_name = (struct slice){0};
        walk->seek = walk->records = wire_inside(&scope);
        walk->scope_ready = false;
        walk->inside = true;
    }
}
