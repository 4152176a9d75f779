// What a spool log leaves behind when its agent is killed.
#ifndef SLUICE_TESTS_SPOOL_REMAINS_H
#define SLUICE_TESTS_SPOOL_REMAINS_H

#include <stdbool.h>

struct spool_log;

// Frees the log as SIGKILL does: its memory and lock go, its files stay as they are. The exporter
// may still hold parcels, and forgets them.
void spool_log_abandon(struct spool_log *log);
#define SPOOL_FOLDER_SIZE 64
// A folder for logs, in memory where the machine has such a place. False: none can be made.
bool spool_folder_make(char out[SPOOL_FOLDER_SIZE]);
// Removes the folder of a log and what is in it. Fine where it is not there.
void spool_folder_remove(const char *folder);

#endif
