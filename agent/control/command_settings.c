// Reads the file, asks the machine, and loads; the same for run, check and explain.
#include "control/command_settings.h"

#include "agent_check.h"
#include "base/error.h"
#include "base/memory_limit.h"
#include "base/settings.h"
#include "control/command_line.h"
#include "control/commands.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int command_settings_load(struct settings **out, struct settings_mistakes *mistakes,
                          const struct command_context *context, const struct command_line *line)
{
    const char *file = line->config ? line->config : context->default_config;
    char *text = NULL;
    size_t size = 0;
    char host[HOST_NAME_MAX + 1] = "";
    int r = file ? settings_read_file(file, SETTINGS_FILE_MAX, &text, &size) : -ENOENT;
    if (r == -ENOENT && !line->config) {
        file = NULL; // the default file need not exist
    } else if (r < 0) {
        settings_mistake_at(mistakes, file, "", "cannot be read: %s",
                            r == -EFBIG    ? "larger than 1 MiB"
                            : r == -EINVAL ? "not a regular file"
                                           : strerror(-r));
        file = NULL;
    }
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    struct settings_input input = {
        .file = file,
        .text = text,
        .size = size,
        .environment = context->environment,
        .flags = line->flags,
        .flag_count = line->flag_count,
        .memory_limit = memory_limit_read("/proc", "/sys/fs/cgroup"),
        .host_name = host,
        .dev = line->dev,
    };
    struct settings *settings = NULL;
    r = settings_load(&settings, mistakes, &input);
    free(text);
    if (r >= 0) {
        agent_check(settings, mistakes);
        r = mistakes->errors ? SETTINGS_MISTAKEN : 0;
    }
    if (r != 0) {
        settings_free(settings);
        return r;
    }
    *out = settings;
    return 0;
}

void command_print_mistakes(FILE *out, const struct settings_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        fprintf(out, "%s%s\n", mistakes->items[i].text,
                mistakes->items[i].warning ? " (a warning)" : "");
    if (mistakes->left_off)
        fprintf(out, "and %zu more\n", mistakes->left_off);
}
