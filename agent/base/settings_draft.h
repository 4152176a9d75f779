// What was given, before it is settings: one entry a value, with the place it came from.
//
// Private to base/settings*.c.
#ifndef SLUICE_BASE_SETTINGS_DRAFT_H
#define SLUICE_BASE_SETTINGS_DRAFT_H

#include "base/books.h"
#include "base/settings.h"
#include "base/settings_table.h"

#include <stdarg.h>

struct kept_text;
struct settings_flag;
struct settings_mistakes;

// Weakest first.
enum setting_origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_FLAG };

struct setting_place {
    enum setting_origin origin;
    const char *source;    // the file's, the variable's or the flag's name; outlives the draft
    unsigned line, column; // from 1; files only
};

// Which setting: a row, of which exporter or route, and which member of a map.
struct setting_target {
    const struct setting_row *row;
    char name[EXPORTER_NAME_MAX]; // "" in SCOPE_AGENT
    char key[256];                // maps only
    bool from_file;               // the value is the name of a file that holds it
};

// A list has an entry for each of its names.
struct setting_entry {
    struct setting_target target;
    char *value;
    struct setting_place place;
};

struct setting_name {
    char name[EXPORTER_NAME_MAX];
    struct setting_place place;
};

struct settings_draft {
    struct setting_entry *entries;
    size_t count, capacity;
    struct kept_text *kept; // the names that places point to
    struct setting_name exporters[EXPORTER_MAX];
    unsigned exporter_count;
    struct setting_name routes[ROUTE_MAX];
    unsigned route_count;
    bool routes_derived; // nobody wrote routes: each signal goes to each exporter that takes it
    struct settings_mistakes *mistakes;
    bool no_memory;
};

#define SETTING_PATH_MAX 512

void draft_deinit(struct settings_draft *draft);

// A copy that lives as long as the draft. NULL: out of memory, which the draft remembers.
const char *draft_keep(struct settings_draft *draft, const char *text, size_t size);

// exporters.kafka.properties.sasl.password
void draft_path(const struct setting_target *target, char *out, size_t size);
// FILE:LINE, environment NAME, flag NAME, default
void draft_origin(const struct setting_place *place, char *out, size_t size);

// Keeps a value; reads the file that it names where target says so. Tells where it was already
// given with the same strength.
void draft_add(struct settings_draft *draft, const struct setting_target *target, const char *value,
               const struct setting_place *place);
// Names a map's member; the ending _file says that its value is the name of a file. False: the key
// is empty or too long.
bool draft_set_key(struct setting_target *target, const char *key);
// Splits "a, b" into a list's names, k=v,k=v into a map's members; everything else is kept whole.
void draft_add_text(struct settings_draft *draft, const struct setting_target *target,
                    const char *text, const struct setting_place *place);

// The strongest entry for exactly this target; NULL: none. Lists: the first of the strongest's.
const struct setting_entry *draft_find(const struct settings_draft *draft,
                                       const struct setting_row *row, const char *name,
                                       const char *key);

// Finds what a name means: dotted and exact (kafka.brokers), or with dots, dashes and underscores
// alike (KAFKA_BROKERS).
bool draft_resolve(const struct settings_draft *draft, const char *text, bool exact,
                   struct setting_target *out);
void draft_add_file(struct settings_draft *draft, const char *file, const char *text, size_t size);
void draft_add_environment(struct settings_draft *draft, char *const *environment);
void draft_add_flags(struct settings_draft *draft, const struct settings_flag *flags, size_t count);

void draft_mistake(struct settings_draft *draft, const struct setting_place *place,
                   const char *path, const char *format, ...) __attribute__((format(printf, 4, 5)));
void draft_warn(struct settings_draft *draft, const struct setting_place *place, const char *path,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
// The value as a mistake may show it: quoted, cut, printable; never a secret's, nor what stands
// before the @ of an address.
const char *draft_quote(const char *path, const char *value, char *out, size_t size);

// k=v,k=v with percent-encoding, as OTEL_RESOURCE_ATTRIBUTES has it. Calls member for each,
// decoded; returns what is wrong with the text, or NULL. member is not called where the text is
// wrong.
const char *draft_split_pairs(const char *text,
                              void (*member)(void *ctx, const char *key, const char *value),
                              void *ctx);

#endif
