// Which records `sluice tail` shows.
//
// Private to agent/control. All texts are borrowed.
#ifndef SLUICE_CONTROL_TAIL_FILTER_H
#define SLUICE_CONTROL_TAIL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct command_line;
struct yajl_val_s;

struct tail_filter {
    const char *signals; // NULL: the agent's default, logs and spans
    const char *service; // these three NULL: any
    const char *match;
    const char *level;
    int level_rank;
    const char *const *fields; // ECS.PATH=VALUE
    size_t field_count;
};

// 0, or -EINVAL with what is wrong in error.
int tail_filter_init(struct tail_filter *out, const struct command_line *line, char *error,
                     size_t error_size);
// The path to ask the agent for: what it can leave out cheaply, it need not send.
void tail_filter_path(const struct tail_filter *filter, char *out, size_t size);
bool tail_filter_admits(const struct tail_filter *filter, struct yajl_val_s *document);

// The value at a dotted ECS path, whether the document nests it or spells the dots; NULL: none.
struct yajl_val_s *tail_field(struct yajl_val_s *document, const char *path);
// The same as text; "" where it is none.
const char *tail_text(struct yajl_val_s *document, const char *path);
// 0 trace … 5 fatal; no level, or none of these, counts as info.
int tail_level_rank(const char *level);

#endif
