// Settings from any bytes: a YAML file and, after form feeds, variables and flags (--name=value).
#include "base/settings.h"
#include "base/settings_load.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PARTS_MAX 32

static void check_promises(const struct settings *settings)
{
    if (settings->exporter_count == 0 || settings->exporter_count > EXPORTER_MAX ||
        settings->route_count > ROUTE_MAX || settings->max_memory == 0)
        abort();
    for (unsigned i = 0; i < settings->exporter_count; i++)
        if (!settings->exporters[i].type || !settings->exporters[i].endpoint)
            abort();
    for (unsigned r = 0; r < settings->route_count; r++)
        for (unsigned i = 0; i < settings->routes[r].exporter_count; i++)
            if (settings->routes[r].exporters[i] >= settings->exporter_count)
                abort();
}

static void load(char *parts[], size_t count, size_t yaml_size)
{
    char *environment[PARTS_MAX + 1] = {NULL};
    struct settings_flag flags[PARTS_MAX];
    size_t variables = 0, flag_count = 0;
    for (size_t i = 1; i < count; i++) {
        char *equals = strchr(parts[i], '=');
        if (strncmp(parts[i], "--", 2) != 0) {
            environment[variables++] = parts[i];
        } else if (equals) {
            *equals = '\0';
            flags[flag_count++] = (struct settings_flag){
                .spelling = parts[i],
                .name = parts[i] + 2,
                .value = equals + 1,
                .exact = strchr(parts[i], '.') != NULL,
            };
        }
    }
    struct settings_input input = {
        .file = "fuzz.yaml",
        .text = parts[0],
        .size = yaml_size,
        .environment = environment,
        .flags = flags,
        .flag_count = flag_count,
        .memory_limit = variables % 2 ? 64u << 20 : 0,
        .host_name = "fuzz",
    };
    struct settings *settings = NULL;
    struct settings_mistakes mistakes = {0};
    int r = settings_load(&settings, &mistakes, &input);
    if ((r == SETTINGS_MISTAKEN) != (mistakes.errors > 0))
        abort();
    if (r >= 0)
        check_promises(settings);
    settings_free(settings);
    settings_mistakes_deinit(&mistakes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > SETTINGS_FILE_MAX)
        return 0;
    char *copy = malloc(size + 1);
    char *parts[PARTS_MAX];
    size_t count = 1;
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    copy[size] = '\0';
    parts[0] = copy;
    char *end = memchr(copy, '\f', size);
    size_t yaml_size = end ? (size_t)(end - copy) : size;
    for (; end && count < PARTS_MAX; end = strchr(end + 1, '\f')) {
        *end = '\0';
        parts[count++] = end + 1;
    }
    load(parts, count, yaml_size);
    free(copy);
    return 0;
}
