// CRC32C: the vectors of RFC 3720 B.4, hardware against software, and cuts at every place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/crc32c.h"

#include <stdlib.h>
#include <string.h>

typedef uint32_t (*crc_function)(uint32_t crc, const void *data, size_t size);

static void vectors_hold(crc_function crc)
{
    uint8_t bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc(0, bytes, sizeof bytes), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(crc(0, bytes, sizeof bytes), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc(0, bytes, sizeof bytes), 0x113fdb5c);
    static const uint8_t iscsi_read[48] = {
        0x01, 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    assert_int_equal(crc(0, iscsi_read, sizeof iscsi_read), 0xd9963a56);
    assert_int_equal(crc(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc(0, NULL, 0), 0);
}

static void test_vectors(void **state)
{
    (void)state;
    vectors_hold(crc32c);
    vectors_hold(crc32c_software);
    if (crc32c_has_hardware())
        vectors_hold(crc32c_hardware);
}

#define NOISE 4096

static uint8_t *noise_new(void)
{
    uint8_t *noise = malloc(NOISE);
    assert_non_null(noise);
    uint32_t x = 2463534242u;
    for (size_t i = 0; i < NOISE; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        noise[i] = (uint8_t)x;
    }
    return noise;
}

static void test_hardware_agrees_with_software(void **state)
{
    (void)state;
    if (!crc32c_has_hardware())
        skip();
    uint8_t *noise = noise_new();
    for (size_t size = 0; size <= 2600; size++) {
        size_t start = size % 9;
        uint32_t before = (uint32_t)size * 2654435761u;
        assert_int_equal(crc32c_hardware(before, noise + start, size),
                         crc32c_software(before, noise + start, size));
    }
    free(noise);
}

static void test_parts_make_the_whole(void **state)
{
    (void)state;
    uint8_t *noise = noise_new();
    uint32_t whole = crc32c(0, noise, 1500);
    for (size_t cut = 0; cut <= 1500; cut++) {
        uint32_t first = crc32c(0, noise, cut);
        assert_int_equal(crc32c(first, noise + cut, 1500 - cut), whole);
        assert_int_equal(crc32c_software(first, noise + cut, 1500 - cut), whole);
    }
    free(noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_hardware_agrees_with_software),
        cmocka_unit_test(test_parts_make_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
