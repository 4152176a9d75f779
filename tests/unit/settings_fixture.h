// Loads settings from literals and looks for a mistake by its text.
#ifndef SLUICE_TESTS_SETTINGS_FIXTURE_H
#define SLUICE_TESTS_SETTINGS_FIXTURE_H

#include "base/settings.h"
#include "base/settings_load.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct loaded {
    struct settings *settings;
    struct settings_mistakes mistakes;
    int result;
};

static inline struct loaded load_input(struct settings_input input)
{
    struct loaded loaded = {0};
    loaded.result = settings_load(&loaded.settings, &loaded.mistakes, &input);
    return loaded;
}

static inline struct loaded load_text(const char *yaml)
{
    struct settings_input input = {.file = "s.yaml", .text = yaml, .size = strlen(yaml)};
    return load_input(input);
}

static inline void unload(struct loaded *loaded)
{
    settings_free(loaded->settings);
    settings_mistakes_deinit(&loaded->mistakes);
}

// Whether a mistake (or warning) contains the text; else prints those there are.
static inline bool has_mistake(const struct loaded *loaded, const char *text)
{
    for (size_t i = 0; i < loaded->mistakes.count; i++)
        if (strstr(loaded->mistakes.items[i].text, text))
            return true;
    fprintf(stderr, "not told: %s\n", text);
    for (size_t i = 0; i < loaded->mistakes.count; i++)
        fprintf(stderr, "    told: %s\n", loaded->mistakes.items[i].text);
    return false;
}

static inline const struct effective_setting *effective_of(const struct loaded *loaded,
                                                           const char *path)
{
    for (size_t i = 0; i < loaded->settings->effective_count; i++)
        if (strcmp(loaded->settings->effective[i].path, path) == 0)
            return &loaded->settings->effective[i];
    return NULL;
}

#endif
