// SIGHUP: reads the settings anew and puts those in force that may change while records pass.
#include "agent_state.h"

#include "agent.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "base/settings_load.h"
#include "base/settings_reload.h"
#include "enrich/enrich_gaps.h"
#include "receive/receive.h"

#include <string.h>

void agent_apply_log_level(const struct settings *settings)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i], settings->log_level) == 0)
            own_log_threshold((enum log_level)i);
}

static void tell(const struct settings_changes *changes)
{
    const struct log_field taken[] = {{"settings", changes->taken, 0}, {NULL, NULL, 0}};
    const struct log_field left[] = {{"settings", changes->left, 0}, {NULL, NULL, 0}};
    if (changes->taken_count)
        own_log_fields(OWN_INFO, "reloaded", taken, "%u changed settings are in force",
                       changes->taken_count);
    else
        own_log(OWN_INFO, "reloaded", "no setting has changed that may");
    if (changes->left_count)
        own_log_fields(
            OWN_WARN, "reload_needs_restart", left,
            "%u changed settings are left as they were: only a restart puts them in force",
            changes->left_count);
}

void agent_reload(struct agent *agent)
{
    struct settings *fresh = NULL;
    struct settings_changes changes;
    int r = agent->options->load(agent->options->load_ctx, &fresh);
    if (r == SETTINGS_MISTAKEN)
        own_log(OWN_ERROR, "reload_refused",
                "the settings have mistakes, told above; nothing has changed");
    if (r == 0)
        r = settings_adopt(agent->settings, fresh, &changes);
    settings_free(fresh);
    if (r < 0)
        own_log(OWN_ERROR, "reload_refused", "%s; nothing has changed", strerror(-r));
    if (r != 0)
        return;
    agent_apply_log_level(agent->settings);
    receive_set_limits(
        agent->receive,
        &(struct receive_limits){.max_connections = agent->settings->max_connections,
                                 .first_byte_timeout_ns = agent->settings->first_byte_timeout_ns,
                                 .block_for_ns = agent->settings->block_for_ns});
    enrich_set_gap_interval(agent->enrich, agent->settings->gap_interval_ns);
    tell(&changes);
    r = agent_apply_resource(agent);
    if (r < 0)
        own_log(OWN_ERROR, "reload_refused", "resource attributes: %s; the old ones stay",
                strerror(-r));
}
