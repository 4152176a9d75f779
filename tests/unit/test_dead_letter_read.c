// A dead letter read back is the parcel that was refused, and a line that was mended wrongly is
// told by its member.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/dead_letter_line.h"
#include "deliver/dead_letter_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct parcel parcel_of(struct slice payload)
{
    struct parcel parcel = {.payload = payload,
                            .records = 3,
                            .time_ns = 1700000000123456789,
                            .severity = 17,
                            .signal = SIGNAL_SPANS,
                            .topic = SLICE("lo\"gs"),
                            .key = SLICE("k\x01\n\"\\"),
                            .headers = SLICE("\1\0h\2\0\0\0ab")};
    memcpy(parcel.id, "\x01\x23\x45\x67\x89\xab\xcd\xef ABCDEFG", 16);
    return parcel;
}

static void comes_back(struct parcel parcel, bool otlp)
{
    struct dead_letter letter = {77, "kafka", "too large", &parcel};
    struct dead_letter_read read;
    const char *problem = NULL;
    size_t size;
    char *line = dead_letter_line(&letter, &size);
    assert_non_null(line);
    int r = dead_letter_read(&read, slice_of(line, size - 1), &problem);
    if (r != 0)
        print_message("%s: %s", problem, line);
    assert_int_equal(r, 0);
    assert_string_equal(read.exporter, "kafka");
    assert_int_equal(read.otlp, otlp);
    assert_true(slice_equal(read.parcel.payload, parcel.payload));
    assert_true(slice_equal(read.parcel.topic, parcel.topic));
    assert_true(slice_equal(read.parcel.key, parcel.key));
    assert_true(slice_equal(read.parcel.headers, parcel.headers));
    assert_memory_equal(read.parcel.id, parcel.id, 16);
    assert_int_equal(read.parcel.records, parcel.records);
    assert_int_equal(read.parcel.time_ns, parcel.time_ns);
    assert_int_equal(read.parcel.severity, parcel.severity);
    assert_int_equal(read.parcel.signal, parcel.signal);
    dead_letter_read_deinit(&read);
    free(line);
}

static void what_was_written_comes_back(void **state)
{
    (void)state;
    comes_back(parcel_of(SLICE("{\"m\":\"\\\"}{\",\"document\":{\"a\":[1,{}]},\"n\":1e400,\"u\":"
                               "18446744073709551615,\"\xc3\xa9\":null}\n")),
               false);
    comes_back(parcel_of(SLICE("{}\n")), false);
    for (size_t size = 1; size < 9; size++)
        comes_back(parcel_of(slice_of("\n\x07\0\xff\x80{}\n=", size)), true);
    struct parcel bare = {.payload = SLICE("{}\n"), .records = 1};
    comes_back(bare, false);
    bare.key = SLICE("\xff\xfe"); // no text
    comes_back(bare, false);
}

#define HEAD "{\"exporter\":\"k\",\"id\":\"000102030405060708090a0b0c0d0e0f\""

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *says; // NULL: none
    } cases[] = {
        {HEAD ",\"records\":1,\"document\":{}}", NULL},
        {"{\"document\" : {\"a\" : 1} ,\"new\":[{\"id\":\"x\"}],\"records\":1,\"id\":"
         "\"000102030405060708090a0b0c0d0e0f\",\"exporter\":\"k\"}",
         NULL},
        {"", "JSON"},
        {"{}", "exporter"},
        {"[]", "exporter"},
        {HEAD, "JSON"},
        {HEAD ",\"records\":1,\"document\":{}}}", "JSON"},
        {HEAD ",\"records\":1,\"document\":{,}}", "JSON"},
        {HEAD ",\"document\":{}}", "records"},
        {HEAD ",\"records\":0,\"document\":{}}", "records"},
        {HEAD ",\"records\":1.5,\"document\":{}}", "records"},
        {HEAD ",\"records\":99999999999,\"document\":{}}", "records"},
        {HEAD ",\"records\":1}", "document"},
        {HEAD ",\"records\":1,\"document\":\"x\"}", "document"},
        {HEAD ",\"records\":1,\"document\":[1]}", "document"},
        {HEAD ",\"records\":1,\"otlp_base64\":\"a\"}", "otlp_base64"},
        {HEAD ",\"records\":1,\"otlp_base64\":\"a=bc\"}", "otlp_base64"},
        {HEAD ",\"records\":1,\"otlp_base64\":\"ab!?\"}", "otlp_base64"},
        {HEAD ",\"records\":1,\"otlp_base64\":\"e30=\"}", "otlp_base64"}, // {}
        {HEAD ",\"records\":1,\"otlp_base64\":\"CgA=\",\"document\":{}}", "both"},
        {HEAD ",\"records\":1,\"document\":{},\"otlp_base64\":\"CgA=\"}", "both"},
        {HEAD ",\"records\":1,\"record_time\":\"9999-12-31T23:59:59.000000000Z\","
              "\"document\":{}}",
         "record_time"},
        {HEAD ",\"records\":1,\"key_base64\":\"====\",\"document\":{}}", "key_base64"},
        {HEAD ",\"records\":1,\"headers_base64\":\"1\",\"document\":{}}", "headers_base64"},
        {HEAD ",\"records\":1,\"signal\":\"log\",\"document\":{}}", "signal"},
        {HEAD ",\"records\":1,\"severity\":25,\"document\":{}}", "severity"},
        {HEAD ",\"records\":1,\"record_time\":\"today\",\"document\":{}}", "record_time"},
        {"{\"exporter\":\"k\",\"id\":\"0g\",\"records\":1,\"document\":{}}", "id"},
        {"{\"exporter\":\"\",\"records\":1,\"document\":{}}", "exporter"},
        {"{\"exporter\":\"k\",\"records\":1,\"document\":{}}", "id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct dead_letter_read read;
        const char *problem = NULL;
        int r = dead_letter_read(&read, slice_from(cases[i].line), &problem);
        if (r == 0)
            dead_letter_read_deinit(&read);
        assert_int_equal(r, cases[i].says ? -EINVAL : 0);
        if (cases[i].says && !strstr(problem, cases[i].says))
            fail_msg("%s: %s", cases[i].line, problem);
    }
}

static void the_last_of_two_counts(void **state)
{
    (void)state;
    struct dead_letter_read read;
    const char *problem = NULL;
    struct slice line = SLICE(HEAD ",\"exporter\":\"longer\",\"exporter\":\"ab\",\"records\":1,"
                                   "\"document\":{\"a\":1},\"document\":{\"b\":2}}");
    assert_int_equal(dead_letter_read(&read, line, &problem), 0);
    assert_string_equal(read.exporter, "ab");
    assert_true(slice_equal(read.parcel.payload, SLICE("{\"b\":2}\n")));
    dead_letter_read_deinit(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_comes_back),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_last_of_two_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
