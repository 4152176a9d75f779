// Where a log's segments live: anonymous memory (level `memory`), or files of one folder that this
// log alone holds (levels `process` and `node`).
//
// A folder has a file `lock`, held as long as the store is open, and segments named by a number,
// `00000007.segment`. What cannot be read is renamed to `….damaged` and left alone.
// Source: memfd_create(2), fallocate(2), flock(2). Loop thread only.
#ifndef SLUICE_SPOOL_STORE_H
#define SLUICE_SPOOL_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_guard;
struct store;

// The bytes of one segment, mapped.
struct store_piece {
    uint8_t *data; // size bytes; NULL: none
    uint32_t size;
    uint32_t number;          // of its file; 0: memory
    int fd;                   // -1: none
    struct page_guard *guard; // of data
};

// name: of the exporter, as /proc shows it.
int store_open_memory(struct store **out, const char *name);
// Creates the folder (mode 0700) where it is missing, and takes its lock. min_free: bytes that
// store_create leaves on the device. 0, -EWOULDBLOCK (another process holds it), or -errno.
int store_open_folder(struct store **out, const char *folder, uint64_t min_free);
// Pieces must have been put away before. NULL is fine.
void store_close(struct store *store);
// The folder's descriptor, not for closing; -1: memory.
int store_folder(const struct store *store);
// Whether pieces outlive the process.
bool store_is_folder(const struct store *store);

// Reserved before it is written: a store into a hole could end the agent. Zeros. 0 or -errno
// (-ENOSPC: no room on the device; -EDQUOT: less than min_free would be left).
int store_create(struct store *store, uint32_t size, struct store_piece *out);
// The file of that number, mapped as large as it is (rounded down to a page). 0 or -errno.
int store_attach(struct store *store, uint32_t number, struct store_piece *out);
// Reads the first size bytes of that file; what it is shorter by is zeros. How many there were, or
// -errno.
int store_peek(struct store *store, uint32_t number, void *out, size_t size);
// The highest number of a file so far, of those that store_list found and of new ones.
uint32_t store_highest(const struct store *store);

// Gives the memory back and leaves the file. Safe twice, and on a zeroed piece with fd -1.
void store_detach(struct store_piece *piece);
// Removes the file too.
void store_remove(struct store *store, struct store_piece *piece);
// Renames a file that cannot be read, so that no start looks at it again. 0 or -errno.
int store_set_aside(struct store *store, uint32_t number);

// The folder, where a file was made in it since this was asked last, to be synced (fsync); else -1.
// Not for closing.
int store_folder_to_sync(struct store *store);
// It could not be: to be synced again.
void store_folder_changed(struct store *store);

// Numbers of the segments in the folder, in no order; the caller frees. 0 or -errno.
int store_list(struct store *store, uint32_t **numbers, size_t *count);

#endif
