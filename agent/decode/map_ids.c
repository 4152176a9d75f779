// Trace and span ids: hexadecimal or decimal, with 0x or dashes, never zero.
#include "decode/map_members.h"

#include <string.h>

#define TRACE_ID_SIZE 32 // hex digits
#define SPAN_ID_SIZE 16

__extension__ typedef unsigned __int128 id_number; // gcc's and clang's; not in C11

static const char hex_digits[] = "0123456789abcdef";

// Lower-case hex digits of text, which may begin with 0x and hold dashes. Returns how many there
// are; 0 where there is anything else, or more than fit.
static size_t plain_hex(struct slice text, char out[TRACE_ID_SIZE])
{
    size_t size = 0, i = 0;
    if (text.size > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x')
        i = 2;
    for (; i < text.size; i++) {
        char c = text.data[i];
        if (c == '-')
            continue;
        if (c >= 'A' && c <= 'F')
            c = (char)(c | 0x20);
        if (size == TRACE_ID_SIZE || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return 0;
        out[size++] = c;
    }
    return size;
}

// A decimal number of at most `size` hex digits.
static bool from_decimal(struct slice text, char *out, size_t size)
{
    id_number number = 0;
    const id_number limit = ~(id_number)0 >> (128 - 4 * size);
    if (text.size == 0 || text.size > 39)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (digit > 9 || number > (limit - digit) / 10)
            return false;
        number = 10 * number + digit;
    }
    for (size_t i = size; i-- > 0; number >>= 4)
        out[i] = hex_digits[(unsigned)number & 15];
    return true;
}

static bool is_zero(const char *id, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (id[i] != '0')
            return false;
    return true;
}

// What the member means as an id of `size` hex digits. Datadog writes decimal digits of any length.
static bool parse_id(struct mapper *mapper, const struct map_member *member, size_t size, char *out)
{
    struct slice text;
    if (member->value.kind == VALUE_INTEGER || map_member_is_number(member))
        text = member->raw;
    else if (!map_member_text(mapper, member, &text))
        return false;
    bool datadog = member->path.size > 3 && memcmp(member->path.data, "dd.", 3) == 0;
    char hex[TRACE_ID_SIZE];
    size_t digits = plain_hex(text, hex);
    if (digits == size && !(datadog && size == SPAN_ID_SIZE && from_decimal(text, out, size))) {
        memcpy(out, hex, size);
        return true;
    }
    if (!datadog && size == TRACE_ID_SIZE && digits == SPAN_ID_SIZE) { // 64-bit ids of B3
        memset(out, '0', size - digits);
        memcpy(out + size - digits, hex, digits);
        return true;
    }
    return from_decimal(text, out, size);
}

// Sets the field, or finds that it says the same. A lower-case id is not copied.
static bool set_id(struct mapper *mapper, const struct map_member *member, enum ecs_field field,
                   const char *id, size_t size)
{
    struct slice text = slice_of(id, size);
    if (fields_has(mapper->fields, field))
        return slice_equal(mapper->fields->ecs[field].text, text);
    if (member->value.kind == VALUE_TEXT || member->value.kind == VALUE_ESCAPED) {
        if (slice_equal(member->value.text, text)) {
            fields_set(mapper->fields, field, member->value);
            return true;
        }
    }
    char *copy = arena_alloc(mapper->arena, size);
    if (!copy) {
        mapper->failed = true;
        return false;
    }
    memcpy(copy, id, size);
    fields_set(mapper->fields, field,
               (struct value){.kind = VALUE_TEXT, .text = slice_of(copy, size)});
    return true;
}

// The usual form: exactly lower-case hex digits, not all zero.
static bool is_canonical(struct slice text, size_t size)
{
    static const unsigned char kind[256] = {
        ['0'] = 1, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2, ['6'] = 2, ['7'] = 2,
        ['8'] = 2, ['9'] = 2, ['a'] = 2, ['b'] = 2, ['c'] = 2, ['d'] = 2, ['e'] = 2, ['f'] = 2,
    };
    unsigned any = 0, all = 3;
    if (text.size != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        unsigned k = kind[(unsigned char)text.data[i]];
        any |= k;
        all &= k ? 3 : 0;
    }
    return all && any & 2;
}

static bool take_id(struct mapper *mapper, const struct map_member *member, enum ecs_field field,
                    size_t size)
{
    char id[TRACE_ID_SIZE];
    bool text = member->value.kind == VALUE_ESCAPED || member->value.kind == VALUE_TEXT;
    if (text && is_canonical(member->value.text, size) && member->path.data[0] != 'd' &&
        !fields_has(mapper->fields, field)) {
        fields_set(mapper->fields, field, member->value);
        return true;
    }
    if (!parse_id(mapper, member, size, id))
        return false;
    if (is_zero(id, size))
        return true; // OpenTelemetry's way to say that there is no span
    return set_id(mapper, member, field, id, size);
}

bool map_take_trace_id(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    return take_id(mapper, member, (enum ecs_field)key->field, TRACE_ID_SIZE);
}

bool map_take_span_id(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    return take_id(mapper, member, (enum ecs_field)key->field, SPAN_ID_SIZE);
}

// W3C trace context: 00-<32 hex>-<16 hex>-<2 hex>.
bool map_take_traceparent(struct mapper *mapper, struct map_member *member,
                          const struct map_key *key)
{
    struct slice text;
    char trace[TRACE_ID_SIZE], span[TRACE_ID_SIZE], flags[TRACE_ID_SIZE];
    (void)key;
    if (!map_member_text(mapper, member, &text) || text.size != 55 || text.data[0] != '0' ||
        text.data[1] != '0' || text.data[2] != '-' || text.data[35] != '-' || text.data[52] != '-')
        return false;
    if (plain_hex(slice_of(text.data + 3, 32), trace) != 32 ||
        plain_hex(slice_of(text.data + 36, 16), span) != 16 ||
        plain_hex(slice_of(text.data + 53, 2), flags) != 2)
        return false;
    if (is_zero(trace, 32) || is_zero(span, 16))
        return false;
    bool other_trace = fields_has(mapper->fields, ECS_TRACE_ID) &&
                       !slice_equal(mapper->fields->ecs[ECS_TRACE_ID].text, slice_of(trace, 32));
    if (other_trace) // its span would be another trace's
        return false;
    bool taken = set_id(mapper, member, ECS_TRACE_ID, trace, 32);
    return set_id(mapper, member, ECS_SPAN_ID, span, 16) && taken;
}
