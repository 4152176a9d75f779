// What the OTLP exporter's tests share: a collector in the same process, on the same loop, that
// answers by a script, and a sink that counts verdicts.
#ifndef SLUICE_TESTS_OTLP_FIXTURE_H
#define SLUICE_TESTS_OTLP_FIXTURE_H

#include "base/clock.h"
#include "base/loop.h"
#include "deliver/otlp.h"
#include "grpc/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#define PARCELS_MAX 4096
#define COLLECTOR_CONNECTIONS 64

enum collector_move {
    COLLECTOR_ANSWER,
    COLLECTOR_SILENCE, // never answers this request
    COLLECTOR_HANG_UP, // closes the connection instead
    COLLECTOR_GOAWAY,  // announces the end, then answers
};

struct collector_step {
    enum collector_move move;
    struct grpc_status status;
    struct slice response;
};

struct collector;

struct collector_connection {
    struct collector *collector;
    struct grpc_server *server;
    struct loop_io io;
    struct loop_deferred flush;
    int fd;
    SSL *ssl; // NULL: plain
    bool hang_up;
};

struct collector {
    struct loop *loop;
    struct loop_io io;
    int fd;
    char path[64], folder[48];
    char endpoint[96];
    const struct collector_step *steps; // one for each request; then OK
    size_t step_count;
    unsigned requests, accepted;
    size_t largest;     // bytes of a request
    size_t limit;       // a larger request is refused, as grpc-go does; 0: none
    unsigned too_large; // requests that were
    SSL_CTX *tls;       // of connections to come; the test's own. NULL: plain
    char client[64];    // CN of the last client's certificate
    struct collector_connection *connections[COLLECTOR_CONNECTIONS];
    // The payloads as taken, by the service's name; a payload is "<number>;".
    char *taken[SIGNAL_COUNT];
    size_t taken_size[SIGNAL_COUNT];
};

struct fixture {
    struct loop *loop;
    struct books books;
    struct exporter *exporter;
    struct collector collector;
    struct loop_timer watchdog, poll;
    bool (*holds)(struct fixture *);
    // the sink
    unsigned verdicts[PARCELS_MAX]; // how many each position got
    enum verdict_kind kinds[PARCELS_MAX];
    char reasons[PARCELS_MAX][64]; // their beginnings
    uint64_t refused;
    size_t offered, settled, room_calls, target; // the loop stops when settled reaches target
    char payloads[PARCELS_MAX][16];
    size_t offer_limit; // the sink offers up to that many from inside its verdicts
};

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);
// Defaults for what config leaves out: no linger, this fixture's endpoint, loop, book and sink.
void fixture_start(struct fixture *fixture, struct otlp_exporter_config config);
// Offers parcels until there are count, or the window is full. Each has one record.
void fixture_offer(struct fixture *fixture, size_t count, enum signal_kind signal);
// Runs the loop until that many parcels have their verdict.
void fixture_run(struct fixture *fixture, size_t settled);
// Runs the loop until the condition holds, seen each millisecond.
void fixture_until(struct fixture *fixture, bool (*holds)(struct fixture *));
void assert_all(struct fixture *fixture, size_t count, enum verdict_kind kind);
// Every offered parcel of one signal arrived, and how often.
size_t times_taken(struct fixture *fixture, size_t position, enum signal_kind signal);
struct exporter_book *fixture_book(struct fixture *fixture);

size_t collector_open(const struct collector *collector); // connections

void collector_listen(struct collector *collector);
void collector_listen_tcp(struct collector *collector, const char *host);
// As that, with https and collector->tls.
void collector_listen_tls(struct collector *collector, const char *host);

#endif
