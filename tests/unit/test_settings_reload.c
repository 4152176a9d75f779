// Settings read anew: what may change is taken over, everything else stays where it was.
#include "base/settings_reload.h"

#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static struct settings_changes adopt(struct loaded *running, const char *yaml)
{
    struct loaded fresh = load_text(yaml);
    struct settings_changes changes;
    assert_int_equal(fresh.result, 0);
    assert_int_equal(settings_adopt(running->settings, fresh.settings, &changes), 0);
    unload(&fresh);
    return changes;
}

static void what_may_change_is_taken(void **state)
{
    (void)state;
    struct loaded l = load_text("log_level: info\nservice: {name: a, version: '1'}\n"
                                "resource: {team: x, old: y}\ndrain_timeout: 1s\n");
    struct settings_changes changes =
        adopt(&l, "\nlog_level: debug\nservice: {name: b, version: '1'}\n"
                  "resource: {team: z, new: n}\ndrain_timeout: 2s\n");
    const struct settings *s = l.settings;
    assert_int_equal(changes.left_count, 0);
    assert_string_equal(changes.left, "");
    assert_string_equal(changes.taken,
                        "service.name, resource.team, resource.new, drain_timeout, log_level, "
                        "resource.old");
    assert_int_equal(changes.taken_count, 6);
    assert_string_equal(s->log_level, "debug");
    assert_string_equal(s->service.name, "b");
    assert_int_equal(s->drain_timeout_ns, 2000000000);
    assert_int_equal(s->resource.count, 2);
    assert_string_equal(s->resource.items[1].name, "new");
    assert_string_equal(effective_of(&l, "log_level")->value, "debug");
    assert_string_equal(effective_of(&l, "log_level")->origin, "s.yaml:2");
    assert_null(effective_of(&l, "resource.old"));
    bool found = false;
    for (size_t i = 0; i < s->attribute_count; i++)
        found |= strcmp(s->attributes[i].name, "service.name") == 0 &&
                 strcmp(s->attributes[i].value, "b") == 0;
    assert_true(found);
    unload(&l);
}

static void the_rest_stays_where_it_was(void **state)
{
    (void)state;
    struct loaded l = load_text("max_delay: 1ms\nsocket: {path: /a}\n"
                                "exporters: {kafka: {topic: a, properties: {sasl.password: p}}}\n");
    const char *path = l.settings->socket.path, *topic = l.settings->exporters[0].topic;
    struct settings_changes changes =
        adopt(&l, "max_delay: 2ms\nsocket: {path: /b}\nlog_level: warn\n"
                  "exporters: {kafka: {topic: b, properties: {sasl.password: q}}, otlp: {}}\n");
    assert_string_equal(changes.taken, "log_level");
    static const char *const left[] = {"socket.path", "max_delay", "exporters.kafka.topic",
                                       "exporters.kafka.properties.sasl.password",
                                       "exporters.otlp.endpoint"};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_non_null(strstr(changes.left, left[i]));
    assert_ptr_equal(l.settings->socket.path, path); // who borrowed it still may
    assert_ptr_equal(l.settings->exporters[0].topic, topic);
    assert_string_equal(path, "/a");
    assert_string_equal(topic, "a");
    assert_int_equal(l.settings->max_delay_ns, 1000000);
    assert_int_equal(l.settings->exporter_count, 1);
    assert_string_equal(effective_of(&l, "max_delay")->value, "1ms");
    assert_null(effective_of(&l, "exporters.otlp.endpoint"));
    // What was left is still told the next time.
    changes = adopt(&l, "max_delay: 2ms\nsocket: {path: /a}\n"
                        "exporters: {kafka: {topic: a, properties: {sasl.password: p}}}\n");
    assert_string_equal(changes.left, "max_delay");
    assert_string_equal(changes.taken, "log_level");
    assert_string_equal(l.settings->log_level, "info");
    unload(&l);
}

static void nothing_changed_is_nothing_said(void **state)
{
    (void)state;
    static const char yaml[] = "resource: {a: b}\nmax_delay: 1ms\n";
    struct loaded l = load_text(yaml);
    size_t count = l.settings->effective_count;
    for (int i = 0; i < 3; i++) {
        struct settings_changes changes = adopt(&l, yaml);
        assert_int_equal(changes.taken_count + changes.left_count, 0);
        assert_int_equal(l.settings->effective_count, count);
    }
    // The order is the table's, so that explain and /config read the same as at the start.
    struct loaded again = load_text(yaml);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(l.settings->effective[i].path, again.settings->effective[i].path);
    unload(&again);
    unload(&l);
}

static void many_names_are_cut(void **state)
{
    (void)state;
    char yaml[20000] = "resource: {";
    for (int i = 0; i < 500; i++)
        snprintf(yaml + strlen(yaml), 32, "attribute-%d: x, ", i);
    snprintf(yaml + strlen(yaml), 32, "}\n");
    struct loaded l = load_text("{}");
    struct settings_changes changes = adopt(&l, yaml);
    assert_int_equal(changes.taken_count, 500);
    assert_string_equal(changes.taken + strlen(changes.taken) - 5, ", ...");
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_change_is_taken),
        cmocka_unit_test(the_rest_stays_where_it_was),
        cmocka_unit_test(nothing_changed_is_nothing_said),
        cmocka_unit_test(many_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
