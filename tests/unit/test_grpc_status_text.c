// Status messages, RetryInfo and base64: there and back, and what others write.
#include "base/clock.h"
#include "grpc/base64.h"
#include "grpc/status_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void encodes(const char *message, const char *expected)
{
    char out[STATUS_ENCODED_MAX], back[STATUS_MESSAGE_MAX];
    size_t size = status_message_encode(slice_from(message), out);
    assert_true(slice_equal(slice_of(out, size), slice_from(expected)));
    size_t n = status_message_decode(slice_of(out, size), back, sizeof back);
    assert_true(slice_equal(slice_of(back, n), slice_from(message)));
}

static void test_message(void **state)
{
    (void)state;
    encodes("", "");
    encodes("queue full", "queue full");
    encodes("100%", "100%25");
    encodes("zu groß\n", "zu gro%C3%9F%0A");
    encodes(" edges ", "%20edges%20");
    encodes(" ", "%20");
}

static void test_message_is_cut(void **state)
{
    (void)state;
    char *text = malloc(5000), out[STATUS_ENCODED_MAX];
    memset(text, '%', 5000);
    assert_int_equal(status_message_encode(slice_of(text, 5000), out), STATUS_ENCODED_MAX);
    assert_int_equal(status_message_decode(slice_of(text, 5000), out, 10), 10);
    free(text);
}

static void test_broken_escapes_stay(void **state)
{
    (void)state;
    const char *broken[] = {"%", "%4", "%zz", "50% off", "a%4"};
    char out[64];
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        size_t n = status_message_decode(slice_from(broken[i]), out, sizeof out);
        assert_true(slice_equal(slice_of(out, n), slice_from(broken[i])));
    }
    assert_int_equal(status_message_decode(SLICE("%e2%82%AC"), out, sizeof out), 3);
    assert_memory_equal(out, "\xe2\x82\xac", 3);
}

static void test_base64(void **state)
{
    (void)state;
    const char *pairs[][2] = {{"", ""},        {"f", "Zg"},        {"fo", "Zm8"},
                              {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xff\xfb", "//s"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[16];
        uint8_t back[16];
        size_t n = base64_encode(slice_from(pairs[i][0]), text), size = 99;
        assert_true(slice_equal(slice_of(text, n), slice_from(pairs[i][1])));
        assert_true(base64_decode(slice_of(text, n), back, sizeof back, &size));
        assert_true(slice_equal(slice_of(back, size), slice_from(pairs[i][0])));
    }
    uint8_t back[4];
    size_t size;
    assert_true(base64_decode(SLICE("Zg=="), back, sizeof back, &size));
    assert_int_equal(size, 1);
    assert_false(base64_decode(SLICE("Z"), back, sizeof back, &size));
    assert_false(base64_decode(SLICE("Zm9vY"), back, sizeof back, &size));
    assert_false(base64_decode(SLICE("Zg==="), back, sizeof back, &size));
    assert_false(base64_decode(SLICE("Z g"), back, sizeof back, &size));
    assert_false(base64_decode(SLICE("Zm9vYmFy"), back, sizeof back, &size)); // six bytes
}

static void test_retry_info(void **state)
{
    (void)state;
    const uint64_t delays[] = {1, NS_PER_MS, NS_PER_S, 90 * NS_PER_S + 1, 3600 * NS_PER_S};
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        struct grpc_status status = {GRPC_RESOURCE_EXHAUSTED, "slow down", delays[i]};
        char out[STATUS_DETAILS_MAX];
        uint64_t delay = 0;
        size_t size = status_details_encode(&status, out);
        assert_true(size > 0 && size < sizeof out);
        assert_true(status_details_retry(slice_of(out, size), &delay));
        assert_int_equal(delay, delays[i]);
    }
    char *text = calloc(1, 3000), out[STATUS_DETAILS_MAX];
    memset(text, 'x', 2999);
    struct grpc_status status = {GRPC_UNAVAILABLE, text, UINT64_MAX};
    assert_true(status_details_encode(&status, out) <= sizeof out);
    free(text);
}

// What another implementation wrote: code 8, "slow down", RetryInfo of 1 s.
static void test_retry_info_of_others(void **state)
{
    (void)state;
    static const uint8_t details[] =
        "\x08\x08\x12\x09slow down\x1a\x30\x0a\x28"
        "type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x01";
    char text[200];
    uint64_t delay = 0;
    size_t n = base64_encode(slice_of(details, sizeof details - 1), text);
    assert_true(status_details_retry(slice_of(text, n), &delay));
    assert_int_equal(delay, NS_PER_S);
    // Its absence, another detail, and junk.
    uint8_t other[sizeof details];
    memcpy(other, details, sizeof details);
    other[30] = 'X';
    n = base64_encode(slice_of(other, sizeof details - 1), text);
    assert_false(status_details_retry(slice_of(text, n), &delay));
    assert_false(status_details_retry(SLICE(""), &delay));
    assert_false(status_details_retry(SLICE("CAgSCQ"), &delay));
    assert_false(status_details_retry(SLICE("!"), &delay));
    // A negative delay: ten bytes of varint.
    static const uint8_t negative[] =
        "\x1a\x39\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x0d\x0a\x0b\x08"
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    n = base64_encode(slice_of(negative, sizeof negative - 1), text);
    assert_false(status_details_retry(slice_of(text, n), &delay));
}

static void test_codes(void **state)
{
    (void)state;
    assert_int_equal(status_code_parse(SLICE("0")), GRPC_OK);
    assert_int_equal(status_code_parse(SLICE("16")), GRPC_UNAUTHENTICATED);
    assert_int_equal(status_code_parse(SLICE("17")), GRPC_UNKNOWN);
    assert_int_equal(status_code_parse(SLICE("")), GRPC_UNKNOWN);
    assert_int_equal(status_code_parse(SLICE("-1")), GRPC_UNKNOWN);
    assert_int_equal(status_code_parse(SLICE("000")), GRPC_UNKNOWN);
    assert_int_equal(status_from_http(401), GRPC_UNAUTHENTICATED);
    assert_int_equal(status_from_http(503), GRPC_UNAVAILABLE);
    assert_int_equal(status_from_http(200), GRPC_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_message_is_cut),
        cmocka_unit_test(test_broken_escapes_stay),
        cmocka_unit_test(test_base64),
        cmocka_unit_test(test_retry_info),
        cmocka_unit_test(test_retry_info_of_others),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
