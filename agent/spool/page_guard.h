// Survives the loss of a page under a mapping: a file that was cut, a device that cannot read, a
// copy-on-write or network filesystem that has no room left (SIGBUS).
//
// The page is replaced by one of zeros that is the process's own, and counted, so that whoever
// relies on its bytes can tell. A fault anywhere else ends the process as it would have.
// page_guard_add and _remove: loop thread only. The fault may happen on any thread that does not
// block SIGBUS: the kernel kills a process whose faulting thread blocks it.
// Source: mmap(2), sigaction(2), signal-safety(7).
#ifndef SLUICE_SPOOL_PAGE_GUARD_H
#define SLUICE_SPOOL_PAGE_GUARD_H

#include <stddef.h>
#include <stdint.h>

struct page_guard; // of one mapping

// Takes SIGBUS for the process, once; further calls do nothing. 0 or -errno.
int page_guard_install(void);

// Guards size bytes at data, which start on a page. 0 or -ENOMEM.
int page_guard_add(struct page_guard **out, const void *data, size_t size);
// Before it is unmapped. NULL is fine.
void page_guard_remove(struct page_guard *guard);

// Pages of the mapping that were replaced so far; 0 for NULL. What was read from it before the call
// is what was stored there if this is what it was then.
uint32_t page_guard_lost(const struct page_guard *guard);
// Those of any mapping that the calling thread ran into.
uint32_t page_guard_mine(void);
// Those of any mapping that any thread ran into.
uint32_t page_guard_all(void);

#endif
