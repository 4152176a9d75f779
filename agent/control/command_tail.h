// `sluice tail`: live records of a running agent.
//
// Private to agent/control.
#ifndef SLUICE_CONTROL_COMMAND_TAIL_H
#define SLUICE_CONTROL_COMMAND_TAIL_H

struct command_context;
struct command_line;

// address: where the agent listens. Runs until Ctrl-C (a success), until what reads the output is
// gone, or until the agent is. Returns the exit status.
int command_tail(const struct command_context *context, const struct command_line *line,
                 const char *address);

#endif
