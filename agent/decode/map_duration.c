// event.duration in nanoseconds.
#include "decode/map_members.h"

static bool set_duration(struct mapper *mapper, int64_t ns)
{
    if (ns < 0)
        return false;
    if (fields_has(mapper->fields, ECS_EVENT_DURATION))
        return mapper->fields->ecs[ECS_EVENT_DURATION].integer == ns;
    fields_set(mapper->fields, ECS_EVENT_DURATION,
               (struct value){.kind = VALUE_INTEGER, .integer = ns});
    return true;
}

bool map_take_duration(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    int64_t ns;
    return map_member_scaled(member, key->scale, &ns) && set_duration(mapper, ns);
}

struct unit {
    const char *name;
    unsigned scale; // of ten
    unsigned factor;
};

// Go's units; the longer of two that begin alike first.
static const struct unit units[] = {
    {"ns", 0, 1}, {"us", 3, 1}, {"µs", 3, 1},   {"ms", 6, 1},
    {"s", 9, 1},  {"m", 9, 60}, {"h", 9, 3600},
};

static const struct unit *unit_at(struct slice text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t size = strlen(units[i].name);
        if (text.size >= size && memcmp(text.data, units[i].name, size) == 0)
            return &units[i];
    }
    return NULL;
}

// Go's time.Duration as text: "1m2.5s", "150ms".
static bool parse_go(struct slice text, int64_t *out)
{
    int64_t total = 0;
    if (text.size == 0)
        return false;
    while (text.size) {
        size_t size = 0, points = 0;
        while (size < text.size && ((text.data[size] >= '0' && text.data[size] <= '9') ||
                                    (text.data[size] == '.' && size > 0)))
            points += text.data[size++] == '.';
        const struct unit *unit = unit_at(slice_of(text.data + size, text.size - size));
        struct map_member number = {
            .value = {.kind = VALUE_JSON, .text = slice_of(text.data, size)}};
        int64_t part;
        if (size == 0 || points > 1 || !unit || !map_member_scaled(&number, unit->scale, &part) ||
            __builtin_mul_overflow(part, (int64_t)unit->factor, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        size += strlen(unit->name);
        text = slice_of(text.data + size, text.size - size);
    }
    *out = total;
    return true;
}

// zap writes ts in seconds, and durations too.
static bool like_zap(struct mapper *mapper)
{
    const struct map_member *ts = map_known(mapper, KNOWN_TS);
    return (ts && map_member_is_number(ts)) || map_known(mapper, KNOWN_T);
}

// slog writes time as text, and durations as integers of nanoseconds.
static bool like_slog(struct mapper *mapper)
{
    const struct map_member *time = map_known(mapper, KNOWN_TIME);
    return time && !map_member_is_number(time) && map_known(mapper, KNOWN_MSG) &&
           map_known(mapper, KNOWN_LEVEL) && !map_known(mapper, KNOWN_PID);
}

// A bare number's unit is its logger's; where that is not known, it stays a numeric label.
bool map_take_duration_guess(struct mapper *mapper, struct map_member *member,
                             const struct map_key *key)
{
    struct slice text;
    int64_t ns;
    (void)key;
    if (map_member_text(mapper, member, &text))
        return parse_go(text, &ns) && set_duration(mapper, ns);
    if (like_zap(mapper))
        return map_member_scaled(member, 9, &ns) && set_duration(mapper, ns);
    return like_slog(mapper) && member->value.kind == VALUE_INTEGER &&
           set_duration(mapper, member->value.integer);
}
