// The session in docs/PROTOCOL.md, run against the agent's decoder: what a third party builds from.
#include "decode/decode_native.h"
#include "decode/decoder.h"
#include "decode/otlp.h"
#include "enrich/enrich_gaps.h"
#include "enrich/enrich_room.h"
#include "proto/native.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 4096

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
};

static unsigned runs;
static char texts[8];
static size_t text_bytes;

// The OTLP decoder's part: protobuf-c's types look into the run.
int decode_resource_run(struct decoder *decoder, const struct resource_run *run,
                        struct run_outcome *outcome)
{
    (void)decoder;
    Sluice__Otlp__ResourceLogs *logs = sluice__otlp__resource_logs__unpack(
        NULL, run->message.size, (const uint8_t *)run->message.data);
    assert_non_null(logs);
    size_t count = logs->scope_logs[0]->n_log_records;
    *outcome = (struct run_outcome){.records = run->records};
    runs++;
    if (count == run->records) {
        assert_memory_equal(run->stream, "\1\2\3\4\5\6\7\10", 8);
        assert_int_equal(run->sequence, 1);
        for (size_t i = 0; i < count; i++)
            text_bytes += (size_t)snprintf(texts + text_bytes, sizeof texts - text_bytes, "%s",
                                           logs->scope_logs[0]->log_records[i]->body->string_value);
        Sluice__Otlp__Resource *resource = sluice__otlp__resource__unpack(
            NULL, run->resource.size, (const uint8_t *)run->resource.data);
        assert_string_equal(resource->attributes[0]->value->string_value, "shop");
        sluice__otlp__resource__free_unpacked(resource, NULL);
    }
    sluice__otlp__resource_logs__free_unpacked(logs, NULL);
    return count == run->records ? 0 : DECODE_MALFORMED;
}

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records)
{
    (void)enrich;
    (void)signal;
    (void)reason;
    (void)records;
    fail();
}

void enrich_client_lost(struct enrich *enrich, enum signal_kind signal, enum gap_reason reason,
                        uint64_t records, struct slice resource)
{
    (void)enrich;
    (void)signal;
    (void)reason;
    (void)records;
    (void)resource;
    fail();
}

void enrich_duplicate(struct enrich *enrich, enum signal_kind signal, uint32_t records)
{
    (void)enrich;
    (void)signal;
    (void)records;
    fail();
}

static void add_hex(struct bytes *bytes, const char *line)
{
    for (const char *at = line; isxdigit((unsigned char)at[0]); at += at[2] == ' ' ? 3 : 2) {
        char digits[3] = {at[0], at[1], '\0'};
        assert_true(bytes->size < BYTES_MAX);
        bytes->data[bytes->size++] = (uint8_t)strtoul(digits, NULL, 16);
    }
}

// The lines of the block that starts with ```session.
static void read_session(struct bytes *client, struct bytes *agent)
{
    char line[512];
    bool inside = false;
    FILE *document = fopen("../../docs/PROTOCOL.md", "r");
    assert_non_null(document);
    while (fgets(line, sizeof line, document)) {
        if (strncmp(line, "```", 3) == 0)
            inside = strncmp(line, "```session", 10) == 0;
        else if (inside && strncmp(line, "C> ", 3) == 0)
            add_hex(client, line + 3);
        else if (inside && strncmp(line, "A> ", 3) == 0)
            add_hex(agent, line + 3);
    }
    fclose(document);
    assert_true(client->size > 100 && agent->size > 100);
}

// Offers the client's bytes `step` at a time, and collects what the agent says.
static void play(size_t step)
{
    static const uint8_t agent_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct bytes client = {.size = 0};
    struct bytes expected = {.size = 0};
    struct bytes said = {.size = 0};
    struct enrich enrich = {0}; // no logs, and nothing given up
    struct decoder decoder = {
        .config = {.enrich = &enrich, .agent_id = agent_id, .agent_version = "0.1.0"}};
    struct native_state state = {0};
    enum decode_stop stop = DECODE_MORE;
    size_t from = 0;
    runs = 0;
    text_bytes = 0;
    read_session(&client, &expected);
    for (size_t to = 0; to < client.size;) {
        to = to + step < client.size ? to + step : client.size;
        assert_int_equal(stop, DECODE_MORE);
        size_t consumed;
        stop = decode_native(&decoder, &state, slice_of(client.data + from, to - from), &consumed);
        from += consumed;
        memcpy(said.data + said.size, state.out, state.out_size);
        said.size += state.out_size;
        state.out_size = 0;
    }
    assert_int_equal(stop, DECODE_CLOSE);
    assert_int_equal(said.size, expected.size);
    assert_memory_equal(said.data, expected.data, expected.size);
    assert_int_equal(runs, 2);
    assert_string_equal(texts, "hioh");
    native_state_deinit(&state);
}

static void the_documents_session_is_what_happens(void **unused)
{
    (void)unused;
    play(BYTES_MAX);
}

static void it_may_be_cut_anywhere(void **unused)
{
    (void)unused;
    for (size_t step = 1; step < 60; step++)
        play(step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documents_session_is_what_happens),
        cmocka_unit_test(it_may_be_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
