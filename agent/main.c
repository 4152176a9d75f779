// The sluice binary: one command, then the end.
#include "control/commands.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    struct command_context context = {
        .out = stdout,
        .err = stderr,
        .environment = environ,
        .default_config = "/etc/sluice/sluice.yaml",
    };
    return commands_main(&context, argc, argv);
}
