// Walks text as UTF-8 and writes runs that are harmless as they are.
#include "base/terminal_text.h"

#include <stdbool.h>
#include <stdint.h>

// The size of the well-formed sequence at text, and its code point; 0: none (RFC 3629).
static size_t sequence(const uint8_t *text, size_t size, uint32_t *point)
{
    uint8_t first = text[0];
    if (first < 0x80) {
        *point = first;
        return 1;
    }
    size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (first < 0xC2 || first > 0xF4 || size < length)
        return 0;
    uint32_t value = first & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (text[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *point = value;
    return length;
}

static bool is_obeyed(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x061C ||
           (point >= 0x200E && point <= 0x200F) || (point >= 0x2028 && point <= 0x202E) ||
           (point >= 0x2066 && point <= 0x2069);
}

static bool is_written_out(uint32_t point, enum terminal_form form)
{
    if (form == TERMINAL_JSON_STRING && (point == '"' || point == '\\'))
        return true;
    return is_obeyed(point) && !(form == TERMINAL_PLAIN && point == '\t');
}

static void write_out(FILE *out, uint32_t point, enum terminal_form form)
{
    if (point == '"' || point == '\\')
        fprintf(out, "\\%c", (int)point);
    else if (form == TERMINAL_PLAIN && (point == '\n' || point == '\r'))
        fputs(point == '\n' ? "\\n" : "\\r", out);
    else if (form == TERMINAL_PLAIN && point < 0x100)
        fprintf(out, "\\x%02x", (unsigned)point);
    else
        fprintf(out, "\\u%04x", (unsigned)point);
}

void terminal_text_put(FILE *out, struct slice text, enum terminal_form form)
{
    const uint8_t *data = (const uint8_t *)text.data;
    size_t at = 0, harmless = 0; // [harmless, at) is still to be written
    while (at < text.size) {
        uint32_t point = 0;
        size_t length = sequence(data + at, text.size - at, &point);
        if (length > 0 && !is_written_out(point, form)) {
            at += length;
            continue;
        }
        fwrite(data + harmless, 1, at - harmless, out);
        if (length == 0)
            fputs("\xEF\xBF\xBD", out);
        else
            write_out(out, point, form);
        at += length ? length : 1;
        harmless = at;
    }
    if (at > harmless)
        fwrite(data + harmless, 1, at - harmless, out);
}
