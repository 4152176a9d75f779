// Drives the OTLP exporter alone: otlp_sender ENDPOINT PARCELS BYTES TIMEOUT_MS [gzip]
//
// Sends PARCELS span fragments of BYTES each in requests of ten, waits for every verdict, and
// prints the sums. Exits 1 where a minute brings no end.
#include "base/clock.h"
#include "base/loop.h"
#include "deliver/otlp.h"
#include "proto/wire.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_NS (60 * NS_PER_S)

struct sender {
    struct loop *loop;
    struct exporter *exporter;
    struct loop_timer patience;
    uint8_t *fragment;
    size_t fragment_size;
    unsigned long total, offered, delivered, dead, returned, refused;
    char reason[256];
};

static void offer_more(struct sender *sender)
{
    while (sender->offered < sender->total) {
        struct parcel parcel = {.position = sender->offered,
                                .payload = slice_of(sender->fragment, sender->fragment_size),
                                .records = 1,
                                .signal = SIGNAL_SPANS};
        sender->offered++;
        if (sender->exporter->ops->offer(sender->exporter, &parcel) == EXPORTER_FULL) {
            sender->offered--;
            return;
        }
    }
}

static void verdicts_take(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct sender *sender = ctx;
    for (size_t i = 0; i < n; i++) {
        sender->delivered += verdicts[i].kind == VERDICT_DELIVERED;
        sender->dead += verdicts[i].kind == VERDICT_DEAD;
        sender->returned += verdicts[i].kind == VERDICT_RETURNED;
        sender->refused += verdicts[i].refused;
        if (verdicts[i].reason)
            snprintf(sender->reason, sizeof sender->reason, "%s", verdicts[i].reason);
    }
    offer_more(sender);
    if (sender->delivered + sender->dead + sender->returned == sender->total)
        loop_stop(sender->loop);
}

static void patience_over(struct loop_timer *timer)
{
    struct sender *sender =
        (struct sender *)(void *)((char *)timer - offsetof(struct sender, patience));
    loop_stop(sender->loop);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fputs("otlp_sender ENDPOINT PARCELS BYTES TIMEOUT_MS [gzip]\n", stderr);
        return 2;
    }
    struct sender sender = {.total = strtoul(argv[2], NULL, 10),
                            .patience = {.expired = patience_over}};
    struct exporter_book book = {0};
    size_t size = strtoul(argv[3], NULL, 10);
    sender.fragment = calloc(1, size + 16);
    if (!sender.fragment || loop_new(&sender.loop) < 0)
        return 2;
    // ResourceSpans.schema_url: text of that many bytes is a legal fragment.
    uint8_t *end = wire_put_length(sender.fragment, 1, wire_bytes_size(3, size));
    end = wire_put_length(end, 3, size);
    memset(end, 'u', size);
    sender.fragment_size = (size_t)(end - sender.fragment) + size;
    struct otlp_exporter_config config = {.name = "otlp",
                                          .endpoint = argv[1],
                                          .gzip = argc > 5,
                                          .timeout_ns = strtoul(argv[4], NULL, 10) * NS_PER_MS,
                                          .max_records = 10,
                                          .loop = sender.loop,
                                          .clock = clock_system(),
                                          .book = &book};
    if (otlp_exporter_new(&sender.exporter, &config) < 0)
        return 2;
    sender.exporter->ops->start(sender.exporter, (struct verdict_sink){verdicts_take, &sender});
    loop_timer_start(sender.loop, &sender.patience, PATIENCE_NS);
    offer_more(&sender);
    sender.exporter->ops->flush(sender.exporter, true);
    loop_run(sender.loop);
    bool late = !sender.patience.armed;
    loop_timer_stop(&sender.patience);
    sender.exporter->ops->free(sender.exporter);
    loop_free(sender.loop);
    free(sender.fragment);
    printf("delivered=%lu dead=%lu returned=%lu refused=%lu requests=%lu retries=%lu failures=%lu "
           "reason=%s\n",
           sender.delivered, sender.dead, sender.returned, sender.refused,
           (unsigned long)book.requests, (unsigned long)book.retries, (unsigned long)book.failures,
           sender.reason);
    return late;
}
