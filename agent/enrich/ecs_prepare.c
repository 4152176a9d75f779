// What the agent knows of every record: its constant objects, rendered at start, and the slots it
// answers for.
#include "base/clock.h"
#include "base/error.h"
#include "enrich/ecs_parts.h"

#include <stdio.h>
#include <stdlib.h>

#define ECS_VERSION_TEXT "8.11.0"
#define CONSTANTS_ROOM 16384 // bytes to start with for all rendered constants

static void set_text(struct fields *fields, enum ecs_field field, struct slice text)
{
    fields_set(fields, field, (struct value){.kind = VALUE_TEXT, .text = text});
}

// Text that needs no escapes.
static void set_plain(struct fields *fields, enum ecs_field field, const char *text, size_t size)
{
    fields_set(fields, field, (struct value){.kind = VALUE_ESCAPED, .text = slice_of(text, size)});
}

static void set_integer(struct fields *fields, enum ecs_field field, int64_t number)
{
    fields_set(fields, field, (struct value){.kind = VALUE_INTEGER, .integer = number});
}

static struct slice text_of(const struct value *value, struct slice otherwise)
{
    bool text = value && (value->kind == VALUE_TEXT || value->kind == VALUE_ESCAPED);
    return text && value->text.size ? value->text : otherwise;
}

static struct slice dataset_of(char *out, const struct value *service)
{
    return slice_of(
        out, data_stream_part(out, DATA_STREAM_PART_MAX, text_of(service, SLICE("generic"))));
}

static struct slice namespace_of(char *out, const struct value *environment)
{
    return slice_of(
        out, data_stream_part(out, DATA_STREAM_PART_MAX, text_of(environment, SLICE("default"))));
}

// The agent's layer: its resource, and what it says about itself.
static int fill_agent_layer(struct ecs_encoder *encoder, const struct agent_resource *resource,
                            const char *agent_version, const uint8_t start_id[8])
{
    struct fields *agent = &encoder->agent;
    *agent = resource->fields;
    char *ephemeral = arena_alloc(&encoder->arena, 16);
    char *dataset = arena_alloc(&encoder->arena, DATA_STREAM_PART_MAX);
    char *space = arena_alloc(&encoder->arena, DATA_STREAM_PART_MAX);
    char *version = arena_alloc(&encoder->arena, strlen(agent_version) + 1);
    if (!ephemeral || !dataset || !space || !version)
        return -ENOMEM;
    json_hex_8((uint8_t *)ephemeral, start_id);
    memcpy(version, agent_version, strlen(agent_version) + 1);
    set_plain(agent, ECS_AGENT_EPHEMERAL_ID, ephemeral, 16);
    set_plain(agent, ECS_AGENT_TYPE, "sluice", 6);
    set_text(agent, ECS_AGENT_VERSION, slice_from(version));
    set_plain(agent, ECS_ECS_VERSION, ECS_VERSION_TEXT, sizeof ECS_VERSION_TEXT - 1);
    set_plain(agent, ECS_DATA_STREAM_TYPE, "logs", 4);
    const struct value *service =
        fields_has(agent, ECS_SERVICE_NAME) ? &agent->ecs[ECS_SERVICE_NAME] : NULL;
    const struct value *environment =
        fields_has(agent, ECS_SERVICE_ENVIRONMENT) ? &agent->ecs[ECS_SERVICE_ENVIRONMENT] : NULL;
    set_text(agent, ECS_DATA_STREAM_DATASET, dataset_of(dataset, service));
    set_text(agent, ECS_DATA_STREAM_NAMESPACE, namespace_of(space, environment));
    return 0;
}

static void add_constant(struct ecs_encoder *encoder, const uint64_t mask[FIELDS_WORDS],
                         struct slice text)
{
    struct ecs_constant *constant = &encoder->constants[encoder->constant_count++];
    constant->text = text;
    for (unsigned i = 0; i < FIELDS_WORDS; i++) {
        constant->mask[i] = mask[i];
        encoder->constant_mask[i] |= mask[i];
    }
}

// Renders each object that the agent's layer fills. False where room is too small.
static bool render_constants(struct ecs_encoder *encoder, uint8_t *data, size_t room)
{
    struct ecs_document document = {
        .encoder = encoder,
        .layers = {NULL, NULL, &encoder->agent},
        .out = json_out_of(data, room),
    };
    encoder->constant_count = 0;
    memset(encoder->constant_mask, 0, sizeof encoder->constant_mask);
    for (unsigned group = 1; group <= encoder->table->groups; group++) {
        uint64_t filled[FIELDS_WORDS] = {0}; // by the agent
        uint64_t whole[FIELDS_WORDS] = {0};  // every field of the object
        uint64_t any = 0;
        for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
            if (encoder->table->rows[i].group == group)
                whole[i / 64] |= (uint64_t)1 << (i % 64);
        }
        for (unsigned i = 0; i < FIELDS_WORDS; i++)
            any |= filled[i] = whole[i] & encoder->agent.present[i];
        if (!any || encoder->constant_count == ECS_CONSTANTS_MAX)
            continue; // one too many is written field by field
        const uint8_t *start = document.out.at;
        ecs_write_slots(&document, filled);
        add_constant(encoder, whole, slice_of(start, (size_t)(document.out.at - start)));
    }
    encoder->constants_text = slice_of(data, (size_t)(document.out.at - data));
    return !document.out.full;
}

int ecs_encoder_init(struct ecs_encoder *encoder, const struct agent_resource *resource,
                     const char *agent_version, const uint8_t start_id[8])
{
    *encoder = (struct ecs_encoder){
        .table = ecs_table(), .event.second = UINT64_MAX, .receipt.second = UINT64_MAX};
    arena_init(&encoder->arena, 1024, 0);
    arena_init(&encoder->scratch, 4096, 0);
    int r = fill_agent_layer(encoder, resource, agent_version, start_id);
    bool rendered = false;
    for (size_t room = CONSTANTS_ROOM; r == 0 && !rendered; room *= 2) {
        uint8_t *data = arena_alloc(&encoder->arena, room);
        if (!data)
            r = -ENOMEM;
        else
            rendered = render_constants(encoder, data, room);
    }
    if (r < 0)
        ecs_encoder_deinit(encoder);
    return r;
}

void ecs_encoder_deinit(struct ecs_encoder *encoder)
{
    arena_deinit(&encoder->arena);
    arena_deinit(&encoder->scratch);
    name_set_deinit(&encoder->names);
}

// Days since 1970 as a date: Howard Hinnant's civil_from_days, for days ≥ 0.
static void civil_date(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    uint64_t shifted = days + 719468; // since 0000-03-01
    uint64_t era = shifted / 146097;
    uint64_t of_era = shifted % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t march_month = (5 * of_year + 2) / 153;
    *day = (unsigned)(of_year - (153 * march_month + 2) / 5 + 1);
    *month = (unsigned)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (unsigned)(year_of_era + era * 400 + (*month <= 2));
}

static uint8_t *put_padded(uint8_t *out, unsigned number, unsigned digits, char after)
{
    out = json_digits_padded(out, number, digits);
    *out = (uint8_t)after;
    return out + 1;
}

void ecs_time(struct ecs_second *last, char *out, uint64_t ns)
{
    uint64_t second = ns / NS_PER_S;
    if (second != last->second) {
        unsigned year;
        unsigned month;
        unsigned day;
        civil_date(second / 86400, &year, &month, &day);
        unsigned of_day = (unsigned)(second % 86400);
        uint8_t *text = (uint8_t *)last->text;
        text = put_padded(text, year, 4, '-'); // 64 bits of nanoseconds end in 2554
        text = put_padded(text, month, 2, '-');
        text = put_padded(text, day, 2, 'T');
        text = put_padded(text, of_day / 3600, 2, ':');
        text = put_padded(text, of_day / 60 % 60, 2, ':');
        put_padded(text, of_day % 60, 2, '.');
        last->second = second;
    }
    memcpy(out, last->text, 20);
    json_nine_digits((uint8_t *)out + 20, (uint32_t)(ns % NS_PER_S));
    out[29] = 'Z';
}

static void set_times(struct ecs_encoder *encoder, const struct record *record, struct fields *own,
                      uint64_t now_ns)
{
    ecs_time(&encoder->receipt, encoder->ingested, now_ns);
    ecs_time(&encoder->event, encoder->time, record->time_ns ? record->time_ns : now_ns);
    if (record->observed_ns)
        ecs_time(&encoder->event, encoder->created, record->observed_ns);
    else
        memcpy(encoder->created, encoder->ingested, ECS_TIME_SIZE);
    set_plain(own, ECS_TIMESTAMP, encoder->time, ECS_TIME_SIZE);
    set_plain(own, ECS_EVENT_CREATED, encoder->created, ECS_TIME_SIZE);
    set_plain(own, ECS_EVENT_INGESTED, encoder->ingested, ECS_TIME_SIZE);
}

// An id that the record brought is not ours to trust as the document's; it is kept beside it.
static void keep_foreign_id(struct ecs_encoder *encoder, struct fields *own)
{
    if (fields_has(own, ECS_EVENT_ID))
        named_values_add(&own->labels, &encoder->scratch, SLICE("event_id"),
                         own->ecs[ECS_EVENT_ID]);
}

static void set_level(struct record *record)
{
    static const struct slice names[] = {{"trace", 5}, {"debug", 5}, {"info", 4},
                                         {"warn", 4},  {"error", 5}, {"fatal", 5}};
    unsigned severity = record->severity;
    if (severity == 0 || severity > 24)
        return;
    set_integer(&record->own, ECS_EVENT_SEVERITY, severity);
    struct slice name = names[(severity - 1) / 4];
    if (!fields_has(&record->own, ECS_LOG_LEVEL))
        set_plain(&record->own, ECS_LOG_LEVEL, name.data, name.size);
}

// The version that this document follows is the agent's, whatever others say of theirs.
static void set_ecs_version(struct record *record)
{
    fields_unset(&record->own, ECS_ECS_VERSION);
    if (record->resource && fields_has(record->resource, ECS_ECS_VERSION))
        set_plain(&record->own, ECS_ECS_VERSION, ECS_VERSION_TEXT, sizeof ECS_VERSION_TEXT - 1);
}

// data_stream follows the service that the record or its connection names.
static void set_data_stream(struct ecs_encoder *encoder, struct record *record)
{
    const struct value *service = ecs_value(encoder, record, ECS_SERVICE_NAME);
    if (service && service != &encoder->agent.ecs[ECS_SERVICE_NAME] &&
        !fields_has(&record->own, ECS_DATA_STREAM_DATASET))
        set_text(&record->own, ECS_DATA_STREAM_DATASET, dataset_of(encoder->dataset, service));
    const struct value *environment = ecs_value(encoder, record, ECS_SERVICE_ENVIRONMENT);
    if (environment && environment != &encoder->agent.ecs[ECS_SERVICE_ENVIRONMENT] &&
        !fields_has(&record->own, ECS_DATA_STREAM_NAMESPACE))
        set_text(&record->own, ECS_DATA_STREAM_NAMESPACE,
                 namespace_of(encoder->environment, environment));
}

static void set_message(struct ecs_encoder *encoder, struct record *record)
{
    if (fields_has(&record->own, ECS_MESSAGE))
        return;
    const struct value *error = ecs_value(encoder, record, ECS_ERROR_MESSAGE);
    fields_set(&record->own, ECS_MESSAGE,
               error ? *error : (struct value){.kind = VALUE_ESCAPED, .text = {"", 0}});
}

// A number that the record brings itself means more than ours.
static void set_sequence(struct record *record)
{
    if (record->sequence > 0 && record->sequence <= INT64_MAX &&
        !fields_has(&record->own, ECS_EVENT_SEQUENCE))
        set_integer(&record->own, ECS_EVENT_SEQUENCE, (int64_t)record->sequence);
}

void ecs_prepare(struct ecs_encoder *encoder, struct record *record, const uint8_t id[16],
                 uint64_t now_ns)
{
    struct fields *own = &record->own;
    arena_reset(&encoder->scratch);
    keep_foreign_id(encoder, own);
    json_hex_8((uint8_t *)encoder->id, id);
    json_hex_8((uint8_t *)encoder->id + 16, id + 8);
    set_plain(own, ECS_EVENT_ID, encoder->id, sizeof encoder->id);
    set_times(encoder, record, own, now_ns);
    set_sequence(record);
    if (record->truncated)
        set_plain(own, ECS_LOG_FLAGS, "truncated", 9);
    set_ecs_version(record);
    set_level(record);
    set_message(encoder, record);
    set_data_stream(encoder, record);
}

size_t ecs_overhead(const struct ecs_encoder *encoder)
{
    size_t labels = 0;
    for (uint32_t i = 0; i < encoder->agent.labels.count; i++) {
        const struct named_value *label = &encoder->agent.labels.items[i];
        labels += 6 * (label->name.size + label->value.text.size) + 6;
    }
    // What ecs_prepare sets, with its keys, takes less than 640 bytes.
    return encoder->constants_text.size + labels + 640 + JSON_SLACK;
}
