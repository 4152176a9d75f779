// Loads the settings as a command line, the environment and the file say.
//
// Private to agent/control.
#ifndef SLUICE_CONTROL_COMMAND_SETTINGS_H
#define SLUICE_CONTROL_COMMAND_SETTINGS_H

#include "base/settings_load.h"

#include <stdio.h>

struct command_context;
struct command_line;

// 0, SETTINGS_MISTAKEN (nothing was made) or -ENOMEM; mistakes are the caller's to print and to
// free.
int command_settings_load(struct settings **out, struct settings_mistakes *mistakes,
                          const struct command_context *context, const struct command_line *line);

// One a line; nothing where there is none.
void command_print_mistakes(FILE *out, const struct settings_mistakes *mistakes);

// docs/CONFIGURATION.md.
void command_write_configuration(FILE *out);

// What `explain` prints.
void command_write_explanation(FILE *out, const struct settings *settings);

// Prints the books (the JSON of /books) as a table. 0, or -EINVAL where it is not that.
int command_write_status(FILE *out, const char *books);

#endif
