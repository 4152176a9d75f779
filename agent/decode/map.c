// Begins and ends a mapping: collects, then lets each row of the table of keys take its member.
#include "decode/map.h"

#include "decode/map_members.h"

static void begin(struct mapper *mapper, struct fields *fields, struct arena *arena)
{
    mapper->arena = arena;
    mapper->fields = fields;
    mapper->members = NULL;
    mapper->capacity = 0;
    mapper->ecs = false;
    map_forget(mapper);
    fields_clear(fields);
}

void map_begin(struct mapper *mapper, struct record *record, struct arena *arena)
{
    begin(mapper, &record->own, arena);
    mapper->record = record;
}

void map_begin_fields(struct mapper *mapper, struct fields *fields, struct arena *arena)
{
    begin(mapper, fields, arena);
    mapper->record = NULL;
}

static map_take *const takes[MAP_RULE_COUNT] = {
    [MAP_TEXT] = map_take_text,
    [MAP_LONG] = map_take_long,
    [MAP_ADDRESS] = map_take_address,
    [MAP_TIME] = map_take_time,
    [MAP_CREATED] = map_take_created,
    [MAP_LEVEL] = map_take_level,
    [MAP_LEVEL_PYTHON] = map_take_level_python,
    [MAP_LEVEL_OTEL] = map_take_level_otel,
    [MAP_LEVEL_PRINTED] = map_take_level_printed,
    [MAP_MESSAGE] = map_take_message,
    [MAP_LOGGER_NAME] = map_take_logger_name,
    [MAP_TRACE_ID] = map_take_trace_id,
    [MAP_SPAN_ID] = map_take_span_id,
    [MAP_TRANSACTION_ID] = map_take_span_id,
    [MAP_TRACEPARENT] = map_take_traceparent,
    [MAP_EXCEPTION] = map_take_exception,
    [MAP_TRACEBACK] = map_take_traceback,
    [MAP_CALLER] = map_take_caller,
    [MAP_REQUEST_URL] = map_take_request_url,
    [MAP_DURATION] = map_take_duration,
    [MAP_DURATION_GUESS] = map_take_duration_guess,
};

// Objects whose members stand for the line's own: winston's @fields, logback's mdc, fields where
// Rust's tracing wrote it (beside target), and loguru's record.
static void hoist_objects(struct mapper *mapper)
{
    for (unsigned row = 1; row < MAP_KEYS_MAX; row++) { // in the table's order, not the line's
        if (map_keys[row].object != MAP_HOIST || !(mapper->present[row / 64] >> (row % 64) & 1))
            continue;
        struct map_member *at = &mapper->members[mapper->member_of[row]];
        struct map_member member = *at; // hoisting may move the members
        bool fields = slice_equal(member.path, SLICE("fields"));
        if (row == mapper->known[KNOWN_RECORD]) {
            if (member.raw.size && member.raw.data[0] == '{')
                map_take_loguru(mapper, &member);
            continue;
        }
        if (!map_member_is_container(&member) || member.flags & MAP_MEMBER_DEEP ||
            member.raw.data[0] != '{' || (fields && !map_known(mapper, KNOWN_TARGET)))
            continue;
        at->flags |= MAP_MEMBER_PLACED;
        map_hoist(mapper, &member);
    }
}

// In a line that says it is ECS, any of ECS's objects may merge with dotted keys.
static void flatten_objects(struct mapper *mapper)
{
    uint32_t count = mapper->count;
    for (uint32_t i = 0; i < count; i++) {
        struct map_member member = mapper->members[i];
        if (member.flags & (MAP_MEMBER_PLACED | MAP_MEMBER_DEEP) || member.row || member.group ||
            !map_member_is_container(&member) || member.raw.data[0] != '{' ||
            !map_key_under_ecs(member.path, true))
            continue;
        mapper->members[i].flags |= MAP_MEMBER_PLACED;
        map_flatten(mapper, &member);
        if (mapper->count == count) // it was empty
            mapper->members[i].flags &= (uint8_t)~MAP_MEMBER_PLACED;
    }
}

static void take_rows(struct mapper *mapper)
{
    for (unsigned word = 0; word < MAP_KEYS_MAX / 64; word++) {
        for (uint64_t rows = mapper->present[word]; rows; rows &= rows - 1) {
            unsigned row = 64 * word + (unsigned)__builtin_ctzll(rows);
            struct map_member *member = &mapper->members[mapper->member_of[row]];
            const struct map_key *key = &map_keys[row];
            if (member->flags & MAP_MEMBER_PLACED)
                continue;
            bool null = member->value.kind == VALUE_NULL;
            bool taken = key->rule == MAP_DROP ||
                         (!null && takes[key->rule] && takes[key->rule](mapper, member, key));
            if (taken)
                member->flags |= MAP_MEMBER_PLACED;
        }
    }
}

bool map_end(struct mapper *mapper)
{
    if (mapper->hoists)
        hoist_objects(mapper);
    mapper->ecs = map_known(mapper, KNOWN_ECS_VERSION) != NULL;
    if (mapper->ecs)
        flatten_objects(mapper);
    mapper->severity_given = mapper->record && mapper->record->severity;
    take_rows(mapper);
    if (mapper->record) {
        map_finish_level(mapper);
        map_finish_message(mapper);
    }
    map_place_rest(mapper);
    return !mapper->failed;
}
