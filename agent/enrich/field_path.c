// Finds a field's strongest value and undoes what JSON did to its text.
#include "enrich/field_path.h"

#include "base/error.h"

int field_path_of(struct field_path *out, struct slice path)
{
    const struct slice root = SLICE("labels.");
    *out = (struct field_path){.field = ECS_FIELD_COUNT};
    if (ecs_path_kind(path, &out->field) == ECS_PATH_FIELD && out->field != ECS_KUBERNETES_LABELS)
        return 0;
    out->field = ECS_FIELD_COUNT;
    if (path.size <= root.size || memcmp(path.data, root.data, root.size) != 0)
        return -EINVAL;
    out->label = slice_of(path.data + root.size, path.size - root.size);
    return 0;
}

static const struct value *label_value(const struct ecs_encoder *encoder,
                                       const struct record *record, struct slice name)
{
    const struct fields *const layers[3] = {&record->own, record->resource, &encoder->agent};
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t n = 0; layers[i] && n < layers[i]->labels.count; n++) {
            if (slice_equal(layers[i]->labels.items[n].name, name))
                return &layers[i]->labels.items[n].value;
        }
    }
    return NULL;
}

// Cut between characters of valid UTF-8.
static struct slice shortened(struct slice text, size_t room)
{
    if (text.size <= room)
        return text;
    size_t size = room;
    while (size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_of(text.data, size);
}

static unsigned hex_digit(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

// The four digits of \uXXXX; the text is the inside of a valid JSON string.
static uint32_t four_digits(const char *at)
{
    uint32_t code = 0;
    for (unsigned i = 0; i < 4; i++)
        code = code << 4 | hex_digit(at[i]);
    return code;
}

static char *put_character(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
        return out;
    }
    if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *out++ = (char)(0xe0 | code >> 12);
        } else {
            *out++ = (char)(0xf0 | code >> 18);
            *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *out++ = (char)(0x80 | (code & 0x3f));
    return out;
}

// One escape after its backslash; *at goes behind it.
static char *put_escaped(char *out, const char **at, const char *end)
{
    static const char letters[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    char c = *(*at)++;
    const char *letter = strchr(letters, c);
    if (c != 'u') {
        *out++ = letter && c ? meant[letter - letters] : c;
        return out;
    }
    if (end - *at < 4)
        return out; // never: the text was checked
    uint32_t code = four_digits(*at);
    *at += 4;
    bool pair = code >= 0xd800 && code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\';
    if (pair) {
        code = 0x10000 + ((code - 0xd800) << 10) + ((four_digits(*at + 2) - 0xdc00) & 0x3ff);
        *at += 6;
    }
    return put_character(out, code);
}

static struct slice unescaped(struct slice text, char *scratch, size_t room)
{
    if (!text.size || !memchr(text.data, '\\', text.size))
        return shortened(text, room);
    char *out = scratch;
    const char *end = text.data + text.size;
    const char *limit = scratch + room - 4; // any one character still fits
    for (const char *at = text.data; at < end && out <= limit;) {
        if (*at == '\\' && end - at > 1) {
            at++;
            out = put_escaped(out, &at, end);
        } else {
            *out++ = *at++;
        }
    }
    // Where room ended inside a character that came as bytes, that one is left out.
    size_t size = (size_t)(out - scratch);
    size_t start = size;
    while (start && ((unsigned char)scratch[start - 1] & 0xc0) == 0x80)
        start--;
    if (out > limit && start && (unsigned char)scratch[start - 1] >= 0xc0) {
        unsigned char first = (unsigned char)scratch[start - 1];
        size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
        if (size - (start - 1) < whole)
            size = start - 1;
    }
    return slice_of(scratch, size);
}

struct slice field_path_text(const struct field_path *path, const struct ecs_encoder *encoder,
                             const struct record *record, char *scratch, size_t room)
{
    const struct value *value = path->field < ECS_FIELD_COUNT
                                    ? ecs_value(encoder, record, path->field)
                                    : label_value(encoder, record, path->label);
    if (!value || value->kind == VALUE_NULL)
        return (struct slice){0};
    if (value->kind == VALUE_TEXT || value->kind == VALUE_JSON)
        return shortened(value->text, room);
    if (value->kind == VALUE_ESCAPED)
        return unescaped(value->text, scratch, room);
    struct json_out out = json_out_of((uint8_t *)scratch, room);
    json_value(&out, value);
    return slice_of(scratch, (size_t)(out.at - (uint8_t *)scratch));
}
