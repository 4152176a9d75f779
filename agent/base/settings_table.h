// The one table of settings: what feeds the file, the environment, the flags, check, explain and
// docs/CONFIGURATION.md.
#ifndef SLUICE_BASE_SETTINGS_TABLE_H
#define SLUICE_BASE_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum setting_type {
    SETTING_TEXT,
    SETTING_BYTES,
    SETTING_DURATION, // kept in nanoseconds
    SETTING_INTEGER,
    SETTING_MODE,   // permission bits
    SETTING_LISTEN, // numeric host:port, or "" for off
    SETTING_CHOICE,
    SETTING_MAP,  // of texts
    SETTING_LIST, // of names
};

// What a row belongs to: the agent, every exporter, every route.
enum setting_scope { SCOPE_AGENT, SCOPE_EXPORTER, SCOPE_ROUTE };

// Says what a text must be where the given one is not that; else NULL.
typedef const char *setting_rule(const char *value);

struct setting_row {
    const char *path; // within its scope: socket.path; brokers
    enum setting_scope scope;
    enum setting_type type;
    size_t offset;         // in struct settings, exporter_settings or route_settings
    const char *fallback;  // the default as text; a map's as k=v,k=v
    uint64_t min, max;     // bytes, nanoseconds or a number; max 0: no bounds
    const char *allowed;   // choices: a|b|c
    const char *literal;   // a word allowed beside the type; it stores 0
    const char *only;      // the exporter type that has it; NULL: every
    setting_rule *rule;    // texts
    const char *short_env; // a second name in the environment
    bool reloadable;       // SIGHUP puts a new value in force; else a restart
    char key_separator;    // maps: what an underscore of the environment stands for
    const char *help;
};

extern const struct setting_row setting_rows[];
extern const size_t setting_row_count;

// The row of that scope and path; NULL: there is none.
const struct setting_row *setting_row_find(enum setting_scope scope, const char *path);
// "exporters.", "routes." or "".
const char *setting_scope_prefix(enum setting_scope scope);
// What a value of the row may be, in words: "a duration from 0s to 1m (…)".
void setting_describe(const struct setting_row *row, char *out, size_t size);
// A typed number as text in the row's unit.
void setting_format(const struct setting_row *row, uint64_t number, char *out, size_t size);
// Parses text of a numeric row. 0, VALUE_SYNTAX or VALUE_OVERFLOW.
int setting_parse(const struct setting_row *row, const char *text, uint64_t *number);
bool setting_is_numeric(const struct setting_row *row);
// Whether the values of this name must not be shown: password, secret, token, key material.
bool setting_is_secret(const char *path);

#endif
