// A device below a spool's folder that writes pages when it likes, until the power goes.
//
// It keeps every version of every page of the segments since the last sync that was reported, and
// makes of them what the device may hold: each page old, new, between, or torn; files and their
// sizes only where the folder or the file was synced. Takes the place of spool/sync_thread.c.
#ifndef SLUICE_TESTS_POWER_DEVICE_H
#define SLUICE_TESTS_POWER_DEVICE_H

#include "random.h"

#include "spool/sync_thread.h"

#include <stdbool.h>
#include <stdint.h>

struct device;

// What is in the folder now is on the device.
struct device *device_new(const char *folder, struct random *random);
void device_free(struct device *device);
struct sync_thread *device_sync_thread(struct device *device);

// Looks at what was stored since the last time. author: who runs, for device_header_author.
void device_observe(struct device *device, uint32_t author);
// Ends the oldest sync that was asked for, if any; now and then with EIO.
void device_sync(struct device *device);
// Writes what the device holds without power into the folder; every file must be unmapped.
void device_cut(struct device *device);
// Who wrote the header that the file of this number has had since the last cut.
uint32_t device_header_author(const struct device *device, uint32_t number);

struct device_counts {
    uint64_t cuts, syncs, failures, dirty, torn, absent, shortened;
};
const struct device_counts *device_counts(const struct device *device);

#endif
