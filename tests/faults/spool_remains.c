// Takes a log apart from outside: nothing in the product does that.
#include "spool_remains.h"

#include "spool/spool_log.h"
#include "spool/stream_marks.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void spool_log_abandon(struct spool_log *log)
{
    loop_deferred_stop(&log->pump);
    loop_deferred_stop(&log->wake);
    loop_deferred_stop(&log->sync.ask);
    loop_deferred_stop(&log->sync.advance);
    loop_timer_stop(&log->sync.again);
    loop_timer_stop(&log->resume);
    loop_timer_stop(&log->trim);
    loop_timer_stop(&log->retry);
    if (log->sync.thread)
        sync_thread_withdraw(log->sync.thread, &log->sync.request);
    for (uint32_t i = 0; i < log->live_count; i++)
        segment_detach(log->live[i]);
    while (log->free) {
        struct segment *segment = log->free;
        log->free = segment->next;
        segment_detach(segment);
    }
    stream_marks_free(log->streams);
    loop_deferred_stop(&log->settled.advance);
    refusals_deinit(&log->settled.refusals);
    backlog_close(log);
    store_close(log->store);
    free(log->live);
    free(log);
}

bool spool_folder_make(char out[SPOOL_FOLDER_SIZE])
{
    static const char *const places[] = {"/dev/shm", "/tmp"};
    for (unsigned i = 0; i < 2; i++) {
        snprintf(out, SPOOL_FOLDER_SIZE, "%s/sluice-spool-XXXXXX", places[i]);
        if (mkdtemp(out))
            return true;
    }
    return false;
}

void spool_folder_remove(const char *folder)
{
    DIR *open = opendir(folder);
    struct dirent *entry;
    char path[512];
    if (!open)
        return;
    while ((entry = readdir(open))) {
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        unlink(path); // not . and ..
    }
    closedir(open);
    rmdir(folder);
}
