// Resource attributes: which source wins, and OpenTelemetry's own variables as specified.
#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct resource_setting *attribute_of(const struct loaded *l, const char *name)
{
    const struct resource_setting *found = NULL;
    for (size_t i = 0; i < l->settings->attribute_count; i++)
        if (strcmp(l->settings->attributes[i].name, name) == 0) {
            assert_null(found); // each name once
            found = &l->settings->attributes[i];
        }
    return found;
}

static void expect(const struct loaded *l, const char *name, const char *value, const char *origin)
{
    const struct resource_setting *attribute = attribute_of(l, name);
    assert_non_null(attribute);
    assert_string_equal(attribute->value, value);
    assert_string_equal(attribute->origin, origin);
}

static void the_stronger_source_wins(void **state)
{
    (void)state;
    static const char yaml[] = "service: {name: ours, environment: prod}\n"
                               "resource: {k8s.pod.name: told, service.name: weaker}\n";
    char *environment[] = {
        "OTEL_SERVICE_NAME=otel", "OTEL_RESOURCE_ATTRIBUTES=service.version=2,host.name=h",
        "K8S_POD_NAME=pod",       "K8S_NAMESPACE_NAME=shop",
        "K8S_NODE_NAME=",         NULL};
    struct loaded l = load_input((struct settings_input){.file = "s.yaml",
                                                         .text = yaml,
                                                         .size = sizeof yaml - 1,
                                                         .environment = environment,
                                                         .host_name = "machine"});
    assert_int_equal(l.result, 0);
    expect(&l, "service.name", "ours", "s.yaml:1");
    expect(&l, "deployment.environment.name", "prod", "s.yaml:1");
    expect(&l, "service.version", "2", "environment OTEL_RESOURCE_ATTRIBUTES");
    expect(&l, "k8s.pod.name", "told", "s.yaml:2");
    expect(&l, "k8s.namespace.name", "shop", "environment K8S_NAMESPACE_NAME");
    expect(&l, "host.name", "h", "environment OTEL_RESOURCE_ATTRIBUTES");
    assert_null(attribute_of(&l, "k8s.node.name")); // empty is as good as not set
    assert_string_equal(
        l.settings->attributes[l.settings->attributes_above].name,
        "k8s.namespace.name"); // what stands before is stronger than the pod's files
    unload(&l);
}

static void otel_variables_follow_the_specification(void **state)
{
    (void)state;
    char *environment[] = {"OTEL_SERVICE_NAME=by name",
                           "OTEL_RESOURCE_ATTRIBUTES= service.name=by%20list , a.b = x%2Cy%3D%25 ,"
                           "empty=,last=%E2%82%AC,",
                           NULL};
    struct loaded l =
        load_input((struct settings_input){.environment = environment, .host_name = "machine"});
    expect(&l, "service.name", "by name", "environment OTEL_SERVICE_NAME");
    expect(&l, "a.b", "x,y=%", "environment OTEL_RESOURCE_ATTRIBUTES");
    expect(&l, "last", "€", "environment OTEL_RESOURCE_ATTRIBUTES");
    assert_null(attribute_of(&l, "empty"));
    expect(&l, "host.name", "machine", "host");
    unload(&l);
}

static void a_broken_list_is_discarded_whole_and_told(void **state)
{
    (void)state;
    static const char *const broken[] = {"a=1,b", "a=1,=b", "a=1,b=%4", "a=1,b=%00"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char variable[100];
        snprintf(variable, sizeof variable, "OTEL_RESOURCE_ATTRIBUTES=%s", broken[i]);
        char *environment[] = {variable, NULL};
        struct loaded l = load_input((struct settings_input){.environment = environment});
        assert_int_equal(l.result, 0); // a warning: an SDK's variable must not stop the agent
        assert_true(has_mistake(&l, "OTEL_RESOURCE_ATTRIBUTES: \"a=1"));
        assert_null(attribute_of(&l, "a"));
        unload(&l);
    }
}

static void customary_variables_of_pods_are_known(void **state)
{
    (void)state;
    char *environment[] = {"MY_POD_NAME=weaker",
                           "POD_NAME=pod",
                           "POD_NAMESPACE=shop",
                           "OTEL_RESOURCE_ATTRIBUTES_POD_UID=8b1c",
                           "MY_NODE_NAME=node",
                           "HOST_IP=10.0.0.7",
                           "SERVICE_ACCOUNT=robot",
                           "CONTAINER_NAME=app",
                           NULL};
    struct loaded l =
        load_input((struct settings_input){.environment = environment, .host_name = "machine"});
    expect(&l, "k8s.pod.name", "pod", "environment POD_NAME");
    expect(&l, "k8s.namespace.name", "shop", "environment POD_NAMESPACE");
    expect(&l, "k8s.pod.uid", "8b1c", "environment OTEL_RESOURCE_ATTRIBUTES_POD_UID");
    expect(&l, "k8s.node.name", "node", "environment MY_NODE_NAME");
    expect(&l, "host.ip", "10.0.0.7", "environment HOST_IP");
    expect(&l, "k8s.serviceaccount.name", "robot", "environment SERVICE_ACCOUNT");
    expect(&l, "k8s.container.name", "app", "environment CONTAINER_NAME");
    expect(&l, "host.hostname", "machine", "host");
    assert_int_equal(l.settings->attributes_above, 0); // all weaker than the pod's files
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stronger_source_wins),
        cmocka_unit_test(otel_variables_follow_the_specification),
        cmocka_unit_test(customary_variables_of_pods_are_known),
        cmocka_unit_test(a_broken_list_is_discarded_whole_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
