// The memory that the kernel lets this process have: its cgroup's limit.
//
// Source: cgroups(7), the kernel's admin-guide/cgroup-v2 and cgroup-v1/memory.
#ifndef SLUICE_BASE_MEMORY_LIMIT_H
#define SLUICE_BASE_MEMORY_LIMIT_H

#include <stdint.h>

// Bytes, the strictest on the way up the hierarchy; 0: no limit, or none that can be read.
// proc and cgroup are "/proc" and "/sys/fs/cgroup", or a copy of them in a test.
uint64_t memory_limit_read(const char *proc, const char *cgroup);

// Resident bytes of this process now; 0 where /proc cannot be read.
uint64_t memory_resident(void);

#endif
