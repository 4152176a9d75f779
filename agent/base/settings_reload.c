// Compares two settings by what explain shows, and swaps the rows that may change.
#include "base/settings_reload.h"

#include "base/error.h"
#include "base/settings.h"
#include "base/settings_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The agent's row that a path belongs to: its own, or that of the map which it is a member of.
// NULL: an exporter's or a route's.
static const struct setting_row *row_of(const char *path)
{
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        size_t size = strlen(row->path);
        if (row->scope != SCOPE_AGENT || strncmp(path, row->path, size) != 0)
            continue;
        if (!path[size] || (row->type == SETTING_MAP && path[size] == '.'))
            return row;
    }
    return NULL;
}

static bool is_reloadable(const char *path)
{
    const struct setting_row *row = row_of(path);
    return row && row->reloadable;
}

static const struct effective_setting *find(const struct settings *settings, const char *path)
{
    for (size_t i = 0; i < settings->effective_count; i++)
        if (settings->effective[i].path && strcmp(settings->effective[i].path, path) == 0)
            return &settings->effective[i];
    return NULL;
}

static void add_name(char *list, size_t size, unsigned *count, const char *path)
{
    size_t used = strlen(list);
    (*count)++;
    if (used + strlen(path) + 8 < size)
        snprintf(list + used, size - used, "%s%s", used ? ", " : "", path);
    else if (used + 6 < size && strcmp(list + used - 3, "...") != 0)
        snprintf(list + used, size - used, ", ...");
}

static void note(struct settings_changes *changes, const char *path)
{
    if (is_reloadable(path))
        add_name(changes->taken, sizeof changes->taken, &changes->taken_count, path);
    else
        add_name(changes->left, sizeof changes->left, &changes->left_count, path);
}

static void compare(const struct settings *running, const struct settings *fresh,
                    struct settings_changes *changes)
{
    for (size_t i = 0; i < fresh->effective_count; i++) {
        const struct effective_setting *now = &fresh->effective[i];
        const struct effective_setting *before = find(running, now->path);
        if (!before || strcmp(before->value, now->value) != 0)
            note(changes, now->path);
    }
    for (size_t i = 0; i < running->effective_count; i++)
        if (!find(fresh, running->effective[i].path))
            note(changes, running->effective[i].path);
}

static void swap_bytes(void *a, void *b, size_t size)
{
    unsigned char kept[sizeof(struct setting_map)];
    memcpy(kept, a, size);
    memcpy(a, b, size);
    memcpy(b, kept, size);
}

static size_t field_size(const struct setting_row *row)
{
    return row->type == SETTING_MAP    ? sizeof(struct setting_map)
           : row->type == SETTING_MODE ? sizeof(uint32_t)
           : setting_is_numeric(row)   ? sizeof(uint64_t)
                                       : sizeof(char *);
}

// Moves the entries of one row, or (NULL) those of exporters and routes.
static void move_entries(struct settings *from, const struct setting_row *row,
                         struct effective_setting *to, size_t *count)
{
    for (size_t i = 0; i < from->effective_count; i++) {
        struct effective_setting *entry = &from->effective[i];
        if (!entry->path || row_of(entry->path) != row)
            continue;
        to[(*count)++] = *entry;
        *entry = (struct effective_setting){0};
    }
}

// What explain shows of the running agent, in the table's order: fresh's entries for what may
// change, its own for the rest.
static int swap_effective(struct settings *running, struct settings *fresh)
{
    size_t all = running->effective_count + fresh->effective_count, count = 0;
    struct effective_setting *merged = calloc(all + 1, sizeof *merged);
    if (!merged)
        return -ENOMEM;
    for (size_t i = 0; i < setting_row_count; i++)
        if (setting_rows[i].scope == SCOPE_AGENT)
            move_entries(setting_rows[i].reloadable ? fresh : running, &setting_rows[i], merged,
                         &count);
    move_entries(running, NULL, merged, &count);
    // What is left of running's own goes where its storage goes.
    struct effective_setting *rest = running->effective;
    for (size_t i = 0; i < running->effective_count; i++) {
        free(rest[i].path);
        free(rest[i].value);
        free(rest[i].origin);
    }
    free(rest);
    running->effective = merged;
    running->effective_count = count;
    return 0;
}

int settings_adopt(struct settings *running, struct settings *fresh,
                   struct settings_changes *changes)
{
    struct settings_changes noted = {0};
    compare(running, fresh, &noted);
    int r = swap_effective(running, fresh);
    if (r < 0)
        return r;
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        if (row->scope == SCOPE_AGENT && row->reloadable)
            swap_bytes((char *)running + row->offset, (char *)fresh + row->offset, field_size(row));
    }
    struct resource_setting *attributes = running->attributes;
    running->attributes = fresh->attributes;
    fresh->attributes = attributes;
    swap_bytes(&running->attribute_count, &fresh->attribute_count, sizeof(size_t));
    swap_bytes(&running->attributes_above, &fresh->attributes_above, sizeof(size_t));
    *changes = noted;
    return 0;
}
