// Fuzzes Export requests and native runs with the real rooms behind them: what is appended is
// strict JSON, or OTLP that passes the same check again; nothing is appended of what is malformed;
// the books balance; and what the wire cursor reads, the writers write back.
//
// The first byte of the input chooses: bits 0–1 the signal; bit 2 a native run instead of a
// request; bits 3–4 whether the rest is repeated as a run (1) or as a scope (2) until it must be
// cut.
#include "base/clock.h"
#include "base/loop.h"
#include "decode/decode.h"
#include "decode/decode_otlp.h"
#include "decode/otlp.h"
#include "decode/otlp_check.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"
#include "spool/spool.h"

#include <event2/event.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

#define AMPLIFIED (300u * 1024) // a little more than one piece
#define COPIES_MAX 1024
#define HELD_MAX 100000

static struct books books;
static struct loop *loop;
static struct decoder *decoder;
static struct spool_log *spool;
static struct verdict_sink verdicts;
static uint64_t held[HELD_MAX]; // positions offered and not answered
static size_t held_count;
static uint64_t offered; // records

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void keys_once(yajl_val value)
{
    for (size_t i = 0; YAJL_IS_OBJECT(value) && i < value->u.object.len; i++) {
        for (size_t n = 0; n < i && i < 64; n++)
            require(strcmp(value->u.object.keys[i], value->u.object.keys[n]) != 0);
        keys_once(value->u.object.values[i]);
    }
    for (size_t i = 0; YAJL_IS_ARRAY(value) && i < value->u.array.len; i++)
        keys_once(value->u.array.values[i]);
}

static void check_document(struct slice payload)
{
    char *text = malloc(payload.size + 1);
    require(text && payload.size && payload.data[payload.size - 1] == '\n');
    memcpy(text, payload.data, payload.size);
    text[payload.size] = '\0';
    require(strlen(text) == payload.size && strchr(text, '\n') == text + payload.size - 1);
    yajl_val document = yajl_tree_parse(text, NULL, 0);
    require(document && YAJL_IS_OBJECT(document));
    keys_once(document);
    yajl_tree_free(document);
    free(text);
}

static int start(struct exporter *exporter, struct verdict_sink sink)
{
    (void)exporter;
    verdicts = sink;
    return 0;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    (void)exporter;
    if (held_count == HELD_MAX)
        return EXPORTER_FULL;
    held[held_count++] = parcel->position;
    offered += parcel->records;
    if (parcel->signal == SIGNAL_LOGS) {
        check_document(parcel->payload);
    } else {
        struct otlp_tally tally = {0};
        require(
            otlp_check((enum signal_kind)parcel->signal, OTLP_REQUEST, parcel->payload, &tally));
        require(tally.records == parcel->records);
    }
    return 0;
}

static void flush(struct exporter *exporter, bool draining)
{
    (void)exporter, (void)draining;
}

// Everything that was appended is offered, checked and delivered.
static void turn(void)
{
    for (unsigned i = 0; i < 4 || held_count; i++) {
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
        size_t count = held_count;
        held_count = 0;
        for (size_t n = 0; n < count; n++) {
            struct verdict verdict = {.position = held[n], .kind = VERDICT_DELIVERED};
            verdicts.verdict(verdicts.ctx, &verdict, 1);
        }
    }
    require(books_balanced(&books));
}

static void build(void)
{
    static const struct exporter_ops ops = {
        .type = "fuzz", .start = start, .offer = offer, .flush = flush};
    static struct exporter exporter = {.ops = &ops, .name = "fuzz"};
    static const struct resource_attribute attributes[] = {
        {{"service.name", 12}, {"agent", 5}},
        {{"deployment.environment", 22}, {"fuzz", 4}},
        {{"odd.name", 8}, {"x", 1}},
    };
    static struct enrich *enrich;
    require(loop_new(&loop) == 0);
    struct spool_config spool_config = {.name = "fuzz",
                                        .max_bytes = 16u << 20,
                                        .loop = loop,
                                        .clock = clock_system(),
                                        .exporter = &exporter,
                                        .book = books_add_exporter(&books, "fuzz")};
    require(spool_log_new(&spool, &spool_config) == 0);
    const struct enrich_target logs = {.log = spool, .form = WIRE_ECS_JSON};
    const struct enrich_target otlp = {.log = spool, .form = WIRE_OTLP};
    struct enrich_config config = {.clock = clock_system(),
                                   .books = &books,
                                   .resource = attributes,
                                   .resource_count = 3,
                                   .targets = {&logs, &otlp, &otlp},
                                   .target_count = {1, 1, 1},
                                   .agent_version = "0"};
    require(enrich_new(&enrich, &config) == 0);
    struct decoder_config decoder_config = {
        .enrich = enrich, .clock = clock_system(), .max_line = 65536, .max_message = 1 << 20};
    require(decoder_new(&decoder, &decoder_config) == 0);
}

// Every field that the cursor reads, written anew, reads the same.
static void check_writers(const uint8_t *data, size_t size)
{
    struct wire_cursor cursor = wire_cursor_of(data, size);
    struct wire_field field;
    while (wire_next(&cursor, &field) == 0) {
        struct wire_field again;
        uint8_t *copy = malloc(field.size + 4 * WIRE_VARINT_MAX);
        require(copy != NULL);
        uint8_t *end;
        if (field.type == WIRE_BYTES) {
            end = wire_put_bytes(copy, field.number, field.data, field.size);
            require((size_t)(end - copy) == wire_bytes_size(field.number, field.size));
        } else {
            end = wire_put_tag(copy, field.number, field.type);
            if (field.type == WIRE_VARINT)
                end = wire_put_varint(end, field.value);
            else if (field.type == WIRE_FIXED64)
                end = wire_put_fixed64(end, field.value);
            else
                end = wire_put_fixed32(end, (uint32_t)field.value);
        }
        struct wire_cursor back = wire_cursor_of(copy, (size_t)(end - copy));
        require(wire_next(&back, &again) == 0 && back.at == back.end);
        require(again.number == field.number && again.type == field.type);
        require(again.value == field.value && again.size == field.size);
        free(copy);
    }
}

static struct slice repeat(const uint8_t *data, size_t size, unsigned level)
{
    size_t copies = size ? AMPLIFIED / size : 0;
    if (copies > COPIES_MAX)
        copies = COPIES_MAX;
    uint8_t *out = malloc(copies * size + 4 * WIRE_VARINT_MAX);
    require(out != NULL);
    uint8_t *end = out;
    if (level == 1) {
        end = wire_put_length(end, OTLP_REQUEST_RESOURCES, copies * size);
    } else {
        size_t scope = wire_bytes_size(OTLP_RUN_SCOPES, copies * size);
        end = wire_put_length(end, OTLP_REQUEST_RESOURCES, scope);
        end = wire_put_length(end, OTLP_RUN_SCOPES, copies * size);
    }
    for (size_t i = 0; i < copies; i++, end += size)
        memcpy(end, data, size);
    return slice_of(out, (size_t)(end - out));
}

static void run_request(enum signal_kind signal, struct slice message)
{
    struct otlp_result result = {0};
    struct otlp_tally tally = {0};
    struct otlp_progress *progress = NULL;
    offered = 0;
    bool valid = otlp_check(signal, OTLP_REQUEST, message, &tally);
    require(decode_otlp_begin(decoder, signal, message, NULL, &progress) == 0);
    int r;
    // An empty log always has room for the next, so that a full one is no end.
    while ((r = decode_otlp_step(progress, message.size % 7 == 0, &result)) == DECODE_AGAIN ||
           r == DECODE_FULL)
        turn();
    decode_otlp_free(progress);
    turn();
    require((r == DECODE_MALFORMED) == !valid);
    require(offered == (r == 0 ? result.accepted : 0));
    require(r != 0 || result.accepted + result.rejected == tally.records);
    require((result.rejected == 0) == (result.reason == NULL));
}

static void run_native(enum signal_kind signal, struct slice message)
{
    static const uint8_t stream[8] = {1};
    struct resource_run run = {.signal = signal,
                               .message = message,
                               // Half of it, whatever that is, or none.
                               .resource =
                                   slice_of(message.data, message.size % 2 * message.size / 2),
                               .stream = stream,
                               .sequence = 1,
                               .policy = DOOR_WAIT};
    struct run_outcome outcome = {0};
    offered = 0;
    int r = decode_resource_run(decoder, &run, &outcome);
    turn();
    require(offered == (r == 0 ? outcome.records - outcome.rejected - outcome.shed : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!decoder)
        build();
    if (size == 0)
        return 0;
    enum signal_kind signal = (enum signal_kind)((data[0] & 3) % SIGNAL_COUNT);
    unsigned level = data[0] >> 3 & 3;
    struct slice rest = slice_of(data + 1, size - 1);
    check_writers(data + 1, size - 1);
    if (data[0] & 4) {
        run_native(signal, rest);
    } else if ((level == 1 || level == 2) && signal != SIGNAL_LOGS) {
        struct slice large = repeat(data + 1, size - 1, level);
        run_request(signal, large);
        free((char *)large.data);
    } else {
        run_request(signal, rest);
    }
    return 0;
}
