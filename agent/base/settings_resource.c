// The resource attributes of the agent's own place, strongest source first.
//
// Sources: OpenTelemetry's resource SDK (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) and semantic
// conventions; the Kubernetes downward API gives values to variables that the pod's author names.
#include "base/settings_build.h"
#include "base/settings_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The variables that pods give the downward API's values in, by their customary names: ours and
// OpenTelemetry's k8sattributes examples first, then the Kubernetes documentation's (MY_…), then
// those of OpenTelemetry's operator.
static const struct {
    const char *variable;
    const char *attribute;
} downward[] = {
    {"K8S_NAMESPACE_NAME", "k8s.namespace.name"},
    {"K8S_NAMESPACE", "k8s.namespace.name"},
    {"K8S_POD_NAMESPACE", "k8s.namespace.name"},
    {"POD_NAMESPACE", "k8s.namespace.name"},
    {"MY_POD_NAMESPACE", "k8s.namespace.name"},
    {"OTEL_RESOURCE_ATTRIBUTES_NAMESPACE_NAME", "k8s.namespace.name"},
    {"K8S_POD_NAME", "k8s.pod.name"},
    {"POD_NAME", "k8s.pod.name"},
    {"MY_POD_NAME", "k8s.pod.name"},
    {"OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "k8s.pod.name"},
    {"K8S_POD_UID", "k8s.pod.uid"},
    {"POD_UID", "k8s.pod.uid"},
    {"MY_POD_UID", "k8s.pod.uid"},
    {"OTEL_RESOURCE_ATTRIBUTES_POD_UID", "k8s.pod.uid"},
    {"K8S_POD_IP", "k8s.pod.ip"},
    {"POD_IP", "k8s.pod.ip"},
    {"MY_POD_IP", "k8s.pod.ip"},
    {"K8S_NODE_NAME", "k8s.node.name"},
    {"NODE_NAME", "k8s.node.name"},
    {"MY_NODE_NAME", "k8s.node.name"},
    {"OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "k8s.node.name"},
    {"K8S_NODE_IP", "host.ip"},
    {"NODE_IP", "host.ip"},
    {"HOST_IP", "host.ip"},
    {"K8S_CONTAINER_NAME", "k8s.container.name"},
    {"CONTAINER_NAME", "k8s.container.name"},
    {"OTEL_RESOURCE_ATTRIBUTES_CONTAINER_NAME", "k8s.container.name"},
    {"CONTAINER_ID", "container.id"},
    {"K8S_SERVICE_ACCOUNT", "k8s.serviceaccount.name"},
    {"POD_SERVICE_ACCOUNT", "k8s.serviceaccount.name"},
    {"MY_POD_SERVICE_ACCOUNT", "k8s.serviceaccount.name"},
    {"SERVICE_ACCOUNT", "k8s.serviceaccount.name"},
    {"K8S_DEPLOYMENT_NAME", "k8s.deployment.name"},
    {"K8S_CLUSTER_NAME", "k8s.cluster.name"},
};

struct attributes {
    struct settings *settings;
    struct settings_draft *draft;
    const char *origin;
};

// The first of a name wins: sources come strongest first.
static void add(void *ctx, const char *name, const char *value)
{
    const struct attributes *to = ctx;
    struct settings *settings = to->settings;
    if (!value || !value[0] || !name[0])
        return;
    for (size_t i = 0; i < settings->attribute_count; i++)
        if (settings->attributes[i].name && strcmp(settings->attributes[i].name, name) == 0)
            return;
    struct resource_setting *grown =
        realloc(settings->attributes, (settings->attribute_count + 1) * sizeof *grown);
    if (!grown) {
        to->draft->no_memory = true;
        return;
    }
    settings->attributes = grown;
    grown[settings->attribute_count++] =
        (struct resource_setting){build_copy(to->draft, name), build_copy(to->draft, value),
                                  build_copy(to->draft, to->origin)};
}

static const char *variable_of(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return *environment + size + 1;
    return NULL;
}

static const char *origin_of(const struct settings *settings, const char *path)
{
    for (size_t i = 0; i < settings->effective_count; i++)
        if (settings->effective[i].path && strcmp(settings->effective[i].path, path) == 0)
            return settings->effective[i].origin;
    return "default";
}

static void add_settings(struct attributes *to)
{
    const struct settings *settings = to->settings;
    const struct {
        const char *path, *attribute, *value;
    } service[] = {
        {"service.name", "service.name", settings->service.name},
        {"service.version", "service.version", settings->service.version},
        {"service.environment", "deployment.environment.name", settings->service.environment},
        {"service.instance", "service.instance.id", settings->service.instance},
    };
    for (size_t i = 0; i < sizeof service / sizeof *service; i++) {
        to->origin = origin_of(settings, service[i].path);
        add(to, service[i].attribute, service[i].value);
    }
    for (size_t i = 0; i < settings->resource.count; i++) {
        char path[SETTING_PATH_MAX];
        const struct setting_pair *pair = &settings->resource.items[i];
        if (!pair->name || !pair->value)
            continue; // out of memory, told
        struct setting_target target = {.row = setting_row_find(SCOPE_AGENT, "resource")};
        draft_set_key(&target, pair->name);
        draft_path(&target, path, sizeof path);
        to->origin = origin_of(settings, path);
        add(to, pair->name, pair->value);
    }
}

static void add_otel(struct attributes *to, char *const *environment)
{
    to->origin = "environment OTEL_SERVICE_NAME";
    add(to, "service.name", variable_of(environment, "OTEL_SERVICE_NAME"));
    const char *list = variable_of(environment, "OTEL_RESOURCE_ATTRIBUTES");
    to->origin = "environment OTEL_RESOURCE_ATTRIBUTES";
    const char *wrong = list ? draft_split_pairs(list, add, to) : NULL;
    if (wrong) {
        // The specification: discard the whole value and report it.
        char shown[160];
        struct setting_place place = {.origin = ORIGIN_ENVIRONMENT,
                                      .source = "OTEL_RESOURCE_ATTRIBUTES"};
        draft_warn(to->draft, &place, "", "%s %s; ignored",
                   draft_quote("", list, shown, sizeof shown), wrong);
    }
}

void build_attributes(struct settings *settings, struct settings_draft *draft,
                      const struct settings_input *input)
{
    struct attributes to = {.settings = settings, .draft = draft};
    add_settings(&to);
    add_otel(&to, input->environment);
    settings->attributes_above = settings->attribute_count;
    for (size_t i = 0; i < sizeof downward / sizeof *downward; i++) {
        char origin[100];
        snprintf(origin, sizeof origin, "environment %s", downward[i].variable);
        to.origin = origin;
        add(&to, downward[i].attribute, variable_of(input->environment, downward[i].variable));
    }
    to.origin = "host";
    add(&to, "host.name", input->host_name);
    add(&to, "host.hostname", input->host_name);
}
