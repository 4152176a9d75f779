// The commands of the one binary: run, replay, adopt, check, explain, status, health …
#ifndef SLUICE_CONTROL_COMMANDS_H
#define SLUICE_CONTROL_COMMANDS_H

#include <stdio.h>

// The exit statuses.
#define COMMAND_OK 0
#define COMMAND_FAILED 1 // the settings have mistakes, the agent could not start, it is not healthy
#define COMMAND_USAGE 2  // the command line is wrong

struct command_context {
    FILE *out; // what was asked for
    FILE *err; // mistakes; `run` writes the own log to standard error itself
    char *const *environment;
    const char *default_config; // read where it exists and no other was named
};

// argv as main gets it. Returns the exit status.
int commands_main(const struct command_context *context, int argc, char *const *argv);

#endif
