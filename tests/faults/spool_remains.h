// What a spool log leaves behind when its agent is killed.
#ifndef SLUICE_TESTS_SPOOL_REMAINS_H
#define SLUICE_TESTS_SPOOL_REMAINS_H

struct spool_log;

// Frees the log as SIGKILL does: its memory and lock go, its files stay as they are. The exporter
// may still hold parcels, and forgets them.
void spool_log_abandon(struct spool_log *log);
// Removes the folder of a log and what is in it. Fine where it is not there.
void spool_folder_remove(const char *folder);

#endif
