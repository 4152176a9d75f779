// Fills closed standard streams, and writes to stdout without being held up by it.
#include "base/standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void standard_streams_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) < 0)
            return; // nothing to fill it with
}

void standard_streams_say(const char *text, int wait_ms)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (poll(&out, 1, wait_ms) == 0)
        return;
    fflush(stdout); // what others have said comes first
    fputs(text, stdout);
    fflush(stdout);
}
