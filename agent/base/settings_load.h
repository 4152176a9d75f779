// Makes the settings of a YAML file, the environment and flags, and tells every mistake at once.
//
// Strength: flags, then the environment, then the file, then the table's defaults. Any thread.
#ifndef SLUICE_BASE_SETTINGS_LOAD_H
#define SLUICE_BASE_SETTINGS_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings;

// --set NAME=VALUE, or --NAME VALUE with the path's dots and underscores written as dashes.
struct settings_flag {
    const char *spelling; // as mistakes name it: --max-delay, --set max_delay
    const char *name;
    const char *value;
    bool exact; // name is a path as it stands; else dots, dashes and underscores are alike
};

// All borrowed for the call.
struct settings_input {
    const char *file; // as mistakes name it; NULL: there is none
    const char *text; // the file's bytes
    size_t size;
    char *const *environment; // as environ(7); NULL: none
    const struct settings_flag *flags;
    size_t flag_count;
    uint64_t memory_limit; // bytes that the cgroup allows; 0: no limit
    const char *host_name; // NULL: unknown
    bool dev;              // the sinks are replaced by embedded ones
};

struct settings_mistake {
    char *text;   // WHERE: PATH: what is wrong; what is allowed; did you mean …?
    bool warning; // told, but the settings hold
    unsigned rank, line, column, order;
};

// Zeroed before its first use; owned by the caller.
struct settings_mistakes {
    struct settings_mistake *items; // in the file's order, then the environment's, then the flags'
    size_t count;
    size_t errors;   // those that are not warnings
    size_t left_off; // beyond SETTINGS_MISTAKES_MAX
};

#define SETTINGS_MISTAKES_MAX 100
#define SETTINGS_FILE_MAX ((size_t)1024 * 1024) // bytes

// mistakes->errors says how many. *out is made all the same, with the default where a value does
// not hold: for further checks, never to run with.
#define SETTINGS_MISTAKEN 1

// Returns 0, SETTINGS_MISTAKEN or -ENOMEM. Adds to mistakes in every case.
int settings_load(struct settings **out, struct settings_mistakes *mistakes,
                  const struct settings_input *input);
void settings_free(struct settings *settings);

// Adds a mistake about an effective setting, for rules that base cannot know (librdkafka's names).
void settings_mistake_at(struct settings_mistakes *mistakes, const char *origin, const char *path,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));
// The same for what holds, but not as its writer may think.
void settings_warn_at(struct settings_mistakes *mistakes, const char *origin, const char *path,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));
void settings_mistakes_deinit(struct settings_mistakes *mistakes);

// Reads a regular file of at most limit bytes; *out is NUL-terminated and the caller's to free.
// Returns 0 or -errno (-EFBIG: larger, -EISDIR: a folder, -EINVAL: not a regular file).
int settings_read_file(const char *path, size_t limit, char **out, size_t *size);

#endif
