// An app that logs and traces through libsluice: native logs|spans COUNT. SLUICE_SOCKET and
// OTEL_SERVICE_NAME say the rest.
#include "sluice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS_PER_TRACE 10
#define FLUSH_EVERY 500 // the client's buffer is bounded: wait for the agent now and then
#define FLUSH_MS 60000

static void flush(struct sluice *sluice)
{
    int r = sluice_flush(sluice, FLUSH_MS);
    if (r == 0)
        return;
    fprintf(stderr, "flush: %s\n", strerror(-r));
    exit(1);
}

static void send_logs(struct sluice *sluice, long count)
{
    for (long n = 0; n < count; n++) {
        sluice_log(sluice, SLUICE_INFO, "native says grüße",
                   SLUICE_FIELDS(sluice_string("producer", "native"), sluice_integer("n", n),
                                 sluice_double("ratio", 0.5), sluice_boolean("flag", n % 2 == 0)));
        if (n % FLUSH_EVERY == FLUSH_EVERY - 1)
            flush(sluice);
    }
}

static void send_spans(struct sluice *sluice, long count)
{
    for (long made = 0; made < count; made += SPANS_PER_TRACE) {
        struct sluice_span *root = sluice_span_start(sluice, "request", SLUICE_SERVER, NULL);
        for (long child = 1; child < SPANS_PER_TRACE; child++) {
            char name[32];
            snprintf(name, sizeof name, "step-%ld", child);
            struct sluice_span *span =
                sluice_span_start(sluice, name, SLUICE_INTERNAL, sluice_span_context(root));
            sluice_span_set(span, SLUICE_FIELDS(sluice_integer("n", made + child)));
            sluice_span_end(span);
        }
        sluice_span_status(root, SLUICE_FAILED, "boom");
        sluice_span_end(root);
        if (made % FLUSH_EVERY == 0)
            flush(sluice);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct sluice_stats stats;
    struct sluice *sluice = sluice_open(&(struct sluice_options){0});
    long count = strtol(argv[2], NULL, 10);
    if (strcmp(argv[1], "spans") == 0)
        send_spans(sluice, count);
    else
        send_logs(sluice, count);
    flush(sluice);
    sluice_stats(sluice, &stats);
    if (stats.dropped || stats.unconfirmed)
        fprintf(stderr, "dropped %llu, unconfirmed %llu\n", (unsigned long long)stats.dropped,
                (unsigned long long)stats.unconfirmed);
    bool lost = sluice_close(sluice) > 0 || stats.dropped > 0;
    return lost;
}
