// Lets somebody watch: records pass the HTTP endpoint only while one does.
#include "agent_state.h"

#include "control/http_endpoint.h"
#include "enrich/enrich.h"

static void show(void *ctx, enum signal_kind signal, struct slice payload)
{
    struct agent *agent = ctx;
    http_endpoint_show(agent->http, signal, payload);
}

void agent_watch(void *ctx, bool watched)
{
    struct agent *agent = ctx;
    if (agent->enrich) // else the rooms have stopped already
        enrich_set_tap(agent->enrich, watched ? show : NULL, agent);
}
