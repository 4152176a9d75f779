// Local variables of stack frames leave in no form, whatever line they stand in.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode_fixture.h"
#include "flat_document.h"

#include "decode/frame_locals.h"

// What is secret is called so.
static const char *const lines[] = {
    "{\"event\":\"a\",\"exception\":[{\"exc_type\":\"ValueError\",\"exc_value\":\"x\",\"e"
    "xc_notes\":[\"note 1\"],\"syntax_error\":null,\"is_cause\":false,\"frames\":[{\"file"
    "name\":\"a.py\",\"lineno\":1,\"name\":\"f\",\"locals\":{\"pw\":\"SECRET\"}}],\"is_gr"
    "oup\":false,\"exceptions\":[]},{\"exc_type\":\"KeyError\",\"exc_value\":\"'k'\",\"is"
    "_cause\":true,\"frames\":[{\"filename\":\"b.py\",\"lineno\":2,\"name\":\"g\",\"local"
    "s\":{\"pw\":\"SECRET\"}}]}]}",
    "{\"event\":\"b\",\"exception\":{\"exc_type\":\"ValueError\",\"exc_value\":\"x\",\"fr"
    "ames\":[{\"filename\":\"a.py\",\"lineno\":1,\"name\":\"f\",\"locals\":{\"pw\":\"SECR"
    "ET\"}}]}}",
    "{\"event\":\"c\",\"exception\":[{\"exc_type\":\"ExceptionGroup\",\"exc_value\":\"g ("
    "2 sub-exceptions)\",\"frames\":[{\"filename\":\"a.py\",\"lineno\":1,\"name\":\"f\",\""
    "locals\":{\"pw\":\"SECRET\"}}],\"is_group\":true,\"exceptions\":[[{\"exc_type\":\"Va"
    "lueError\",\"exc_value\":\"1\",\"frames\":[{\"filename\":\"c.py\",\"lineno\":3,\"nam"
    "e\":\"h\",\"locals\":{\"pw\":\"SECRET\"}}],\"is_group\":false,\"exceptions\":[]}],[{"
    "\"exc_type\":\"TypeError\",\"exc_value\":\"2\",\"frames\":[]}]]}]}",
    "{\"event\":\"d\",\"exc_info\":[{\"exc_type\":\"ValueError\",\"exc_value\":\"x\",\"fr"
    "ames\":[{\"filename\":\"a.py\",\"lineno\":1,\"name\":\"f\",\"locals\":{\"pw\":\"SECR"
    "ET\"}}]}]}",
    "{\"event\":\"e\",\"exception\":[{\"frames\":[{\"filename\":\"a.py\",\"lineno\":1,\"n"
    "ame\":\"f\",\"locals\":{\"d\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\""
    ":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":\"SECRET\"}}}}}}}}}}}}}}}}}"
    "}]}]}",
    "{\"event\":\"f\",\"exception\":[{\"weird\":1,\"frames\":\"x\",\"stacks\":[{\"locals\""
    ":{\"a\":\"SECRET\"}}]}]}",
    "{\"event\":\"g\",\"exception\":{\"stacks\":[{\"exc_type\":\"V\",\"exc_value\":\"m\","
    "\"frames\":[{\"filename\":\"x\",\"lineno\":1,\"locals\":{\"a\":\"SECRET\"}}]}]}}",
    "{\"event\":\"h\",\"error\":[{\"exc_type\":\"V\",\"exc_value\":\"m\",\"frames\":[{\"f"
    "ilename\":\"x\",\"lineno\":1,\"locals\":{\"a\":\"SECRET\"}}]}],\"traceback\":[{\"exc"
    "_type\":\"V\",\"exc_value\":\"m\",\"frames\":[{\"filename\":\"x\",\"lineno\":1,\"loc"
    "als\":{\"a\":\"SECRET\"}}]}]}",
    "{\"event\":\"i\",\"exception\":\"Traceback (most recent call last):\\n  File \\\"a\\\""
    "\\nV: m\",\"stack\":[{\"exc_type\":\"V\",\"exc_value\":\"m\",\"frames\":[{\"filename"
    "\":\"x\",\"lineno\":1,\"locals\":{\"a\":\"SECRET\"}}]}]}",
    "{\"event\":\"cut\",\"exception\":[{\"exc_type\":\"V\",\"frames\":[{\"filename\":\"x\""
    ",\"lineno\":1,\"locals\":{\"a\":\"SECRET\"}},{\"locals\" : [ \"SECRET\" ] , \"filena"
    "me\":\"y\"}]} BROKEN",
    "{\"event\":\"cut2\",\"exception\":[{\"exc_type\":\"V\",\"frames\":[{\"filename\":\"x"
    "\",\"lineno\":1,\"locals\":{\"a\":\"SECRET",
    "{\"event\":\"j\",\"labels\":{\"x\":[{\"filename\":\"a\",\"lineno\":1,\"locals\":{\"a"
    "\":\"SECRET\"}}]},\"req\":{\"trace\":[{\"frames\":[{\"locals\":{\"a\":\"SECRET\"}}]}"
    "]}}",
    "{\"event\":\"k\",\"err\":{\"message\":\"m\",\"frames\":[{\"filename\":\"a\",\"lineno"
    "\":1,\"locals\":{\"a\":[\"SECRET\"],\"b\":\"]}\\\\\"}}]}}",
    "{\"ecs.version\":\"1\",\"event\":\"l\",\"error\":{\"stack\":[{\"filename\":\"a\",\"l"
    "ineno\":1,\"locals\":{\"a\":\"SECRET\"}}]}}",
    "{\"event\":\"m\",\"exception\":[{\"exc_type\":\"G\",\"exceptions\":[[{\"exc_type\":\""
    "G\",\"exceptions\":[[{\"exc_type\":\"G\",\"exceptions\":[[{\"exc_type\":\"G\",\"exce"
    "ptions\":[[{\"exc_type\":\"G\",\"exceptions\":[[{\"exc_type\":\"V\",\"frames\":[{\"f"
    "ilename\":\"a\",\"lineno\":1,\"locals\":{\"a\":\"SECRET\"}}]}]]}]]}]]}]]}]]}]}",
    "{\"event\":\"n\",\"locals\":{\"fr\":\"kept\"},\"frames\":[{\"filename\":\"a\",\"loca"
    "ls\":null,\"lineno\":2}]}",
};

static void no_secret_leaves(void **state)
{
    (void)state;
    fixture_open(256 << 10);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *document = document_of(lines[i]);
        if (strstr(document, "SECRET"))
            fail_msg("%s", document);
        struct flat_document flat = flat_parse(document);
        assert_non_null(flat_at(&flat, "message"));
        flat_free(&flat);
    }
    fixture_close();
}

static void cut_lines_hold_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (size_t max = 16; max < strlen(lines[i]); max++) {
            fixture_open(max);
            decode_stream(slice_from(lines[i]));
            // What is cut before its first frame's file or line does not look like a frame.
            const char *frame = strstr(lines[i], "\"locals\"");
            const char *mark = strstr(lines[i], "exc_type");
            bool looks = frame && mark && (size_t)(mark - lines[i]) + 9 <= max;
            if (looks && strstr(documents.text[0], "SECRET"))
                fail_msg("at %zu: %s", max, documents.text[0]);
            fixture_close();
        }
    }
}

// The frames themselves stay, and what an app calls locals for reasons of its own.
static void the_rest_is_kept(void **state)
{
    (void)state;
    fixture_open(256 << 10);
    const char *document =
        document_of("{\"event\":\"e\",\"exception\":[{\"exc_type\":\"G\",\"exc_value\":\"two\","
                    "\"exc_notes\":[\"n\"],\"frames\":[{\"filename\":\"a.py\",\"lineno\":1,"
                    "\"name\":\"f\",\"locals\":{\"x\":\"SECRET\"}}],\"exceptions\":[[{\"exc_type\":"
                    "\"V\",\"exc_value\":\"in\",\"frames\":[{\"locals\":{},\"filename\":\"b.py\","
                    "\"lineno\":2,\"name\":\"g\"}]}]]}]}");
    assert_non_null(strstr(document,
                           "\"stack_trace\":\"G: two\\nn\\n  File \\\"a.py\\\", line 1, in f"
                           "\\nV: in\\n  File \\\"b.py\\\", line 2, in g\""));
    assert_non_null(strstr(document, "\"type\":\"G\""));
    document =
        document_of("{\"event\":\"e\",\"locals\":{\"fr\":1},\"i18n\":{\"locals\":[\"fr\"]}}");
    assert_non_null(strstr(document, "\"i18n\":{\"locals\":[\"fr\"]}"));
    assert_non_null(strstr(document, "\"locals\":{\"fr\":1}"));
    fixture_close();
}

static void objects_tell_type_message_and_trace(void **state)
{
    (void)state;
    static const char *const loggers[] = {
        "{\"level\":\"ERROR\",\"message\":\"e\",\"thrown\":{\"name\":\"a.B\",\"message\":\"m\","
        "\"extendedStackTrace\":\"a.B: m\\n\\tat c\"}}",
        "{\"event\":\"e\",\"exception\":{\"type\":\"a.B\",\"message\":\"m\",\"stacktrace\":"
        "\"a.B: m\\n\\tat c\"}}",
        "{\"Timestamp\":\"2026-11-22T19:31:38Z\",\"Level\":\"Error\",\"MessageTemplate\":\"e\","
        "\"Exception\":\"a.B: m\\n\\tat c\"}",
        "{\"message\":\"e\",\"stack_trace\":\"a.B: m\\n\\tat c\"}",
    };
    fixture_open(256 << 10);
    for (size_t i = 0; i < sizeof loggers / sizeof *loggers; i++) {
        struct flat_document flat = flat_parse(document_of(loggers[i]));
        assert_string_equal(flat_at(&flat, "message"), "\"e\"");
        assert_string_equal(flat_at(&flat, "error.type"), "\"a.B\"");
        assert_string_equal(flat_at(&flat, "error.message"), "\"m\"");
        assert_string_equal(flat_at(&flat, "error.stack_trace"), "\"a.B: m\\n\\tat c\"");
        flat_free(&flat);
    }
    fixture_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_secret_leaves),
        cmocka_unit_test(cut_lines_hold_none),
        cmocka_unit_test(the_rest_is_kept),
        cmocka_unit_test(objects_tell_type_message_and_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
