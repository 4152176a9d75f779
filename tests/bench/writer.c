// Writes structlog's JSON lines of a fixed length to a Unix socket, as fast as the reader takes
// them.
//
//     writer SOCKET COUNT [BYTES]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINES 1000 // prepared once, so that the writer's own CPU time does not slow the reader

// One line of exactly `bytes` bytes with its newline, as a structlog app writes at the end of a
// request.
static size_t make_line(char *out, size_t bytes, unsigned n)
{
    int size = snprintf(out, bytes + 1,
                        "{\"status_code\": 200, \"duration_ms\": %u.53, "
                        "\"event\": \"request_completed\", \"path\": \"/users/%u\", "
                        "\"request_id\": \"req-%06u\", \"method\": \"GET\", \"level\": \"info\", "
                        "\"trace_id\": \"9ace0a3a3a1e1dbb55cc4b1213%06x\", "
                        "\"span_id\": \"8445095ea8%06x\", "
                        "\"timestamp\": \"2026-11-22T19:38:25.%06uZ\", \"user_agent\": \"",
                        n % 90 + 10, n, n, n + 1, n + 1, n);
    if (size < 0 || (size_t)size + 3 > bytes) {
        fprintf(stderr, "a line needs at least %d bytes\n", size + 3);
        exit(2);
    }
    size_t at = (size_t)size;
    while (at < bytes - 3)
        out[at++] = 'x';
    memcpy(out + at, "\"}\n", 3);
    return at + 3;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 325;
    unsigned long count = strtoul(argv[2], NULL, 10);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *block = malloc(LINES * (bytes + 1));
    size_t starts[LINES + 1], size = 0;
    for (unsigned n = 0; n < LINES; n++) {
        starts[n] = size;
        size += make_line(block + size, bytes, n);
    }
    starts[LINES] = size;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror(argv[1]);
        return 1;
    }
    while (count > 0) {
        size_t lines = count < LINES ? count : LINES;
        for (size_t at = 0; at < starts[lines];) {
            ssize_t n = send(fd, block + at, starts[lines] - at, MSG_NOSIGNAL);
            if (n < 0) {
                perror("send");
                return 1;
            }
            at += (size_t)n;
        }
        count -= lines;
    }
    free(block);
    return 0;
}
