// CRC32C (Castagnoli), the checksum of segments: the processor's instruction where it has one, else
// tables.
//
// Any thread. Source: RFC 3720 §12.1 and appendix B.4 (test vectors).
#ifndef SLUICE_SPOOL_CRC32C_H
#define SLUICE_SPOOL_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Extends crc by data: crc32c(crc32c(0, a), b) is that of a and b back to back. Starts with 0.
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

// The two ways behind it, apart so that they can be tested against each other.
uint32_t crc32c_software(uint32_t crc, const void *data, size_t size);
bool crc32c_has_hardware(void);
// Only where crc32c_has_hardware() says so.
uint32_t crc32c_hardware(uint32_t crc, const void *data, size_t size);

#endif
