// What a C program does with libsluice: takes orders, each a trace of nested spans with its log.
//
//   orders [COUNT]     the socket is where SLUICE_SOCKET says
#include "sluice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_MS 5000

struct order {
    int number;
    int items;
    double total;
};

// Stands for work.
static void take_ms(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static void check_stock(struct sluice *sluice, const struct sluice_context *parent,
                        const struct order *order)
{
    struct sluice_span *span = sluice_span_start(sluice, "check stock", SLUICE_INTERNAL, parent);
    sluice_span_set(span, SLUICE_FIELDS(sluice_integer("order.items", order->items)));
    take_ms(3);
    sluice_span_end(span);
}

static bool charge_card(struct sluice *sluice, const struct sluice_context *parent,
                        const struct order *order)
{
    bool refused = order->total > 100;
    struct sluice_span *span = sluice_span_start(sluice, "charge card", SLUICE_CLIENT, parent);
    sluice_span_set(span, SLUICE_FIELDS(sluice_string("server.address", "bank.example"),
                                        sluice_double("payment.amount", order->total)));
    take_ms(refused ? 12 : 8);
    if (refused) {
        sluice_span_status(span, SLUICE_FAILED, "card refused");
        sluice_span_log(span, SLUICE_ERROR, "card refused",
                        SLUICE_FIELDS(sluice_string("error.type", "CardRefused"),
                                      sluice_integer("order.number", order->number)));
    }
    sluice_span_end(span);
    return !refused;
}

static void place_order(struct sluice *sluice, const struct order *order)
{
    struct sluice_span *span = sluice_span_start(sluice, "place order", SLUICE_SERVER, NULL);
    const struct sluice_context *context = sluice_span_context(span);
    sluice_span_set(span, SLUICE_FIELDS(sluice_integer("order.number", order->number)));
    check_stock(sluice, context, order);
    bool paid = charge_card(sluice, context, order);
    if (paid)
        sluice_span_log(span, SLUICE_INFO, "order placed",
                        SLUICE_FIELDS(sluice_integer("order.number", order->number),
                                      sluice_double("order.total", order->total)));
    sluice_span_status(span, paid ? SLUICE_OK : SLUICE_FAILED, paid ? NULL : "not paid");
    sluice_span_end(span);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 3;
    struct sluice *sluice = sluice_open(&(struct sluice_options){
        .service_name = "orders", .service_version = "1.0.0", .scope = "orders"});
    if (!sluice) {
        perror("orders: sluice_open");
        return 1;
    }
    sluice_log(sluice, SLUICE_INFO, "orders is open",
               SLUICE_FIELDS(sluice_integer("count", count)));
    for (int i = 1; i <= count; i++)
        place_order(sluice, &(struct order){i, i, 49.5 * i});
    int r = sluice_flush(sluice, FLUSH_MS);
    if (r < 0)
        fprintf(stderr, "orders: the agent has not confirmed all: %s\n", strerror(-r));
    struct sluice_stats stats;
    sluice_stats(sluice, &stats);
    printf("orders: %llu records sent, %llu dropped\n", (unsigned long long)stats.sent,
           (unsigned long long)stats.dropped);
    return sluice_close(sluice) > 0 || r < 0;
}
