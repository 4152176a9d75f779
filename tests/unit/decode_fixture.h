// Lines in, ECS documents out: the real decoder and encoder, with enrich's door replaced by a list.
//
// A test that includes this defines every function of enrich that lines use, so the linker never
// pulls the real ones. event.id and the like are constant here.
#ifndef TESTS_DECODE_FIXTURE_H
#define TESTS_DECODE_FIXTURE_H

#include "base/clock.h"
#include "decode/decoder.h"
#include "enrich/ecs_encode.h"
#include "enrich/enrich.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVED_NS 1795375000000000000U // 2026-11-22T19:16:40Z

struct documents {
    char **text; // each NUL-terminated, without its '\n'
    size_t count;
    uint64_t rejected;
    uint64_t truncated;
    uint64_t pending;       // lines that wait for the rest of their record
    uint64_t joined;        // lines that became part of another's record
    size_t admit_limit;     // that many records, then ENRICH_BLOCKED; SIZE_MAX: no limit
    unsigned refused_below; // so is what is less urgent
    size_t sheds;
    struct record last; // its own layer is valid until the next record
};

struct decode_fixture {
    struct decoder *decoder;
    struct agent_resource resource;
    struct ecs_encoder encoder;
    struct byte_budget read_bytes;
    uint64_t now_ns;
    bool join; // as decoder_config has it: set it before fixture_open
};

static struct documents documents;
static struct decode_fixture fixture;

#include "fake_enrich.h"

static inline void documents_forget(void)
{
    for (size_t i = 0; i < documents.count; i++)
        free(documents.text[i]);
    free(documents.text);
    documents = (struct documents){.admit_limit = SIZE_MAX};
}

static inline uint64_t fixture_now(struct clock *clock)
{
    (void)clock;
    return fixture.now_ns;
}

static inline void fixture_open(size_t max_line)
{
    static const uint8_t start_id[8] = {0};
    static struct clock clock = {fixture_now, fixture_now};
    struct decoder_config config = {
        .clock = &clock,
        .max_line = max_line,
        .join = fixture.join,
        .read_bytes = &fixture.read_bytes,
        .truncated = &documents.truncated,
    };
    fixture.now_ns = RECEIVED_NS;
    fixture.read_bytes = (struct byte_budget){0};
    documents_forget();
    int r = decoder_new(&fixture.decoder, &config);
    assert(r == 0);
    r = agent_resource_init(&fixture.resource, NULL, 0);
    assert(r == 0);
    r = ecs_encoder_init(&fixture.encoder, &fixture.resource, "0", start_id);
    assert(r == 0);
}

static inline void fixture_close(void)
{
    documents_forget();
    ecs_encoder_deinit(&fixture.encoder);
    agent_resource_deinit(&fixture.resource);
    decoder_free(fixture.decoder);
    fixture.decoder = NULL;
}

// Decodes a whole stream at once.
static inline void decode_stream(struct slice data)
{
    struct line_state state = {0};
    size_t consumed;
    enum decode_stop stop = decode_lines(fixture.decoder, &state, data, true, &consumed);
    assert(stop == DECODE_MORE && consumed == data.size);
}

// The document of one line, valid until the next call.
static inline const char *document_of(const char *line)
{
    documents_forget();
    decode_stream(slice_from(line));
    assert(documents.count == 1);
    return documents.text[0];
}

#endif
