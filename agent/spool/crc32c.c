// CRC32C in hardware and in software.
//
// The instruction takes 8 bytes in one cycle but answers after three, so three streams run side by
// side and are joined: a CRC is linear, and moving one over n bytes of zeros is a multiplication by
// x^(8n), for which one carry-less multiplication and one more CRC instruction do (the product of
// two reflected 32-bit values stands for x times the product, and the instruction multiplies by
// x^32: hence x^(8n-33) below).
#include "spool/crc32c.h"

#include "base/error.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u // 0x1EDC6F41 reflected

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_fill(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 255];
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c_software(uint32_t crc, const void *data, size_t size)
{
    assert(data || size == 0);
    pthread_once(&tables_once, tables_fill);
    const uint8_t *p = data;
    crc = ~crc;
    for (; size >= 8; p += 8, size -= 8) {
        uint32_t low = get_u32(p) ^ crc;
        uint32_t high = get_u32(p + 4);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
              tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; size > 0; p++, size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 255];
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

bool crc32c_has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

static inline uint64_t load_u64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

// The widths of one stream, and what moves a CRC over one and over two of them: x^(8n-33) mod the
// polynomial, reflected.
#define WIDE ((size_t)256)
#define WIDE_ONCE 0xb9e02b86u
#define WIDE_TWICE 0xdd7e3b0cu
#define NARROW ((size_t)64)
#define NARROW_ONCE 0x9e4addf8u
#define NARROW_TWICE 0x0d3b6092u

HARDWARE static inline uint64_t three_streams(uint64_t crc, const uint8_t *p, size_t width,
                                              uint32_t once, uint32_t twice)
{
    uint64_t second = 0;
    uint64_t third = 0;
    for (size_t i = 0; i < width; i += 8) {
        crc = _mm_crc32_u64(crc, load_u64(p + i));
        second = _mm_crc32_u64(second, load_u64(p + width + i));
        third = _mm_crc32_u64(third, load_u64(p + 2 * width + i));
    }
    __m128i first_moved =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128(twice), 0);
    __m128i second_moved =
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)second), _mm_cvtsi64_si128(once), 0);
    __m128i moved = _mm_xor_si128(first_moved, second_moved);
    return third ^ _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(moved));
}

HARDWARE uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size)
{
    assert(data || size == 0);
    const uint8_t *p = data;
    uint64_t state = (uint32_t)~crc;
    for (; size >= 3 * WIDE; p += 3 * WIDE, size -= 3 * WIDE)
        state = three_streams(state, p, WIDE, WIDE_ONCE, WIDE_TWICE);
    for (; size >= 3 * NARROW; p += 3 * NARROW, size -= 3 * NARROW)
        state = three_streams(state, p, NARROW, NARROW_ONCE, NARROW_TWICE);
    for (; size >= 8; p += 8, size -= 8)
        state = _mm_crc32_u64(state, load_u64(p));
    for (; size > 0; p++, size--)
        state = _mm_crc32_u8((uint32_t)state, *p);
    return ~(uint32_t)state;
}

#else

bool crc32c_has_hardware(void)
{
    return false;
}

uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size)
{
    return crc32c_software(crc, data, size);
}

#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t size)
{
    return crc32c_has_hardware() ? crc32c_hardware(crc, data, size)
                                 : crc32c_software(crc, data, size);
}
