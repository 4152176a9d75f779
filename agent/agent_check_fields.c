// The fields that settings name: a key's, and those in the braces of topics and headers.
#include "agent_check.h"

#include "base/nearest_name.h"
#include "base/settings.h"
#include "base/settings_load.h"
#include "enrich/template.h"

#include <stdio.h>

struct place {
    const struct settings *settings;
    struct settings_mistakes *mistakes;
    char path[512];
};

static const char *origin_of(const struct place *place)
{
    for (size_t i = 0; i < place->settings->effective_count; i++)
        if (strcmp(place->settings->effective[i].path, place->path) == 0)
            return place->settings->effective[i].origin;
    return "default";
}

static void check_field(const struct place *place, struct slice path)
{
    struct field_path field;
    struct nearest_name nearest;
    char name[160];
    if (field_path_of(&field, path) == 0)
        return;
    snprintf(name, sizeof name, "%.*s", path.size < 150 ? (int)path.size : 150, path.data);
    nearest_name_init(&nearest, name);
    const struct ecs_table *table = ecs_table();
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++)
        if (i != ECS_KUBERNETES_LABELS)
            nearest_name_offer(&nearest, table->rows[i].path.data);
    const char *best = nearest_name_best(&nearest);
    settings_mistake_at(place->mistakes, origin_of(place), place->path,
                        "\"%s\" is no field that a record can be asked for%s%s%s; allowed: an ECS "
                        "field such as service.name, or labels.NAME",
                        name, best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

static void check_template(const struct place *place, const char *text)
{
    for (;;) {
        text += strcspn(text, "{}");
        if (!*text)
            return;
        const char *close = *text == '{' ? strchr(text, '}') : NULL;
        if (!close) {
            settings_mistake_at(place->mistakes, origin_of(place), place->path,
                                "has a brace without its other; a field stands in a pair of them, "
                                "such as {service.name}");
            return;
        }
        check_field(place, slice_of(text + 1, (size_t)(close - text - 1)));
        text = close + 1;
    }
}

void agent_check_fields(const struct settings *settings, const struct exporter_settings *exporter,
                        struct settings_mistakes *mistakes)
{
    struct place place = {.settings = settings, .mistakes = mistakes};
    snprintf(place.path, sizeof place.path, "exporters.%s.key", exporter->name);
    if (exporter->key[0])
        check_field(&place, slice_from(exporter->key));
    snprintf(place.path, sizeof place.path, "exporters.%s.topic", exporter->name);
    check_template(&place, exporter->topic);
    for (size_t i = 0; i < exporter->headers.count; i++) {
        snprintf(place.path, sizeof place.path, "exporters.%s.headers.%s", exporter->name,
                 exporter->headers.items[i].name);
        check_template(&place, exporter->headers.items[i].value);
    }
}
