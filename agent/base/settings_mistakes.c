// Every mistake of the settings, gathered, so that all are told at once and in order.
#include "base/settings_draft.h"
#include "base/settings_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settings_mistakes_deinit(struct settings_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        free(mistakes->items[i].text);
    free(mistakes->items);
    *mistakes = (struct settings_mistakes){0};
}

static void format_place(const struct setting_place *place, char *out, size_t size)
{
    if (place->origin == ORIGIN_FILE && place->line)
        snprintf(out, size, "%s:%u:%u: ", place->source, place->line, place->column);
    else if (place->source)
        snprintf(out, size, "%s: ", place->source);
    else
        out[0] = '\0';
}

static void append(struct settings_mistakes *mistakes, const struct settings_mistake *mistake)
{
    if (!mistake->warning)
        mistakes->errors++;
    if (mistakes->count == SETTINGS_MISTAKES_MAX) {
        mistakes->left_off++;
        free(mistake->text);
        return;
    }
    // Doubles at powers of two, so that no capacity needs to be kept.
    if ((mistakes->count & (mistakes->count - 1)) == 0) {
        size_t capacity = mistakes->count ? 2 * mistakes->count : 1;
        struct settings_mistake *grown =
            realloc(mistakes->items, capacity * sizeof *mistakes->items);
        if (!grown) {
            mistakes->left_off++;
            free(mistake->text);
            return;
        }
        mistakes->items = grown;
    }
    mistakes->items[mistakes->count] = *mistake;
    mistakes->items[mistakes->count].order = (unsigned)mistakes->count;
    mistakes->count++;
}

__attribute__((format(printf, 5, 0))) static void tell(struct settings_mistakes *mistakes,
                                                       const struct setting_place *place,
                                                       const char *path, bool warning,
                                                       const char *format, va_list args)
{
    char where[512], what[1024];
    format_place(place, where, sizeof where);
    vsnprintf(what, sizeof what, format, args);
    struct settings_mistake mistake = {
        .warning = warning,
        .rank = place->origin,
        .line = place->line,
        .column = place->column,
    };
    if (asprintf(&mistake.text, "%s%s%s%s", where, path, path[0] ? ": " : "", what) < 0)
        mistake.text = strdup("out of memory");
    if (mistake.text)
        append(mistakes, &mistake);
    else
        mistakes->left_off++;
}

void draft_mistake(struct settings_draft *draft, const struct setting_place *place,
                   const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(draft->mistakes, place, path, false, format, args);
    va_end(args);
}

void draft_warn(struct settings_draft *draft, const struct setting_place *place, const char *path,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    tell(draft->mistakes, place, path, true, format, args);
    va_end(args);
}

void settings_mistake_at(struct settings_mistakes *mistakes, const char *origin, const char *path,
                         const char *format, ...)
{
    struct setting_place place = {.origin = ORIGIN_FLAG, .source = origin};
    va_list args;
    va_start(args, format);
    tell(mistakes, &place, path, false, format, args);
    va_end(args);
}

void settings_warn_at(struct settings_mistakes *mistakes, const char *origin, const char *path,
                      const char *format, ...)
{
    struct setting_place place = {.origin = ORIGIN_FLAG, .source = origin};
    va_list args;
    va_start(args, format);
    tell(mistakes, &place, path, true, format, args);
    va_end(args);
}

const char *draft_quote(const char *path, const char *value, char *out, size_t size)
{
    if (setting_is_secret(path)) {
        snprintf(out, size, "(a secret of %zu bytes)", strlen(value));
        return out;
    }
    size_t used = 0;
    out[used++] = '"';
    const char *at = strrchr(value, '@');
    if (at && at > value) { // USER:PASSWORD@HOST; an @ stands nowhere else in what may be set
        const char *scheme = strstr(value, "://");
        const char *from = scheme && scheme < at ? scheme + 3 : value;
        used += (size_t)snprintf(out + used, size - used, "%.*s(hidden)",
                                 from - value < 20 ? (int)(from - value) : 0, value);
        value = at;
    }
    for (; *value && used + 6 < size; value++) {
        unsigned char c = (unsigned char)*value;
        out[used++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    if (*value)
        used += (size_t)snprintf(out + used, size - used, "...");
    snprintf(out + used, size - used, "\"");
    return out;
}
