// The members a mapper has collected, and the parts that place them.
//
// Private to agent/decode: map.c calls these in order at the end of a record.
#ifndef SLUICE_DECODE_MAP_MEMBERS_H
#define SLUICE_DECODE_MAP_MEMBERS_H

#include "decode/json.h"
#include "decode/map.h"
#include "decode/map_keys.h"

#define MAP_MEMBER_PLACED 1u
#define MAP_MEMBER_REPEATED 2u // the line has its key more than once
#define MAP_MEMBER_NAN 4u      // NaN or Infinity, not null
#define MAP_MEMBER_DEEP 8u     // a container that is kept as text
#define MAP_MEMBER_STAYS 16u   // a field of ECS that may stay where it is

// Drops all members.
void map_forget(struct mapper *mapper);
// Room for one more member, to be filled in (all but hash and row) and then added: it stays, or it
// is settled which of two with one key does. NULL where memory ran out (mapper->failed).
struct map_member *map_member_new(struct mapper *mapper);
void map_member_add(struct mapper *mapper, struct map_member *member);
bool map_member_exists(const struct mapper *mapper, struct slice path);

// Text of a string member, unescaped. False where it is no string (or memory ran out).
bool map_member_text(struct mapper *mapper, const struct map_member *member, struct slice *out);
bool map_member_is_number(const struct map_member *member);
bool map_member_is_container(const struct map_member *member);
// A scalar as text. False for objects, arrays and null.
bool map_member_as_text(struct mapper *mapper, const struct map_member *member, struct value *out);
// The number × 10^scale, rounded to an integer. False where it is no number or does not fit.
bool map_member_scaled(const struct map_member *member, unsigned scale, int64_t *out);

// Offers the members of an object that stands in the line (map_json.c).
void map_hoist(struct mapper *mapper, const struct map_member *member);
void map_flatten(struct mapper *mapper, const struct map_member *member);
// Offers one value of the line under another path.
void map_offer(struct mapper *mapper, struct json_scanner *scanner, struct slice path,
               const struct json_token *token);
// Offers the parts of a record, where it is one of loguru's (map_loguru.c).
void map_take_loguru(struct mapper *mapper, const struct map_member *record);
// The severity, from loguru's name and number; one that is given already stays.
void map_set_level_loguru(struct mapper *mapper, struct slice name, int64_t number);

// Each takes a member by its rule; true where it needs no other place.
typedef bool map_take(struct mapper *mapper, struct map_member *member, const struct map_key *key);
map_take map_take_time, map_take_created;                                 // map_time.c
map_take map_take_level, map_take_level_python, map_take_level_otel;      // map_level.c
map_take map_take_level_printed;                                          // map_level.c
map_take map_take_trace_id, map_take_span_id, map_take_traceparent;       // map_ids.c
map_take map_take_exception, map_take_traceback;                          // map_error.c
map_take map_take_duration, map_take_duration_guess;                      // map_duration.c
map_take map_take_text, map_take_long, map_take_address, map_take_caller; // map_fields.c
map_take map_take_request_url, map_take_logger_name, map_take_message;    // map_fields.c

// log.level and event.severity, where the record's severity came from outside.
void map_finish_level(struct mapper *mapper);
// A message for a record that has none: a value that is no string, the error's, or none.
void map_finish_message(struct mapper *mapper);
// Places what no rule took: labels, numeric_labels, app, and unknown ECS fields.
void map_place_rest(struct mapper *mapper);
// What is left of req, err … as app.KEY (map_groups.c).
void map_place_groups(struct mapper *mapper);

// Which logger's line it looks like.
bool map_like_pino(struct mapper *mapper);

#endif
