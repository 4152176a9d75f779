// ECS fields that take a value nearly as it is: text, integers, addresses, callers, URLs.
#include "decode/map_members.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool same(struct value a, struct value b)
{
    if (a.kind == VALUE_INTEGER && b.kind == VALUE_INTEGER)
        return a.integer == b.integer;
    bool texts = (a.kind == VALUE_TEXT || a.kind == VALUE_ESCAPED) && a.kind == b.kind;
    return texts && slice_equal(a.text, b.text);
}

// False where another value was stronger.
static bool set(struct mapper *mapper, enum ecs_field field, struct value value)
{
    if (fields_has(mapper->fields, field))
        return same(mapper->fields->ecs[field], value);
    fields_set(mapper->fields, field, value);
    return true;
}

static bool print_number(struct mapper *mapper, const struct value *number, struct slice *out)
{
    char *text = arena_alloc(mapper->arena, 32);
    if (!text) {
        mapper->failed = true;
        return false;
    }
    int size = number->kind == VALUE_INTEGER ? snprintf(text, 32, "%" PRId64, number->integer)
                                             : snprintf(text, 32, "%.17g", number->number);
    *out = slice_of(text, (size_t)size);
    return true;
}

bool map_member_as_text(struct mapper *mapper, const struct map_member *member, struct value *out)
{
    *out = member->value;
    if (map_member_is_container(member))
        return false;
    switch (member->value.kind) {
    case VALUE_TEXT:
    case VALUE_ESCAPED:
        return true;
    case VALUE_BOOLEAN:
        *out = (struct value){.kind = VALUE_TEXT,
                              .text = member->value.boolean ? SLICE("true") : SLICE("false")};
        return true;
    case VALUE_JSON:
        out->kind = VALUE_TEXT; // a number's digits
        return true;
    case VALUE_INTEGER:
    case VALUE_DOUBLE:
        out->kind = VALUE_TEXT;
        out->text = member->raw;
        return member->raw.size || print_number(mapper, &member->value, &out->text);
    default:
        return false;
    }
}

bool map_take_text(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct value text;
    return map_member_as_text(mapper, member, &text) && text.text.size > 0 &&
           set(mapper, (enum ecs_field)key->field, text);
}

static bool parse_long(struct slice text, int64_t *out)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t magnitude = 0;
    if (text.size == (size_t)negative || text.size > 19)
        return false;
    for (size_t i = negative; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        magnitude = 10 * magnitude + (uint64_t)(text.data[i] - '0');
    }
    if (magnitude > INT64_MAX)
        return false;
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

bool map_take_long(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    int64_t number, tenths;
    if (map_member_is_number(member)) {
        // 200.0 is an integer, 200.5 is not.
        if (!map_member_scaled(member, 0, &number))
            return false;
        bool whole = member->value.kind == VALUE_INTEGER ||
                     (map_member_scaled(member, 3, &tenths) && tenths == 1000 * number);
        if (!whole)
            return false;
    } else if (!map_member_text(mapper, member, &text) || !parse_long(text, &number)) {
        return false;
    }
    return set(mapper, (enum ecs_field)key->field,
               (struct value){.kind = VALUE_INTEGER, .integer = number});
}

// Elasticsearch refuses a document whose client.ip is none.
static bool is_address(struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[16];
    if (text.size == 0 || text.size >= sizeof copy || memchr(text.data, '\0', text.size))
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return inet_pton(AF_INET, copy, address) == 1 || inet_pton(AF_INET6, copy, address) == 1;
}

bool map_take_address(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    if (!map_member_text(mapper, member, &text))
        return false;
    enum ecs_field field = is_address(text) ? (enum ecs_field)key->field : ECS_CLIENT_ADDRESS;
    return set(mapper, field, (struct value){.kind = VALUE_TEXT, .text = text});
}

// "go/main.go:76".
bool map_take_caller(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    (void)key;
    if (!map_member_text(mapper, member, &text))
        return false;
    const char *colon = text.size ? memrchr(text.data, ':', text.size) : NULL;
    int64_t line;
    if (!colon || colon == text.data)
        return false;
    size_t name = (size_t)(colon - text.data);
    if (!parse_long(slice_of(colon + 1, text.size - name - 1), &line) || line < 0 ||
        fields_has(mapper->fields, ECS_LOG_ORIGIN_FILE_NAME) ||
        fields_has(mapper->fields, ECS_LOG_ORIGIN_FILE_LINE))
        return false;
    fields_set(mapper->fields, ECS_LOG_ORIGIN_FILE_NAME,
               (struct value){.kind = VALUE_TEXT, .text = slice_of(text.data, name)});
    fields_set(mapper->fields, ECS_LOG_ORIGIN_FILE_LINE,
               (struct value){.kind = VALUE_INTEGER, .integer = line});
    return true;
}

// A request target: path and query are parts of it.
bool map_take_request_url(struct mapper *mapper, struct map_member *member,
                          const struct map_key *key)
{
    struct slice text;
    if (!map_member_text(mapper, member, &text) ||
        !set(mapper, (enum ecs_field)key->field, (struct value){.kind = VALUE_TEXT, .text = text}))
        return false;
    if (text.size == 0 || text.data[0] != '/')
        return true;
    const char *mark = memchr(text.data, '?', text.size);
    size_t path = mark ? (size_t)(mark - text.data) : text.size;
    set(mapper, ECS_URL_PATH,
        (struct value){.kind = VALUE_TEXT, .text = slice_of(text.data, path)});
    if (mark && path + 1 < text.size)
        set(mapper, ECS_URL_QUERY,
            (struct value){.kind = VALUE_TEXT, .text = slice_of(mark + 1, text.size - path - 1)});
    return true;
}

bool map_like_pino(struct mapper *mapper)
{
    const struct map_member *level = map_known(mapper, KNOWN_LEVEL);
    const struct map_member *time = map_known(mapper, KNOWN_TIME);
    if (!level)
        return false;
    return map_member_is_number(level) || (time && map_member_is_number(time)) ||
           (map_known(mapper, KNOWN_PID) && map_known(mapper, KNOWN_HOSTNAME));
}

// "2026-11-22 19:31:38,558", under any name: Python's comma.
static bool is_asctime(struct mapper *mapper, enum map_known known)
{
    const struct map_member *member = map_known(mapper, known);
    struct slice text;
    return member && map_member_text(mapper, member, &text) && text.size == 23 &&
           text.data[10] == ' ' && text.data[19] == ',';
}

static bool like_python(struct mapper *mapper)
{
    return map_known(mapper, KNOWN_LEVELNAME) || map_known(mapper, KNOWN_LEVELNO) ||
           map_known(mapper, KNOWN_ASCTIME) || is_asctime(mapper, KNOWN_TIMESTAMP) ||
           is_asctime(mapper, KNOWN_TIME);
}

// pino, bunyan and Python's logging name their logger so; elsewhere it is some name of the app's.
bool map_take_logger_name(struct mapper *mapper, struct map_member *member,
                          const struct map_key *key)
{
    if (!mapper->record || (!like_python(mapper) && !map_like_pino(mapper)))
        return false;
    return map_take_text(mapper, member, key);
}

bool map_take_message(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    if (!mapper->record || map_member_is_container(member) ||
        (member->value.kind != VALUE_TEXT && member->value.kind != VALUE_ESCAPED))
        return false;
    // pino's child loggers write msg again and mean the last; slog's and zap's With the first.
    enum value_kind first = mapper->first_message.kind;
    if (key->known == KNOWN_MSG && (first == VALUE_TEXT || first == VALUE_ESCAPED) &&
        !map_like_pino(mapper))
        member->value = mapper->first_message;
    return set(mapper, ECS_MESSAGE, member->value);
}

// The message that is no string ("msg":42), of the strongest key.
static struct map_member *odd_message(struct mapper *mapper)
{
    struct map_member *best = NULL;
    for (uint32_t i = 0; i < mapper->count; i++) {
        struct map_member *member = &mapper->members[i];
        bool candidate = map_keys[member->row].rule == MAP_MESSAGE &&
                         !(member->flags & MAP_MEMBER_PLACED) &&
                         (map_member_is_number(member) || member->value.kind == VALUE_BOOLEAN);
        if (candidate && (!best || member->row < best->row))
            best = member;
    }
    return best;
}

void map_finish_message(struct mapper *mapper)
{
    struct fields *own = mapper->fields;
    if (fields_has(own, ECS_MESSAGE))
        return;
    struct value message = {.kind = VALUE_TEXT, .text = SLICE("")};
    struct map_member *odd = odd_message(mapper);
    if (odd && map_member_as_text(mapper, odd, &message))
        odd->flags |= MAP_MEMBER_PLACED;
    else if (fields_has(own, ECS_ERROR_MESSAGE))
        message = own->ecs[ECS_ERROR_MESSAGE];
    fields_set(own, ECS_MESSAGE, message);
}
