// The frames that libsluice writes, and what it makes of the agent's.
#include "client.h"

#include "proto/native.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FEATURE_CREDITS 2
#define FLUSH_EVERY 256 // records without the agent's word

// Field numbers of native.proto.
enum {
    HELLO_NAME = 1,
    HELLO_VERSION = 2,
    HELLO_STREAM = 3,
    HELLO_PROCESS = 5,
    HELLO_RESOURCE = 6,
    HELLO_FEATURES = 7
};
enum { PROCESS_PID = 1, PROCESS_NAME = 2 };
enum { RECORDS_FIRST_SEQUENCE = 1, RECORDS_COUNT = 2, RECORDS_RESEND = 7 };
enum { FLUSH_TOKEN = 1, GOODBYE_LAST_SEQUENCE = 1 };
enum { DROP_SIGNAL = 1, DROP_REASON = 2, DROP_NUMBER = 3 };
enum { WELCOME_MAX_FRAME = 2, WELCOME_CREDITS = 3, WELCOME_FEATURES = 6, CREDIT_BYTES = 1 };
enum { FLUSHED_TOKEN = 1, GOAWAY_RECONNECT_AFTER = 3 };

// --- Hello

static void encode_resource(struct sluice_encoder *encoder, const struct sluice_options *options)
{
    const char *name = options->service_name;
    if (!name || !*name)
        name = getenv("OTEL_SERVICE_NAME");
    if (!name || !*name)
        name = program_invocation_short_name;
    const struct sluice_field fields[] = {
        sluice_string("service.name", name),
        sluice_integer("process.pid", getpid()),
        sluice_string("service.version", options->service_version),
        sluice_string("deployment.environment.name", options->service_environment),
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (fields[i].type != SLUICE_STRING || fields[i].size > 0)
            sluice_encode_field(encoder, OTLP_RESOURCE_ATTRIBUTES, &fields[i]);
    }
    for (size_t i = 0; i < options->resource_count; i++)
        sluice_encode_field(encoder, OTLP_RESOURCE_ATTRIBUTES, &options->resource[i]);
}

int sluice_build_hello(struct sluice *sluice, const struct sluice_options *options)
{
    size_t capacity = NATIVE_MAX_RESOURCE + 1024;
    uint8_t *hello = malloc(capacity);
    if (!hello)
        return ENOMEM;
    struct sluice_encoder encoder = {hello + NATIVE_PREAMBLE_SIZE + NATIVE_LENGTH_SIZE,
                                     hello + capacity, false};
    uint8_t stream[NATIVE_STREAM_SIZE];
    sluice_random(stream, sizeof stream);
    uint8_t *frame = encoder.at;
    uint8_t *body = sluice_encode_begin(&encoder, NATIVE_HELLO);
    sluice_encode_text(&encoder, HELLO_NAME, "libsluice", 9);
    sluice_encode_text(&encoder, HELLO_VERSION, SLUICE_CLIENT_VERSION,
                       sizeof SLUICE_CLIENT_VERSION - 1);
    sluice_encode_bytes(&encoder, HELLO_STREAM, stream, sizeof stream);
    uint8_t *process = sluice_encode_begin(&encoder, HELLO_PROCESS);
    sluice_encode_varint(&encoder, PROCESS_PID, (uint64_t)getpid());
    sluice_encode_text(&encoder, PROCESS_NAME, program_invocation_short_name,
                       strlen(program_invocation_short_name));
    sluice_encode_end(&encoder, process);
    uint8_t *resource = sluice_encode_begin(&encoder, HELLO_RESOURCE);
    encode_resource(&encoder, options);
    size_t resource_size = resource ? (size_t)(encoder.at - resource) : 0;
    sluice_encode_end(&encoder, resource);
    sluice_encode_varint(&encoder, HELLO_FEATURES, FEATURE_CREDITS);
    sluice_encode_end(&encoder, body);
    if (encoder.full || resource_size > NATIVE_MAX_RESOURCE) {
        free(hello);
        return ENAMETOOLONG;
    }
    static const uint8_t preamble[] = {0xC1, 'S', 'L', NATIVE_VERSION};
    memcpy(hello, preamble, sizeof preamble);
    wire_put_fixed32(hello + NATIVE_PREAMBLE_SIZE, (uint32_t)(encoder.at - frame));
    sluice->hello = hello;
    sluice->hello_size = (size_t)(encoder.at - hello);
    return 0;
}

// --- frames while connected

// A frame whose body is in `head` behind room for its length.
static struct sluice_encoder start_control(struct sluice_connection *connection)
{
    return (struct sluice_encoder){connection->head + NATIVE_LENGTH_SIZE,
                                   connection->head + sizeof connection->head, false};
}

static void end_control(struct sluice_connection *connection, const struct sluice_encoder *encoder)
{
    assert(!encoder->full);
    connection->head_size = (size_t)(encoder->at - connection->head);
    wire_put_fixed32(connection->head, (uint32_t)(connection->head_size - NATIVE_LENGTH_SIZE));
}

// The head of a run: everything of the frame up to the records, which follow from the queue.
static void build_run(struct sluice *sluice, const struct sluice_run *run)
{
    struct sluice_connection *connection = &sluice->connection;
    uint32_t payload =
        run->signal == SLUICE_SIGNAL_LOGS ? NATIVE_RECORDS_LOGS : NATIVE_RECORDS_SPANS;
    size_t scope = sluice->scope_size + run->size;
    size_t resource = wire_bytes_size(OTLP_RUN_SCOPES, scope);
    size_t body = 1 + wire_varint_size(run->first_sequence) + 1 + wire_varint_size(run->count) +
                  (connection->resend ? 2 : 0) + wire_bytes_size(payload, resource);
    uint8_t *at = connection->head;
    at = wire_put_fixed32(at, (uint32_t)wire_bytes_size(NATIVE_RECORDS, body));
    at = wire_put_length(at, NATIVE_RECORDS, body);
    at =
        wire_put_varint(wire_put_tag(at, RECORDS_FIRST_SEQUENCE, WIRE_VARINT), run->first_sequence);
    at = wire_put_varint(wire_put_tag(at, RECORDS_COUNT, WIRE_VARINT), run->count);
    if (connection->resend)
        at = wire_put_varint(wire_put_tag(at, RECORDS_RESEND, WIRE_VARINT), 1);
    at = wire_put_length(at, payload, resource);
    at = wire_put_length(at, OTLP_RUN_SCOPES, scope);
    memcpy(at, sluice->scope, sluice->scope_size);
    connection->head_size = (size_t)(at - connection->head) + sluice->scope_size;
    assert(connection->head_size <= sizeof connection->head);
}

static bool build_drop_report(struct sluice *sluice)
{
    for (unsigned i = 0; i < SLUICE_SIGNAL_COUNT * SLUICE_DROP_COUNT; i++) {
        unsigned signal = i / SLUICE_DROP_COUNT;
        unsigned reason = i % SLUICE_DROP_COUNT;
        uint64_t count = sluice->dropped[signal][reason] - sluice->reported[signal][reason];
        if (count == 0)
            continue;
        struct sluice_encoder encoder = start_control(&sluice->connection);
        uint8_t *body = sluice_encode_begin(&encoder, NATIVE_DROP_REPORT);
        sluice_encode_varint(&encoder, DROP_SIGNAL, signal + 1);
        sluice_encode_varint(&encoder, DROP_REASON, reason + 1);
        sluice_encode_varint(&encoder, DROP_NUMBER, count);
        sluice_encode_end(&encoder, body);
        end_control(&sluice->connection, &encoder);
        sluice->reported[signal][reason] += count;
        return true;
    }
    return false;
}

static void build_flush(struct sluice *sluice)
{
    struct sluice_encoder encoder = start_control(&sluice->connection);
    uint8_t *body = sluice_encode_begin(&encoder, NATIVE_FLUSH);
    sluice_encode_varint(&encoder, FLUSH_TOKEN, sluice->flush_wanted);
    sluice_encode_end(&encoder, body);
    end_control(&sluice->connection, &encoder);
    sluice->flush_sent = sluice->flush_wanted;
    sluice->flush_mark = sluice->sent;
}

static void build_goodbye(struct sluice *sluice)
{
    struct sluice_encoder encoder = start_control(&sluice->connection);
    uint8_t *body = sluice_encode_begin(&encoder, NATIVE_GOODBYE);
    sluice_encode_varint(&encoder, GOODBYE_LAST_SEQUENCE, sluice->queue.next_sequence - 1);
    sluice_encode_end(&encoder, body);
    end_control(&sluice->connection, &encoder);
    sluice->goodbye = false;
}

static bool flush_is_due(struct sluice *sluice)
{
    const struct sluice_run *run = sluice_queue_first(&sluice->queue);
    if (sluice->flush_sent < sluice->flush_wanted)
        return !run || run->first_sequence >= sluice->flush_barrier;
    // Now and then ask of our own accord, so that a broken connection leaves little in doubt.
    if (sluice->flush_answered == sluice->flush_sent &&
        sluice->sent - sluice->confirmed >= FLUSH_EVERY) {
        sluice->flush_wanted++;
        return true;
    }
    return false;
}

bool sluice_waits_for_credit(const struct sluice *sluice)
{
    const struct sluice_connection *connection = &sluice->connection;
    return connection->credits && connection->greeted && connection->sending == OUT_NONE &&
           sluice->queue.count > 0;
}

enum sluice_outgoing sluice_next_frame(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    if (!connection->greeted)
        return OUT_HELLO;
    if (flush_is_due(sluice)) {
        build_flush(sluice);
        return OUT_FLUSH;
    }
    if (build_drop_report(sluice))
        return OUT_CONTROL;
    for (const struct sluice_run *run; (run = sluice_queue_first(&sluice->queue));) {
        build_run(sluice, run);
        uint64_t size = connection->head_size + run->size;
        if (connection->max_frame > 0 && size - NATIVE_LENGTH_SIZE > connection->max_frame) {
            sluice->dropped[run->signal][SLUICE_DROP_TOO_LARGE] +=
                run->count; // no credit is enough
            sluice_queue_pop(&sluice->queue);
            continue;
        }
        if (connection->credits && size > connection->credit)
            return OUT_NONE; // the queue fills up, and what has no room there is dropped
        connection->credit -= connection->credits ? size : 0;
        return OUT_RECORDS;
    }
    if (sluice->goodbye) {
        build_goodbye(sluice);
        return OUT_CONTROL;
    }
    return OUT_NONE;
}

// --- the agent's frames

static uint64_t varint_of(const uint8_t *body, size_t size, uint32_t number)
{
    struct wire_cursor cursor = wire_cursor_of(body, size);
    struct wire_field field;
    uint64_t value = 0;
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, number, WIRE_VARINT))
            value = field.value;
    }
    return value;
}

static void take_flushed(struct sluice *sluice, uint64_t token)
{
    if (token <= sluice->flush_answered || token > sluice->flush_sent)
        return;
    sluice->flush_answered = token;
    if (token == sluice->flush_sent)
        sluice->confirmed = sluice->flush_mark;
}

// Welcome counts what was sent before it; without the feature nothing is counted any more.
static void take_welcome(struct sluice_connection *connection, const uint8_t *body, size_t size)
{
    if (connection->welcomed)
        return;
    uint64_t granted = varint_of(body, size, WELCOME_CREDITS);
    connection->welcomed = true;
    connection->backoff = 0;
    connection->max_frame = varint_of(body, size, WELCOME_MAX_FRAME);
    connection->credits = varint_of(body, size, WELCOME_FEATURES) & FEATURE_CREDITS;
    connection->credit += granted > CREDIT_FIRST ? granted - CREDIT_FIRST : 0;
}

void sluice_take_frame(struct sluice *sluice, const uint8_t *frame, size_t size)
{
    struct sluice_connection *connection = &sluice->connection;
    enum native_kind kind;
    const uint8_t *body;
    size_t body_size;
    if (native_body(frame, size, &kind, &body, &body_size) < 0)
        return;
    switch (kind) {
    case NATIVE_WELCOME:
        take_welcome(connection, body, body_size);
        break;
    case NATIVE_CREDIT:
        connection->credit += varint_of(body, body_size, CREDIT_BYTES);
        break;
    case NATIVE_FLUSHED:
        take_flushed(sluice, varint_of(body, body_size, FLUSHED_TOKEN));
        break;
    case NATIVE_GOAWAY:
        connection->going = true;
        connection->next_attempt = sluice_monotonic_ns() / 1000000 +
                                   (uint32_t)varint_of(body, body_size, GOAWAY_RECONNECT_AFTER);
        break;
    default: // an Error is followed by the end of the connection; the rest we did not ask for
        break;
    }
}
