// The sluice binary: one command, then the end.
#include "base/standard_streams.h"
#include "control/commands.h"

#include <unistd.h>

int main(int argc, char **argv)
{
    standard_streams_fill();
    struct command_context context = {
        .out = stdout,
        .err = stderr,
        .environment = environ,
        .default_config = "/etc/sluice/sluice.yaml",
    };
    return commands_main(&context, argc, argv);
}
