// Writes the settings in force as JSON, without a secret.
#include "control/settings_page.h"

#include "base/settings.h"
#include "base/settings_table.h"
#include "base/terminal_text.h"

#include <stdbool.h>

static void put_member(FILE *out, const char *name, const char *value)
{
    fprintf(out, "\"%s\":\"", name);
    terminal_text_put(out, slice_from(value), TERMINAL_JSON_STRING);
    fputc('"', out);
}

static void put_entry(FILE *out, const char *key, const char *name, const char *value,
                      const char *origin, bool secret)
{
    fputc('{', out);
    put_member(out, key, name);
    fputc(',', out);
    if (secret && value[0])
        fputs("\"value\":null,\"secret\":true", out);
    else
        put_member(out, "value", value);
    fputc(',', out);
    put_member(out, "origin", origin);
    fputc('}', out);
}

void settings_page_write(FILE *out, const struct settings *settings)
{
    fputs("{\"settings\":[", out);
    for (size_t i = 0; i < settings->effective_count; i++) {
        const struct effective_setting *effective = &settings->effective[i];
        fputs(i ? ",\n" : "\n", out);
        put_entry(out, "path", effective->path, effective->value, effective->origin,
                  effective->secret);
    }
    fputs("],\n\"resource\":[", out);
    for (size_t i = 0; i < settings->attribute_count; i++) {
        const struct resource_setting *attribute = &settings->attributes[i];
        fputs(i ? ",\n" : "\n", out);
        put_entry(out, "name", attribute->name, attribute->value, attribute->origin,
                  setting_is_secret(attribute->name));
    }
    fputs("]}\n", out);
}
