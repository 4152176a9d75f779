// Maps the agent's configured attributes to ECS slots, and renders them as OTLP key-values.
//
// Labels of the pod are one object, kubernetes.labels, as Elastic's Beats write it: a dot in a name
// becomes '_'.
#include "enrich/resource.h"

#include "base/error.h"
#include "enrich/json_out.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

// OpenTelemetry's names that ECS calls otherwise; names that are the same in both need no row.
static const struct {
    struct slice name;
    enum ecs_field field;
} slots[] = {
    {{"service.instance.id", 19}, ECS_SERVICE_NODE_NAME},
    {{"deployment.environment.name", 27}, ECS_SERVICE_ENVIRONMENT},
    {{"deployment.environment", 22}, ECS_SERVICE_ENVIRONMENT},
    {{"k8s.cluster.name", 16}, ECS_ORCHESTRATOR_CLUSTER_NAME},
    {{"k8s.container.name", 18}, ECS_KUBERNETES_CONTAINER_NAME},
    {{"k8s.deployment.name", 19}, ECS_KUBERNETES_DEPLOYMENT_NAME},
    {{"k8s.namespace.name", 18}, ECS_KUBERNETES_NAMESPACE},
    {{"k8s.node.name", 13}, ECS_KUBERNETES_NODE_NAME},
    {{"k8s.pod.name", 12}, ECS_KUBERNETES_POD_NAME},
    {{"k8s.pod.uid", 11}, ECS_KUBERNETES_POD_UID},
    {{"service.name", 12}, ECS_SERVICE_NAME},
    {{"service.version", 15}, ECS_SERVICE_VERSION},
    {{"service.environment", 19}, ECS_SERVICE_ENVIRONMENT},
    {{"service.node.name", 17}, ECS_SERVICE_NODE_NAME},
    {{"host.name", 9}, ECS_HOST_NAME},
    {{"host.hostname", 13}, ECS_HOST_HOSTNAME},
    {{"host.id", 7}, ECS_HOST_ID},
    {{"container.id", 12}, ECS_CONTAINER_ID},
    {{"container.name", 14}, ECS_CONTAINER_NAME},
    {{"container.image.name", 20}, ECS_CONTAINER_IMAGE_NAME},
};

// Bytes of the well-formed UTF-8 character at the start of text; 0 where there is none.
static size_t utf8_size(const unsigned char *text, size_t size)
{
    if (text[0] < 0x80)
        return 1;
    size_t need = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || need > size)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool surrogate = text[0] == 0xed && text[1] > 0x9f;
    bool beyond = text[0] == 0xf4 && text[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : need;
}

// A copy in the arena in which every byte that is not UTF-8 is U+FFFD. data NULL: no memory.
static struct slice repaired(struct arena *arena, struct slice text)
{
    char *out = arena_alloc(arena, 3 * text.size);
    if (!out)
        return (struct slice){0};
    size_t written = 0;
    for (size_t i = 0; i < text.size;) {
        size_t size = utf8_size((const unsigned char *)text.data + i, text.size - i);
        memcpy(out + written, size ? text.data + i : "\xef\xbf\xbd", size ? size : 3);
        written += size ? size : 3;
        i += size ? size : 1;
    }
    return slice_of(out, written);
}

static const struct slice pod_label = SLICE_INIT("k8s.pod.label.");
static const struct slice host_hostname = SLICE_INIT("host.hostname");

static bool is_pod_label(struct slice name)
{
    return name.size > pod_label.size && memcmp(name.data, pod_label.data, pod_label.size) == 0;
}

static char without_dot(char byte)
{
    return byte == '.' ? '_' : byte;
}

static bool same_label(struct slice a, struct slice b)
{
    bool same = a.size == b.size;
    for (size_t i = 0; same && i < a.size; i++)
        same = without_dot(a.data[i]) == without_dot(b.data[i]);
    return same;
}

// Whether a stronger label has the same name in the object.
static bool label_taken(const struct agent_resource *resource, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (same_label(resource->attributes[i].name, resource->attributes[count].name))
            return true;
    return false;
}

static void write_label(struct json_out *out, const struct agent_attribute *attribute)
{
    json_byte(out, ',');
    const uint8_t *name = out->at;
    json_string(out, slice_of(attribute->name.data + pod_label.size,
                              attribute->name.size - pod_label.size));
    for (uint8_t *at = (uint8_t *)name; at < out->at; at++)
        *at = (uint8_t)without_dot((char)*at);
    json_byte(out, ':');
    json_string(out, attribute->value);
}

// kubernetes.labels, from all attributes that are labels of the pod.
static bool add_pod_labels(struct agent_resource *resource)
{
    size_t room = 2 * JSON_SLACK;
    for (size_t i = 0; i < resource->count; i++)
        room += 6 * (resource->attributes[i].name.size + resource->attributes[i].value.size) + 6;
    uint8_t *data = arena_alloc(&resource->arena, room);
    if (!data)
        return false;
    struct json_out out = json_out_of(data, room);
    for (size_t i = 0; i < resource->count; i++)
        if (is_pod_label(resource->attributes[i].name) && !label_taken(resource, i))
            write_label(&out, &resource->attributes[i]);
    if (out.at == data)
        return true; // none
    data[0] = '{';
    json_byte(&out, '}');
    assert(!out.full);
    fields_set(&resource->fields, ECS_KUBERNETES_LABELS,
               (struct value){.kind = VALUE_JSON, .text = slice_of(data, (size_t)(out.at - data))});
    return true;
}

static bool add_ecs(struct agent_resource *resource, struct slice name, struct slice value)
{
    struct value text = {.kind = VALUE_TEXT, .text = value};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        if (!slice_equal(slots[i].name, name))
            continue;
        if (!fields_has(&resource->fields, slots[i].field))
            fields_set(&resource->fields, slots[i].field, text);
        return true;
    }
    if (is_pod_label(name))
        return true;
    char *label = arena_alloc(&resource->arena, name.size);
    if (!label)
        return false;
    for (size_t i = 0; i < name.size; i++)
        label[i] = without_dot(name.data[i]);
    return named_values_add(&resource->fields.labels, &resource->arena, slice_of(label, name.size),
                            text);
}

static bool add_otlp(struct agent_resource *resource, struct slice name, struct slice value)
{
    if (slice_equal(name, host_hostname)) { // ECS's own name; OpenTelemetry's is host.name
        resource->attributes[resource->count++] = (struct agent_attribute){name, value, {0}};
        return true;
    }
    size_t any = wire_bytes_size(OTLP_ANY_STRING, value.size);
    size_t pair =
        wire_bytes_size(OTLP_KEY_VALUE_KEY, name.size) + wire_bytes_size(OTLP_KEY_VALUE_VALUE, any);
    size_t size = wire_bytes_size(OTLP_RESOURCE_ATTRIBUTES, pair);
    uint8_t *data = arena_alloc(&resource->arena, size);
    if (!data)
        return false;
    uint8_t *out = wire_put_length(data, OTLP_RESOURCE_ATTRIBUTES, pair);
    out = wire_put_bytes(out, OTLP_KEY_VALUE_KEY, name.data, name.size);
    out = wire_put_length(out, OTLP_KEY_VALUE_VALUE, any);
    out = wire_put_bytes(out, OTLP_ANY_STRING, value.data, value.size);
    assert(out == data + size);
    resource->attributes[resource->count++] =
        (struct agent_attribute){name, value, slice_of(data, (size_t)(out - data))};
    return true;
}

bool same_attribute(struct slice a, struct slice b)
{
    const struct slice old_name = SLICE("deployment.environment");
    const struct slice new_name = SLICE("deployment.environment.name");
    return slice_equal(slice_equal(a, old_name) ? new_name : a,
                       slice_equal(b, old_name) ? new_name : b);
}

static bool known(const struct agent_resource *resource, struct slice name)
{
    for (size_t i = 0; i < resource->count; i++) {
        if (same_attribute(resource->attributes[i].name, name))
            return true;
    }
    return false;
}

int agent_resource_init(struct agent_resource *resource,
                        const struct resource_attribute *attributes, size_t count)
{
    *resource = (struct agent_resource){0};
    arena_init(&resource->arena, 1024, 0);
    fields_clear(&resource->fields);
    resource->attributes = arena_alloc(&resource->arena, count * sizeof *resource->attributes);
    bool ok = resource->attributes != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        if (!attributes[i].name.size || !attributes[i].value.size)
            continue;
        struct slice name = repaired(&resource->arena, attributes[i].name);
        struct slice value = repaired(&resource->arena, attributes[i].value);
        ok = name.data && value.data;
        if (ok && !known(resource, name))
            ok = add_ecs(resource, name, value) && add_otlp(resource, name, value);
    }
    if (!ok || !add_pod_labels(resource)) {
        agent_resource_deinit(resource);
        return -ENOMEM;
    }
    return 0;
}

void agent_resource_deinit(struct agent_resource *resource)
{
    arena_deinit(&resource->arena);
    resource->attributes = NULL;
    resource->count = 0;
}

static bool allowed_in_data_stream(unsigned char byte)
{
    switch (byte) {
    case '\\':
    case '/':
    case '*':
    case '?':
    case '"':
    case '<':
    case '>':
    case '|':
    case ',':
    case '#':
    case ':':
    case '-':
    case 0x7f:
        return false;
    default:
        return byte > ' ';
    }
}

size_t data_stream_part(char *out, size_t room, struct slice text)
{
    size_t size = text.size < room ? text.size : room;
    while (size < text.size && size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    for (size_t i = 0; i < size; i++) {
        char byte = text.data[i];
        if (byte >= 'A' && byte <= 'Z')
            byte = (char)(byte | 0x20);
        else if (!allowed_in_data_stream((unsigned char)byte))
            byte = '_';
        out[i] = byte;
    }
    return size;
}
