// Tells when files change, without a timer: certificates, the downward API's files, the settings.
//
// The files' folders are watched too, so that a file that is replaced by a rename, that appears
// later, or that a symbolic link swaps (a Kubernetes volume) is seen. Several changes in short
// order are told once. Source: inotify(7). Loop thread only.
#ifndef SLUICE_BASE_FILE_WATCH_H
#define SLUICE_BASE_FILE_WATCH_H

#include <stddef.h>

struct file_watch;
struct loop;

// changed is called from the loop, after the files have been quiet for a moment; contents may be
// the same as before. paths are copied; empty ones are skipped. 0, -ENOMEM or -errno of inotify.
// A folder that is not there is not watched: no error.
int file_watch_new(struct file_watch **out, struct loop *loop, const char *const *paths,
                   size_t count, void (*changed)(void *ctx), void *ctx);
// NULL is fine. Not from inside changed.
void file_watch_free(struct file_watch *watch);

#endif
