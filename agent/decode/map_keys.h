// The table of keys: what loggers call a thing, and what becomes of it.
//
// Private to agent/decode. Rows of one field stand in order of their strength: the first that has a
// usable value wins, the others become labels.
#ifndef SLUICE_DECODE_MAP_KEYS_H
#define SLUICE_DECODE_MAP_KEYS_H

#include "base/slice.h"
#include "decode/key_hash.h"
#include "decode/map.h"

#include <stdbool.h>
#include <stdint.h>

// How a row's value is taken.
enum map_rule {
    MAP_REST, // as an unknown key: a label, or app
    MAP_DROP, // says nothing that the document does not
    MAP_TEXT, // the field's value, as text
    MAP_LONG, // the field's value, an integer
    MAP_ADDRESS,
    MAP_TIME,
    MAP_CREATED,
    MAP_LEVEL,
    MAP_LEVEL_PYTHON,  // levelno: Python's numbers, not pino's
    MAP_LEVEL_OTEL,    // OpenTelemetry's severity number
    MAP_LEVEL_PRINTED, // event.severity
    MAP_MESSAGE,
    MAP_LOGGER_NAME, // "name": a logger's, or the app's own
    MAP_TRACE_ID,
    MAP_SPAN_ID,
    MAP_TRANSACTION_ID,
    MAP_TRACEPARENT,
    MAP_EXCEPTION, // a stack trace whose type and message are read from it, or a list of dicts
    MAP_TRACEBACK, // the same, but only where it is a Python traceback
    MAP_CALLER,    // file:line
    MAP_REQUEST_URL,
    MAP_DURATION,       // × 10^scale nanoseconds
    MAP_DURATION_GUESS, // its unit depends on the logger
    MAP_RULE_COUNT
};

// What becomes of the members of a row's object.
enum map_object {
    MAP_WHOLE,   // it is a value like any other
    MAP_FLATTEN, // dotted paths, down to the leaves
    MAP_GROUP,   // one level is looked at; the rest stays together as app.KEY
    MAP_HOIST,   // they, or what they hold, stand for members of the line itself
};

// Keys that other keys' meaning depends on.
enum map_known {
    KNOWN_NONE,
    KNOWN_TIMESTAMP,
    KNOWN_TIME,
    KNOWN_TS,
    KNOWN_T,
    KNOWN_ASCTIME,
    KNOWN_NANOSECONDS,
    KNOWN_LEVEL,
    KNOWN_LEVELNAME,
    KNOWN_LEVELNO,
    KNOWN_SEVERITY_TEXT,
    KNOWN_MSG,
    KNOWN_PID,
    KNOWN_HOSTNAME,
    KNOWN_TARGET,
    KNOWN_ECS_VERSION,
    KNOWN_TEXT,
    KNOWN_RECORD,
    KNOWN_COUNT
};

struct map_key {
    const char *key;
    uint8_t size;
    uint8_t rule;
    uint8_t field; // enum ecs_field, where the rule has one
    uint8_t object;
    uint8_t scale;
    uint8_t known;
    bool first; // of equal keys the first wins, not the last
};

extern const struct map_key map_keys[MAP_KEYS_MAX]; // row 0 is no key

// The row of a key; 0 where the table has none.
static inline uint16_t map_key_find(const struct mapper *mapper, struct slice key, uint32_t hash)
{
    uint32_t slot = hash & (MAP_SLOTS - 1);
    for (uint8_t row; (row = mapper->slots[slot]) != 0; slot = (slot + 1) % MAP_SLOTS) {
        if (map_keys[row].size == key.size && key_equal(map_keys[row].key, key.data, key.size))
            return row;
    }
    return 0;
}

// The member of a known key, or NULL.
struct map_member *map_known(struct mapper *mapper, enum map_known known);

// Whether path begins with an object of ECS that any logger's line may hold (http, error …), or,
// in a line that says it is ECS, with any of its objects.
bool map_key_under_ecs(struct slice path, bool ecs_line);

#endif
