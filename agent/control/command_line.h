// A command's words and options, parsed: its own options, and settings as flags.
#ifndef SLUICE_CONTROL_COMMAND_LINE_H
#define SLUICE_CONTROL_COMMAND_LINE_H

#include "base/settings_load.h"

#include <stdbool.h>
#include <stddef.h>

// Which options a command has.
#define OPTION_CONFIG 1u   // --config FILE
#define OPTION_DEV 2u      // --dev
#define OPTION_HTTP 4u     // --http ADDRESS
#define OPTION_SETTINGS 8u // --set NAME=VALUE, --NAME VALUE
#define OPTION_CONNECT 16u // --connect
#define OPTION_REPLAY 64u  // --exporter, --dry-run, --remove
#define OPTION_WATCH 128u  // --watch
#define OPTION_TAIL 32u    // --service, --level, --match, --signal, --json

// One setting given as a flag; flag's texts point here and into argv.
struct command_flag {
    char spelling[160];
    char name[160];
};

// All texts point into argv.
struct command_line {
    const char *config;
    const char *http;
    bool dev;
    bool connect;
    const char *service, *level, *match, *signal; // NULL: not given
    bool json;
    const char *exporter; // NULL: not given
    bool dry_run, remove, watch;
    const char *words[16];
    size_t word_count;
    struct command_flag *names;
    struct settings_flag *flags;
    size_t flag_count;
};

// args: what follows the command's name. options: the OPTION_ bits it has. Returns 0, -ENOMEM, or
// -EINVAL with what is wrong in error.
int command_line_parse(struct command_line *out, unsigned options, size_t words_max, int count,
                       char *const *args, char *error, size_t error_size);
void command_line_deinit(struct command_line *line);

#endif
