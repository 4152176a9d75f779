// Native frames to records: the connection's state machine, and the answers it owes.
//
// Preamble, Hello, then runs of records. Every frame is read whole or not at all; a run is handed
// on as a whole once there is room for it. Source: docs/PROTOCOL.md.
#include "decode/decode_native.h"

#include "decode/decoder.h"
#include "decode/native_credit.h"
#include "decode/native_receipts.h"
#include "decode/otlp.h"
#include "enrich/enrich_gaps.h"
#include "enrich/enrich_stored.h"
#include "proto/native_write.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct frame_view {
    const uint8_t *data;
    size_t size;
    size_t whole; // of a body: its frame's, with the length before it
};

void native_state_deinit(struct native_state *state)
{
    free(state->resource);
    state->resource = NULL;
    state->resource_size = 0;
}

// Appends a frame that was written (size 0: it did not fit).
static void took_room(struct native_state *state, size_t size)
{
    state->out_size += size;
    assert(state->out_size <= sizeof state->out);
}

// Tells the peer why, and closes.
static enum decode_stop refuse(struct decoder *decoder, struct native_state *state,
                               enum native_error_code code, uint64_t sequence, uint64_t count,
                               const char *text)
{
    struct native_error error = {code, text, sequence, count, false};
    decode_native_end(decoder, state); // what was sent before; the error is the last frame
    state->error_code = (uint32_t)code;
    snprintf(state->error, sizeof state->error, "%s", text);
    error.message = state->error;
    took_room(state, native_write_error(native_out_end(state), native_out_room(state), &error));
    return DECODE_CLOSE;
}

size_t native_max_frame(const struct decoder *decoder)
{
    size_t limit = decoder->config.max_message;
    return limit > 0 && limit < NATIVE_MAX_FRAME ? limit : NATIVE_MAX_FRAME;
}

static enum decode_stop take_hello(struct decoder *decoder, struct native_state *state,
                                   struct frame_view body)
{
    struct native_hello hello;
    if (state->greeted)
        return refuse(decoder, state, NATIVE_ERROR_ORDER, 0, 0, "a second hello");
    if (native_read_hello(body.data, body.size, &hello) < 0)
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, 0, 0,
                      "hello is malformed: a stream is 8 bytes, a resource at most 16384");
    if (hello.resource_size > 0) {
        state->resource = malloc(hello.resource_size);
        if (!state->resource)
            return refuse(decoder, state, NATIVE_ERROR_INTERNAL, 0, 0,
                          "the agent is out of memory");
        memcpy(state->resource, hello.resource, hello.resource_size);
        state->resource_size = hello.resource_size;
    }
    if (hello.stream) {
        memcpy(state->stream, hello.stream, sizeof state->stream);
        state->has_stream = true;
    }
    state->unknown = enrich_refused_unknown(decoder->config.enrich);
    if (state->has_stream) // without sequences there is nothing to write a receipt for
        state->ack_level = hello.ack_level;
    state->greeted = true;
    // No rings yet: none is granted.
    state->credits = hello.features & NATIVE_FEATURE_CREDITS;
    struct native_welcome welcome = {
        .max_frame = (uint32_t)native_max_frame(decoder),
        .credits = native_first_credit(decoder, state),
        .agent_id = decoder->config.agent_id,
        .ack_level = state->ack_level,
        .features = (state->ack_level > NATIVE_ACK_NONE ? NATIVE_FEATURE_RECEIPTS : 0) |
                    (state->credits ? NATIVE_FEATURE_CREDITS : 0),
        .agent_version = decoder->config.agent_version,
    };
    took_room(state, native_write_welcome(native_out_end(state), native_out_room(state), &welcome));
    return DECODE_MORE;
}

// A run some of whose records are kept nowhere: they are booked, the connection goes on.
static void tell_refused(struct native_state *state, const struct native_records *records,
                         enum native_error_code code, uint32_t count)
{
    struct native_error error = {.code = code, .sequence = records->first_sequence, .open = true};
    error.count = count;
    error.message = code == NATIVE_ERROR_TOO_LARGE ? "records larger than a segment"
                                                   : "records shed: a log is full, keeps its "
                                                     "room for others, or lost them";
    // A closing error, a Flushed and a Receipt must still fit, and the Receipt tells of them.
    if (native_out_room(state) >= 2 * (size_t)ERROR_ROOM + FLUSHED_ROOM + RECEIPT_ROOM)
        took_room(state, native_write_error(native_out_end(state), native_out_room(state), &error));
}

static enum signal_kind signal_of(int payload_field)
{
    switch (payload_field) {
    case NATIVE_RECORDS_SPANS:
        return SIGNAL_SPANS;
    case NATIVE_RECORDS_METRICS:
        return SIGNAL_METRICS;
    default:
        return SIGNAL_LOGS;
    }
}

// What is claimed for a run that cannot be read, but never more than its bytes could hold: a record
// takes two at least.
static uint64_t believable_count(const struct native_records *records, size_t bytes)
{
    uint64_t most = bytes / 2;
    uint64_t count = records->count < most ? records->count : most;
    return count > 0 ? count : 1;
}

// A run that says it may have come before, and has, whole.
static bool is_duplicate(const struct decoder *decoder, const struct native_state *state,
                         const struct native_records *records)
{
    return records->resend && state->has_stream && records->first_sequence > 0 &&
           records->count > 0 &&
           enrich_has(decoder->config.enrich, signal_of(records->payload_field), state->stream,
                      records->first_sequence + records->count - 1);
}

// The run is in the spool, and owed a receipt.
static void took_run(struct decoder *decoder, struct native_state *state,
                     const struct native_records *records, uint32_t taken)
{
    enum signal_kind signal = signal_of(records->payload_field);
    if (records->first_sequence == 0 || taken == 0) {
        state->unnumbered += taken;
        native_owe_flush(state, signal);
        return;
    }
    if (records->resend) // some of it may be in what an earlier agent left
        native_owe_earlier(decoder, state);
    native_owe_receipt(decoder, state, signal, records->first_sequence + taken - 1,
                       records->ack_level);
}

static enum decode_stop take_records(struct decoder *decoder, struct native_state *state,
                                     struct frame_view body)
{
    struct native_records records = {0};
    if (native_is_overrun(state, body.whole)) {
        char text[sizeof state->error];
        snprintf(text, sizeof text,
                 "a run of %zu bytes where %llu of credit are left: wait for a Credit", body.whole,
                 (unsigned long long)state->credit_left);
        return refuse(decoder, state, NATIVE_ERROR_ORDER, 0, 0, text);
    }
    if (native_read_records(body.data, body.size, &records) < 0 || !records.payload ||
        records.count > records.payload_size / 2) {
        enum signal_kind signal = signal_of(records.payload_field);
        uint64_t count = believable_count(&records, body.size);
        enrich_reject(decoder->config.enrich, signal, REJECT_MALFORMED, count);
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, records.first_sequence, count,
                      "records without a readable run of logs, spans or metrics");
    }
    if (is_duplicate(decoder, state, &records)) {
        enrich_duplicate(decoder->config.enrich, signal_of(records.payload_field), records.count);
        took_run(decoder, state, &records, records.count);
        native_use_credit(state, body.whole, URGENCY_HIGH); // of no log's room
        return DECODE_MORE;
    }
    struct resource_run run = {
        .signal = signal_of(records.payload_field),
        .message = slice_of(records.payload, records.payload_size),
        .resource = slice_of(state->resource, state->resource_size),
        .stream = state->has_stream && records.first_sequence > 0 ? state->stream : NULL,
        .sequence = records.first_sequence ? records.first_sequence : state->unnumbered + 1,
        .resend = records.resend,
        .records = records.count,
        .policy = DOOR_WAIT,
    };
    struct run_outcome outcome = {0};
    int r = decode_resource_run(decoder, &run, &outcome);
    if (r == DECODE_OVERLOADED)
        return DECODE_BLOCKED;
    if (r == DECODE_MALFORMED)
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, records.first_sequence,
                      outcome.records,
                      "a run that is malformed, or not of as many records as it says");
    if (r < 0)
        return refuse(decoder, state, NATIVE_ERROR_INTERNAL, records.first_sequence, records.count,
                      "the agent is out of memory");
    took_run(decoder, state, &records, outcome.records);
    native_use_credit(state, body.whole, outcome.urgency);
    if (outcome.rejected > 0)
        tell_refused(state, &records, NATIVE_ERROR_TOO_LARGE, outcome.rejected);
    if (outcome.shed > 0)
        tell_refused(state, &records, NATIVE_ERROR_REFUSED, outcome.shed);
    return DECODE_MORE;
}

static enum decode_stop take_flush(struct decoder *decoder, struct native_state *state,
                                   struct frame_view body)
{
    struct native_flush flush;
    if (native_read_flush(body.data, body.size, &flush) < 0)
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, 0, 0, "flush is malformed");
    native_take_flush(decoder, state, &flush);
    return DECODE_MORE;
}

// What the client itself had to drop never came here: in no book, but somebody will look for it.
static enum decode_stop take_drop_report(struct decoder *decoder, struct native_state *state,
                                         struct frame_view body)
{
    static const enum signal_kind signals[] = {SIGNAL_COUNT, SIGNAL_LOGS, SIGNAL_SPANS,
                                               SIGNAL_METRICS};
    static const enum gap_reason reasons[] = {GAP_CLIENT,           GAP_CLIENT_BUFFER_FULL,
                                              GAP_CLIENT_TOO_LARGE, GAP_CLIENT_RATE_LIMITED,
                                              GAP_CLIENT_DEADLINE,  GAP_CLIENT_OUT_OF_MEMORY};
    struct native_drop_report report;
    if (native_read_drop_report(body.data, body.size, &report) < 0)
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, 0, 0, "a drop report is malformed");
    bool signal_known = report.signal < sizeof signals / sizeof *signals;
    bool reason_known = report.reason < sizeof reasons / sizeof *reasons;
    enrich_client_lost(decoder->config.enrich, signals[signal_known ? report.signal : 0],
                       reasons[reason_known ? report.reason : 0],
                       report.count < UINT32_MAX ? report.count : UINT32_MAX,
                       slice_of(state->resource, state->resource_size));
    return DECODE_MORE;
}

// Frames that have no row are read past.
static const struct {
    enum native_kind kind;
    enum decode_stop (*take)(struct decoder *decoder, struct native_state *state,
                             struct frame_view body);
} handlers[] = {
    {NATIVE_RECORDS, take_records},
    {NATIVE_FLUSH, take_flush},
    {NATIVE_HELLO, take_hello},
    {NATIVE_DROP_REPORT, take_drop_report},
};

static enum decode_stop take_frame(struct decoder *decoder, struct native_state *state,
                                   struct frame_view frame)
{
    enum native_kind kind;
    struct frame_view body = {.whole = NATIVE_LENGTH_SIZE + frame.size};
    if (native_body(frame.data, frame.size, &kind, &body.data, &body.size) < 0)
        return refuse(decoder, state, NATIVE_ERROR_MALFORMED, 0, 0, "not a frame");
    if (!state->greeted && kind != NATIVE_HELLO && kind != NATIVE_NONE)
        return refuse(decoder, state, NATIVE_ERROR_ORDER, 0, 0, "the first frame must be a hello");
    for (unsigned i = 0; i < sizeof handlers / sizeof handlers[0]; i++) {
        if (handlers[i].kind == kind)
            return handlers[i].take(decoder, state, body);
    }
    return DECODE_MORE;
}

// 0 with *size bytes of preamble, NATIVE_MORE, or -EBADMSG with the refusal written.
static int take_preamble(struct decoder *decoder, struct native_state *state, struct slice data,
                         size_t *size)
{
    if (data.size < NATIVE_PREAMBLE_SIZE)
        return NATIVE_MORE;
    if (memcmp(data.data, NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE - 1) != 0) {
        refuse(decoder, state, NATIVE_ERROR_MALFORMED, 0, 0, "not the native dialect's preamble");
        return -EBADMSG;
    }
    if ((uint8_t)data.data[NATIVE_PREAMBLE_SIZE - 1] != NATIVE_VERSION) {
        refuse(decoder, state, NATIVE_ERROR_VERSION, 0, 0,
               "this agent speaks version 1 of the protocol");
        return -EBADMSG;
    }
    state->preamble = true;
    *size = NATIVE_PREAMBLE_SIZE;
    return 0;
}

static enum decode_stop take_frames(struct decoder *decoder, struct native_state *state,
                                    struct slice data, size_t *at)
{
    const uint8_t *bytes = (const uint8_t *)data.data;
    enum decode_stop stop = DECODE_MORE;
    while (stop == DECODE_MORE) {
        struct frame_view frame;
        int r = native_frame(bytes + *at, data.size - *at, native_max_frame(decoder), &frame.data,
                             &frame.size);
        if (r == NATIVE_MORE)
            return DECODE_MORE;
        if (r == NATIVE_TOO_LARGE)
            return refuse(decoder, state, NATIVE_ERROR_TOO_LARGE, 0, 0,
                          "a frame longer than max_frame");
        stop = take_frame(decoder, state, frame);
        if (stop == DECODE_MORE)
            *at += NATIVE_LENGTH_SIZE + frame.size;
    }
    return stop;
}

enum decode_stop decode_native(struct decoder *decoder, struct native_state *state,
                               struct slice data, size_t *consumed)
{
    size_t at = 0;
    enum decode_stop stop = DECODE_MORE;
    int r = state->preamble ? 0 : take_preamble(decoder, state, data, &at);
    if (r == 0)
        stop = take_frames(decoder, state, data, &at);
    else if (r < 0)
        stop = DECODE_CLOSE;
    if (stop != DECODE_CLOSE)
        decode_native_answers(decoder, state);
    *consumed = stop == DECODE_CLOSE ? data.size : at;
    return stop;
}
