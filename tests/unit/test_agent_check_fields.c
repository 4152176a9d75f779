// Fields that settings name and no record can be asked for: told with place and nearest name.
#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_check.h"

static struct loaded checked(const char *yaml)
{
    struct loaded l = load_text(yaml);
    assert_int_equal(l.result, 0);
    agent_check_fields(l.settings, &l.settings->exporters[0], &l.mistakes);
    return l;
}

static void what_holds_is_not_told(void **state)
{
    (void)state;
    static const char *const good[] = {
        "exporters: {kafka: {type: kafka}}\n",
        "exporters: {kafka: {key: trace.id, topic: \"l.{service.name}.{labels.a}\"}}\n",
        "exporters: {kafka: {headers: {a: plain, b: \"x{labels.b}y{host.name}\"}}}\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct loaded l = checked(good[i]);
        assert_int_equal(l.mistakes.count, 0);
        unload(&l);
    }
}

static void what_nobody_could_look_up_is_told(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"exporters: {kafka: {key: trace_id}}\n",
         "s.yaml:1: exporters.kafka.key: \"trace_id\" is no field that a record can be asked for; "
         "did you mean \"trace.id\"?"},
        {"exporters: {kafka: {topic: \"l.{service.nam}\"}}\n",
         "exporters.kafka.topic: \"service.nam\" is no field that a record can be asked for; did "
         "you mean \"service.name\"?"},
        {"exporters: {kafka: {headers: {a: \"{qqqqqqqq}\"}}}\n",
         "exporters.kafka.headers.a: \"qqqqqqqq\" is no field that a record can be asked for; "
         "allowed: an ECS field"},
        {"exporters: {kafka: {headers: {a: \"b{service.name\"}}}\n",
         "exporters.kafka.headers.a: has a brace without its other"},
        {"exporters: {kafka: {headers: {a: \"b}\"}}}\n", "has a brace without its other"},
        {"exporters: {kafka: {key: kubernetes.labels}}\n", "\"kubernetes.labels\" is no field"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct loaded l = checked(wrong[i][0]);
        assert_int_equal(l.mistakes.errors, 1);
        assert_true(has_mistake(&l, wrong[i][1]));
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_is_not_told),
        cmocka_unit_test(what_nobody_could_look_up_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
